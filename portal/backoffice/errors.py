"""Errors of the back office, as pages that say what happened and what to do."""

from typing import Any

from flask import Blueprint, Response, make_response, render_template
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from portal.core.errors import PortalError

_WORDS = {
    400: ("This can't be read", "Something in it is no text. Open the page again and retype it."),
    403: ("Your role does not allow this", "Ask an admin if you need it for your work."),
    404: ("There is nothing here", "Go back, or search for what you need with the / key."),
    405: ("This address only takes forms", "Open the page it belongs to and use the button."),
}


def show_errors_as_pages(blueprint: Blueprint) -> None:
    """Let `blueprint` answer its errors with a page of the back office."""
    blueprint.register_error_handler(CSRFError, _stale_form)
    blueprint.register_error_handler(PortalError, _portal_error)
    blueprint.register_error_handler(HTTPException, _http_error)


def _page(status: int, title: str, hint: str) -> Response:
    page = render_template("backoffice/error.html", title=title, hint=hint, status=status)
    return make_response(page, status)


def _stale_form(error: CSRFError) -> Response:
    hint = "Nothing was changed. Open the page again and repeat what you did."
    return _page(400, "This form was too old or came from somewhere else", hint)


def _portal_error(error: PortalError) -> Response:
    return _page(error.status, error.message, error.hint or "Nothing was changed.")


def _http_error(error: HTTPException) -> Any:
    if error.code is None or error.code < 400:
        return error
    title, hint = _WORDS.get(error.code, (error.name, "Nothing was changed."))
    return _page(error.code, title, hint)
