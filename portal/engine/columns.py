"""Changed rows as PostgreSQL takes them in bulk: as arrays for an UPDATE.

They are written column by column: a driver that adapts value by value would cost more than the
matching does. New rows go by COPY, which costs the database half of what an INSERT from arrays
does: see `portal.engine.copying`.
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
        self.table = str(model.__tablename__)
        self.names = tuple(names)
        self.types = tuple(_type_of(columns[name].type) for name in self.names)
        self._values = attrgetter(*self.names)
        self._arrays = tuple(_ARRAYS[type_] for type_ in self.types)

    def update(self, key: str = "id") -> str:
        """UPDATE of all columns but the key, which finds the row; parameters: `arrays`."""
        changes = ", ".join(f"{name} = new.{name}" for name in self.names if name != key)
        names = ", ".join(self.names)
        marks = ", ".join(f"%s::{type_}[]" for type_ in self.types)
        return (
            f'UPDATE "{self.table}" AS old SET {changes}'  # noqa: S608
            f" FROM unnest({marks}) AS new({names}) WHERE old.{key} = new.{key}"
        )

    def arrays(self, rows: Sequence[Any]) -> list[str]:
        """One array literal a column."""
        columns = zip(*map(self._values, rows), strict=True)
        return [array(column) for array, column in zip(self._arrays, columns, strict=True)]


def field_names(kind: type[Any]) -> tuple[str, ...]:
    """The fields of a struct, named tuple or dataclass."""
    for attribute in ("__struct_fields__", "_fields", "__dataclass_fields__"):
        if names := getattr(kind, attribute, None):
            return tuple(names)
    raise TypeError(f"{kind.__name__} has no fields")


def _type_of(kind: Any) -> str:
    return next(name for type_, name in _TYPES if isinstance(kind, type_))


def json_text(value: Any) -> str:
    """A value as JSON; dataclasses as objects, keys in order."""
    return orjson.dumps(value, default=asdict, option=_JSON_OPTIONS).decode()


def plain_array(values: Sequence[Any]) -> str:
    """An array of numbers or truth values."""
    return "{" + ",".join(map(str, values)).replace("None", "NULL") + "}"


def text_array(values: Sequence[str | None]) -> str:
    """An array of any text."""
    return "{" + ",".join(["NULL" if v is None else _quoted(v) for v in values]) + "}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _json_array(values: Sequence[Any]) -> str:
    return text_array([None if value is None else json_text(value) for value in values])


_ARRAYS: dict[str, Callable[[Sequence[Any]], str]] = {
    "int8": plain_array,
    "bool": plain_array,
    "text": text_array,
    "jsonb": _json_array,
}
