"""Rows as arrays: one statement writes any number of rows, an array a column.

PostgreSQL's array literals are built by hand: a driver that adapts value by value would cost more
than the matching does.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from operator import attrgetter
from typing import Any

import orjson
from sqlalchemy import BigInteger, Boolean, Text
from sqlalchemy.dialects.postgresql import JSONB

from portal.core.db import Base

# Compiled dataclasses have no __dict__ for orjson to read.
_JSON_OPTIONS = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_SORT_KEYS
_TYPES: tuple[tuple[type[Any], str], ...] = (
    (BigInteger, "int8"),
    (Boolean, "bool"),
    (Text, "text"),
    (JSONB, "jsonb"),
)


class Columns:
    """Some columns of a table, in order; a row is any object with attributes of these names."""

    def __init__(self, model: type[Base], names: Sequence[str]) -> None:
        columns = model.__table__.columns
        self.names = tuple(names)
        self.types = tuple(_type_of(columns[name].type) for name in self.names)
        self._values = attrgetter(*self.names)
        self._writers = tuple(ARRAY_OF[type_] for type_ in self.types)

    def arrays(self, rows: Sequence[Any]) -> list[str]:
        """One array literal a column."""
        columns = zip(*map(self._values, rows), strict=True)
        return [write(column) for write, column in zip(self._writers, columns, strict=True)]

    def insert(self, table: str) -> str:
        """INSERT of all columns and `shard`; parameters: the shard, then the arrays."""
        names = ", ".join(("shard", *self.names))
        return f'INSERT INTO "{table}" ({names}) SELECT %s, * FROM {self._unnest()}'  # noqa: S608

    def update(self, table: str, key: str = "id") -> str:
        """UPDATE of all columns but the key, which finds the row; parameters: the arrays."""
        changes = ", ".join(f"{name} = new.{name}" for name in self.names if name != key)
        names = ", ".join(self.names)
        return (
            f'UPDATE "{table}" AS old SET {changes}'  # noqa: S608
            f" FROM {self._unnest()} AS new({names}) WHERE old.{key} = new.{key}"
        )

    def _unnest(self) -> str:
        return "unnest(" + ", ".join(f"%s::{type_}[]" for type_ in self.types) + ")"


def field_names(kind: type[Any]) -> tuple[str, ...]:
    """The fields of a struct, named tuple or dataclass."""
    for attribute in ("__struct_fields__", "_fields", "__dataclass_fields__"):
        if names := getattr(kind, attribute, None):
            return tuple(names)
    raise TypeError(f"{kind.__name__} has no fields")


def _type_of(kind: Any) -> str:
    return next(name for type_, name in _TYPES if isinstance(kind, type_))


def plain_array(values: Sequence[Any]) -> str:
    """Of numbers and truth values: their text never holds anything that needs quotes."""
    if (same := _all_same(values)) is not None:
        return same
    return "{" + ",".join(map(str, values)).replace("None", "NULL") + "}"


def text_array(values: Sequence[str | None]) -> str:
    """Of any text."""
    if (same := _all_same(values)) is not None:
        return same
    try:
        joined = '","'.join(values)  # type: ignore[arg-type]
    except TypeError:  # A None among them.
        return "{" + ",".join(["NULL" if v is None else _quoted(v) for v in values]) + "}"
    if "\\" in joined or joined.count('"') != 2 * (len(values) - 1):
        return "{" + ",".join([_quoted(v) for v in values if v is not None]) + "}"
    return '{"' + joined + '"}' if values else "{}"


def json_array(values: Sequence[Any]) -> str:
    """Of anything JSON can say; None is NULL."""
    written: dict[int, str] = {id(None): "NULL"}  # Orders share their methods and accounts.
    parts = []
    for value in values:
        text = written.get(id(value))
        if text is None:
            text = written[id(value)] = _quoted(json_text(value))
        parts.append(text)
    return "{" + ",".join(parts) + "}"


def _all_same(values: Sequence[Any]) -> str | None:
    """The array when it holds one and the same thing only, as many columns do."""
    if not values or values.count(values[0]) != len(values):
        return None
    first = values[0]
    text = _quoted(first) if isinstance(first, str) else str(first).replace("None", "NULL")
    return "{" + (text + ",") * (len(values) - 1) + text + "}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def json_text(value: Any) -> str:
    """A value as JSON; dataclasses as objects, keys in order."""
    return orjson.dumps(value, default=asdict, option=_JSON_OPTIONS).decode()


ARRAY_OF: dict[str, Callable[[Sequence[Any]], str]] = {
    "int8": plain_array,
    "bool": plain_array,
    "text": text_array,
    "jsonb": json_array,
}
