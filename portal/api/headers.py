"""Headers that every answer carries: a request id, and what browsers must not do with it."""

import re
import uuid
from urllib.parse import urlsplit

from flask import Flask, Response, g, request
from structlog.contextvars import bind_contextvars, clear_contextvars

from portal.api.failures import PREFIX
from portal.core.settings import Settings

_REQUEST_ID = re.compile(r"[A-Za-z0-9-]{8,64}")
_API_POLICY = "default-src 'none'; frame-ancestors 'none'"


def install_headers(app: Flask, settings: Settings) -> None:
    """Stamp every request and answer of the app."""
    secure = settings.base_url.startswith("https://")

    @app.before_request
    def stamp() -> None:
        given = request.headers.get("X-Request-Id", "")
        g.request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        clear_contextvars()
        bind_contextvars(request_id=g.request_id)

    @app.after_request
    def protect(response: Response) -> Response:
        headers = response.headers
        headers["X-Request-Id"] = g.get("request_id", "")
        headers.setdefault("X-Content-Type-Options", "nosniff")
        headers.setdefault("Referrer-Policy", "same-origin")
        headers.setdefault("X-Frame-Options", "DENY")
        if secure:
            headers.setdefault("Strict-Transport-Security", "max-age=31536000")
        if request.path.startswith(PREFIX + "/"):
            headers.setdefault("Cache-Control", "no-store")
            headers.setdefault("Content-Security-Policy", _API_POLICY)
        return response


def client_policy(settings: Settings) -> str:
    """The Content-Security-Policy of the H5 client: own scripts only, own and live server only."""
    stream = urlsplit(settings.stream_address)
    return "; ".join(
        (
            "default-src 'self'",
            "script-src 'self'",
            # Vant positions popups and pickers with style attributes.
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            f"connect-src 'self' {stream.scheme}://{stream.netloc}",
            "worker-src 'self'",
            "manifest-src 'self'",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )
