"""Reading requests strictly: what JSON may be, and how a pydantic error becomes the portal's."""

from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ValidationError

from portal.core.errors import InvalidInput, PortalError

MAX_BODY_BYTES = 64 * 1024
MAX_DEPTH = 20
NUL = b"\\u0000"
Model = TypeVar("Model", bound=BaseModel)
_SECRET = {"password", "code", "totp", "token"}


class NoQuery(BaseModel):
    """A request without query parameters."""

    model_config = {"extra": "forbid"}


class BodyTooLarge(PortalError):
    """More bytes than one request may have."""

    code = "request_entity_too_large"
    status = 413

    def __init__(self, most: int) -> None:
        super().__init__(
            f"The body has more than {most} bytes.", field="body", hint="Send less at a time."
        )


def parse_json(raw: bytes, mimetype: str) -> Any:
    """A JSON body. Raises InvalidInput for another type, bad syntax, NUL or deep nesting.

    NUL characters are refused because PostgreSQL can't store them in text.
    """
    value = load_json(raw, mimetype)
    # Most bodies have too few brackets to be nested deeply, and JSON can write NUL in one way only.
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH or NUL in raw:
        check_content(value)
    return value


def load_json(raw: bytes, mimetype: str) -> Any:
    """The same without a look at what is in it: for who goes on with `check_content`."""
    if mimetype != "application/json":
        raise InvalidInput(
            "The body must be JSON.",
            field="Content-Type",
            value=mimetype,
            hint="Send Content-Type: application/json.",
        )
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise InvalidInput("The body is not valid JSON.", field="body", hint=str(error)) from error


def validate(model: type[Model], value: Any) -> Model:
    """`value` as `model`. Raises InvalidInput naming the first field that is wrong."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise _invalid(error, model) from error


def check_content(value: Any) -> None:
    """Raises InvalidInput for NUL in any text, or for nesting that is too deep."""
    # A stack instead of recursion: the depth is what is being checked.
    waiting: list[tuple[str, Any, int]] = [("", value, 0)]
    while waiting:
        path, item, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise InvalidInput(f"The body is nested more than {MAX_DEPTH} deep.", field="body")
        if isinstance(item, str):
            check_text(item, path or "body")
        elif isinstance(item, dict):
            for key, inner in item.items():
                check_text(key, path or "body")
                waiting.append((f"{path}.{key}".lstrip("."), inner, depth + 1))
        elif isinstance(item, list):
            waiting.extend((f"{path}.{at}", inner, depth + 1) for at, inner in enumerate(item))


def check_text(text: str, field: str) -> None:
    """Raise InvalidInput if `text` has a NUL character in it."""
    if "\x00" in text:
        raise InvalidInput(f"{field} contains a NUL character.", field=field.replace("\x00", ""))


def _invalid(error: ValidationError, model: type[BaseModel]) -> InvalidInput:
    first = error.errors(include_url=False, include_context=False)[0]
    field = ".".join(str(part) for part in first["loc"]) or "body"
    if first["type"] == "extra_forbidden":
        known = ", ".join(info.alias or name for name, info in model.model_fields.items())
        return InvalidInput(
            f"There is no field {field[:100]}.", field=field[:100], hint=f"Fields: {known or '-'}."
        )
    if first["type"] == "missing":
        return InvalidInput(f"{field} is missing.", field=field)
    hide = _SECRET & set(field.split(".")) or isinstance(first["input"], dict | list)
    value = None if hide else first["input"]
    return InvalidInput(f"{field}: {first['msg']}.", field=field, value=value)
