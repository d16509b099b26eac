"""One error type per kind of failure. Edges turn them into HTTP answers; nothing else does.

A message says what was wrong, names the value, and tells the way out. `field` names the input
that caused it, in the words of the API.
"""

from typing import Any, ClassVar


class PortalError(Exception):
    """Base of every error a person may be shown.

    Args:
        message: one plain sentence, safe to show.
        field: the input that was wrong, if one was.
        value: what was given; shortened before it is shown.
        hint: what to do next.
    """

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500

    def __init__(
        self,
        message: str,
        *,
        field: str | None = None,
        value: object = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.value = None if value is None else str(value)[:100]
        self.hint = hint

    def as_dict(self) -> dict[str, Any]:
        """The JSON shape of an error, everywhere."""
        body: dict[str, Any] = {"code": self.code, "message": self.message}
        for name in ("field", "value", "hint"):
            if getattr(self, name) is not None:
                body[name] = getattr(self, name)
        return body


class InvalidInput(PortalError):
    """The input can't be right, whatever the state."""

    code = "invalid_input"
    status = 422


class Unauthorized(PortalError):
    """Nobody is logged in, or a proof of identity failed."""

    code = "unauthorized"
    status = 401


class Forbidden(PortalError):
    """Known person, not allowed."""

    code = "forbidden"
    status = 403


class NotFound(PortalError):
    """No such thing, or not this person's."""

    code = "not_found"
    status = 404


class Conflict(PortalError):
    """Right input, but the present state does not allow it."""

    code = "conflict"
    status = 409


class TooManyRequests(PortalError):
    """Try again later."""

    code = "too_many_requests"
    status = 429


class Unavailable(PortalError):
    """A part of the portal is not answering; nothing was changed."""

    code = "unavailable"
    status = 503


BY_CODE: dict[str, type[PortalError]] = {
    kind.code: kind
    for kind in (
        InvalidInput,
        Unauthorized,
        Forbidden,
        NotFound,
        Conflict,
        TooManyRequests,
        Unavailable,
    )
}


def from_dict(body: dict[str, Any]) -> PortalError:
    """The error that `as_dict` was made from (as sent by another process)."""
    kind = BY_CODE.get(str(body.get("code")), PortalError)
    return kind(
        str(body.get("message", "Unknown error.")),
        field=body.get("field"),
        value=body.get("value"),
        hint=body.get("hint"),
    )
