"""Errors as JSON: the one place where a PortalError becomes an HTTP answer of the API."""

import structlog
from flask import Blueprint, Flask, Response, g, request
from sqlalchemy.exc import InterfaceError, OperationalError
from werkzeug.exceptions import HTTPException

from portal.api.reading import MAX_BODY_BYTES, BodyTooLarge
from portal.api.shapes import ErrorAnswer, ErrorDetail
from portal.core.errors import NotFound, PortalError, Unavailable

PREFIX = "/api/v1"
_log = structlog.get_logger(__name__)


def show_errors_as_json(app: Flask, api: Blueprint) -> None:
    """Let everything under the API's prefix fail in the documented shape."""
    api.register_error_handler(PortalError, portal_error)
    api.register_error_handler(HTTPException, http_error)
    api.register_error_handler(OperationalError, _database_away)
    api.register_error_handler(InterfaceError, _database_away)
    api.register_error_handler(Exception, _unexpected)
    app.before_request(_wrong_address)


def portal_error(error: PortalError) -> Response:
    """The JSON answer to an error that a person may be shown."""
    detail = ErrorDetail.model_validate(error.as_dict())
    body = ErrorAnswer(error=detail).model_dump_json(exclude_none=True)
    response = Response(body, error.status, mimetype="application/json")
    if (seconds := getattr(error, "retry_after", None)) is not None:
        response.headers["Retry-After"] = str(seconds)
    return response


def http_error(error: HTTPException) -> Response:
    """Flask's own refusals, such as a body that is too large, in the same shape."""
    if error.code == BodyTooLarge.status:
        return portal_error(BodyTooLarge(request.max_content_length or MAX_BODY_BYTES))
    shown = _Refused(error.description or error.name)
    shown.status = error.code or 500  # type: ignore[misc]
    shown.code = error.name.lower().replace(" ", "_")  # type: ignore[misc]
    response = portal_error(shown)
    for name, value in error.get_headers():
        if name.lower() == "allow":
            response.headers[name] = value
    return response


class _Refused(PortalError):
    pass


def _wrong_address() -> Response | None:
    # Routing fails before any blueprint is known, so the blueprint's handlers never see it.
    problem = request.routing_exception
    if problem is None or not request.path.startswith("/api/"):
        return None
    if problem.code == 404:
        hint = f"See {PREFIX}/openapi.json."
        return portal_error(NotFound("There is nothing at this address.", hint=hint))
    if isinstance(problem, HTTPException) and (problem.code or 0) >= 400:
        return http_error(problem)
    return None


def _database_away(error: Exception) -> Response:
    _log.error("database_away", error=str(error), request_id=g.get("request_id"))
    return portal_error(
        Unavailable("The portal's database does not answer.", hint="Try again in a moment.")
    )


def _unexpected(error: Exception) -> Response:
    _log.exception("request_failed", request_id=g.get("request_id"), path=request.path)
    hint = f"Tell the operator this number: {g.get('request_id')}."
    shown = _Refused("Something went wrong in the portal.", hint=hint)
    return portal_error(shown)
