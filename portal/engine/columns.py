"""Rows as arrays: one statement writes any number of rows, an array a column.

PostgreSQL's array literals are built by hand: a driver that adapts value by value would cost more
than the matching does.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
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

    def arrays(self, rows: Sequence[Any]) -> list[str]:
        """One array literal a column."""
        return [
            ARRAY_OF[type_]([getattr(row, name) for row in rows])
            for name, type_ in zip(self.names, self.types, strict=True)
        ]

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


def plain_array(values: Iterable[Any]) -> str:
    """Of numbers and truth values: their text never holds anything that needs quotes."""
    return "{" + ",".join(map(str, values)).replace("None", "NULL") + "}"


def text_array(values: Sequence[str | None]) -> str:
    """Of any text."""
    try:
        joined = '","'.join(values)  # type: ignore[arg-type]
    except TypeError:  # A None among them.
        return "{" + ",".join("NULL" if v is None else _quoted(v) for v in values) + "}"
    if "\\" in joined or joined.count('"') != 2 * (len(values) - 1):
        return "{" + ",".join(_quoted(v) for v in values if v is not None) + "}"
    return '{"' + joined + '"}' if values else "{}"


def json_array(values: Sequence[Any]) -> str:
    """Of anything JSON can say; None is NULL."""
    return "{" + ",".join("NULL" if v is None else _quoted_json(v) for v in values) + "}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _quoted_json(value: Any) -> str:
    return _quoted(json_text(value))


def json_text(value: Any) -> str:
    """A value as JSON; dataclasses as objects, keys in order."""
    return orjson.dumps(value, default=asdict, option=_JSON_OPTIONS).decode()


ARRAY_OF: dict[str, Callable[[list[Any]], str]] = {
    "int8": plain_array,
    "bool": plain_array,
    "text": text_array,
    "jsonb": json_array,
}
