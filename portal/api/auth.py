"""Who is calling: a bearer token (programs), or the session cookie with a CSRF token (browsers)."""

import hmac

from flask import Request, g, request

from portal.api.context import Caller, services
from portal.api.spec import COOKIE, CSRF_HEADER
from portal.core.errors import Forbidden, Unauthorized
from portal.users.sessions import find_session

_SAFE = {"GET", "HEAD", "OPTIONS"}


def identify(*, required: bool) -> None:
    """Put the caller on `flask.g`.

    Raises Unauthorized when a session is required or a token was given that is not live, and
    Forbidden for a write by cookie without the CSRF token of its session.
    """
    g.caller = _caller(request)
    if g.caller is None and required:
        raise Unauthorized("You are not logged in.", hint="Log in at /api/v1/auth/login.")
    if g.caller is not None and g.caller.by_cookie and request.method not in _SAFE:
        _check_csrf(g.caller)


def _caller(request: Request) -> Caller | None:
    bearer = _bearer_token(request)
    token = bearer or request.cookies.get(COOKIE)
    if not token:
        return None
    with services().database.reader() as session:
        found = find_session(session, token)
    if found is not None:
        return Caller(user=found[1], session=found[0], token=token, by_cookie=bearer is None)
    if bearer:
        raise Unauthorized("This session has ended.", hint="Log in again.")
    return None


def _bearer_token(request: Request) -> str | None:
    header = request.headers.get("Authorization")
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthorized(
            "The Authorization header is not understood.", hint="Send it as: Bearer <token>."
        )
    return token.strip()


def _check_csrf(caller: Caller) -> None:
    given = request.headers.get(CSRF_HEADER, "")
    if not hmac.compare_digest(given.encode(), caller.session.csrf.encode()):
        raise Forbidden(
            "The CSRF token is missing or wrong.",
            field=CSRF_HEADER,
            hint="Send the csrf_token of /api/v1/auth/session in this header.",
        )
