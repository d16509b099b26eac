"""Rows as COPY's text format has them, value by value as PostgreSQL's manual says."""

from collections.abc import Sequence
from typing import Any

from portal.core.db import Base
from portal.engine.columns import json_text

_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}


def plain_rows(model: type[Base], rows: Sequence[Any], names: list[str]) -> list[dict[str, str]]:
    """The named columns of each row."""
    json = {name for name in names if str(model.__table__.columns[name].type) == "JSONB"}
    return [
        {name: plain_value(getattr(row, name), json=name in json) for name in names} for row in rows
    ]


def plain_value(value: Any, *, json: bool = False) -> str:
    """A value; None is NULL, in columns of JSON too."""
    if value is None:
        return "\\N"
    if isinstance(value, bool):
        return "t" if value else "f"
    text = json_text(value) if json else str(value)
    return "".join(_ESCAPES.get(character, character) for character in text)
