"""Who is calling: a bearer token, the session cookie with a CSRF token, or a signed API key."""

import hmac

from flask import Request, g, request

from portal.api.context import Caller, services
from portal.api.spec import COOKIE, CSRF_HEADER
from portal.core.errors import Forbidden, Unauthorized
from portal.users.api_keys import find_key
from portal.users.sessions import find_session
from portal.users.signing import (
    KEY_HEADER,
    check_address,
    check_signature,
    check_time,
    read_headers,
    signed_text,
    unknown_key,
)

_SAFE = {"GET", "HEAD", "OPTIONS"}


def identify(*, required: bool, scope: str | None = None) -> None:
    """Put the caller on `flask.g`. `scope` is what an API key needs; None: no key will do.

    Raises Unauthorized when a session is required or a token was given that is not live, and
    Forbidden for a write by cookie without the CSRF token of its session, or a key's missing
    scope.
    """
    g.caller = None
    if required and request.headers.get(KEY_HEADER) is not None:
        g.caller = _signing_caller(request, scope)
        return
    g.caller = _caller(request)
    if g.caller is None and required:
        raise Unauthorized("You are not logged in.", hint="Log in at /api/v1/auth/login.")
    if g.caller is not None and g.caller.by_cookie and request.method not in _SAFE:
        _check_csrf(g.caller)


def _signing_caller(request: Request, scope: str | None) -> Caller:
    home = services()
    signed = read_headers(request.headers.get)
    check_time(signed, home.settings.signature_window_ms)
    with home.database.reader() as session:
        found = find_key(session, home.sealer, signed.key)
    if found is None:
        raise unknown_key(signed.key)
    key, user = found
    query = request.query_string.decode("latin-1")
    text = signed_text(signed, request.method, request.path, query, request.get_data())
    check_signature(key, signed, text)
    check_address(key, request.remote_addr or "")
    home.replays.check(signed)
    if scope is None:
        raise Forbidden("This is for people: log in.", field=KEY_HEADER, value=key.id)
    key.require(scope)
    return Caller(user=user, session=None, token="", by_cookie=False, key=key)


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
    if not hmac.compare_digest(given.encode(), caller.logged_in().csrf.encode()):
        raise Forbidden(
            "The CSRF token is missing or wrong.",
            field=CSRF_HEADER,
            hint="Send the csrf_token of /api/v1/auth/session in this header.",
        )
