"""Rows as PostgreSQL takes them in bulk: as lines of COPY, or as arrays for an UPDATE.

Both are written column by column: a driver that adapts value by value would cost more than the
matching does. COPY costs the database half of what an INSERT from arrays does. The tables that
every order touches are written faster still, by `portal.engine.copying`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from itertools import repeat
from operator import attrgetter
from typing import Any, cast

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
_NULL = "\\N"
_SPECIAL = "\\\t\n\r"
ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


class Columns:
    """Some columns of a table, in order; a row is any object with attributes of these names."""

    def __init__(self, model: type[Base], names: Sequence[str]) -> None:
        columns = model.__table__.columns
        self.table = str(model.__tablename__)
        self.names = tuple(names)
        self.types = tuple(_type_of(columns[name].type) for name in self.names)
        self._values = attrgetter(*self.names)
        self._copiers = tuple(_COPIED[type_] for type_ in self.types)
        self._arrays = tuple(_ARRAYS[type_] for type_ in self.types)

    def copy(self, *fixed: str) -> str:
        """COPY of rows; `fixed` columns, before the others, are the same in all."""
        names = ", ".join((*fixed, *self.names))
        return f'COPY "{self.table}" ({names}) FROM STDIN'

    def lines(self, rows: Sequence[Any], *fixed: str) -> bytes:
        """The rows as COPY's text format has them, behind the values of the fixed columns."""
        columns = zip(*map(self._values, rows), strict=True)
        texts = [copy(column) for copy, column in zip(self._copiers, columns, strict=True)]
        same = [repeat(_escaped(value), len(rows)) for value in fixed]
        lines = map("\t".join, zip(*same, *texts, strict=True))
        return ("\n".join(lines) + "\n").encode()

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


def _copied_plain(values: Sequence[Any]) -> Iterable[str]:
    """Numbers and truth values: their text never holds anything that needs escaping."""
    if _all_same(values):
        return repeat(_NULL if values[0] is None else str(values[0]), len(values))
    if None in values:
        return [_NULL if value is None else str(value) for value in values]
    return map(str, values)


def _copied_text(values: Sequence[str | None]) -> Iterable[str]:
    if _all_same(values):
        first = values[0]
        return repeat(_NULL if first is None else _escaped(first), len(values))
    if None in values:
        return [_NULL if value is None else _escaped(value) for value in values]
    texts = cast(Sequence[str], values)
    together = "".join(texts)
    return map(_escaped, texts) if any(c in together for c in _SPECIAL) else texts


def _copied_json(values: Sequence[Any]) -> Iterable[str]:
    if _all_same(values) and not values[0]:
        return repeat(_NULL if values[0] is None else json_text(values[0]), len(values))
    written: dict[int, str] = {id(None): _NULL}  # Orders share their methods and accounts.
    texts = []
    for value in values:
        text = written.get(id(value))
        if text is None:
            # JSON itself escapes every other character that is special here.
            text = written[id(value)] = json_text(value).replace("\\", "\\\\")
        texts.append(text)
    return texts


def _escaped(text: str) -> str:
    return text.translate(ESCAPES)


def plain_array(values: Sequence[Any]) -> str:
    """An array of numbers or truth values."""
    return "{" + ",".join(map(str, values)).replace("None", "NULL") + "}"


def text_array(values: Sequence[str | None]) -> str:
    """An array of any text."""
    return "{" + ",".join(["NULL" if v is None else quoted(v) for v in values]) + "}"


def quoted(text: str) -> str:
    """A text as an element of an array."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _json_array(values: Sequence[Any]) -> str:
    return text_array([None if value is None else json_text(value) for value in values])


def _all_same(values: Sequence[Any]) -> bool:
    return values.count(values[0]) == len(values)


_COPIED: dict[str, Callable[[Sequence[Any]], Iterable[str]]] = {
    "int8": _copied_plain,
    "bool": _copied_plain,
    "text": _copied_text,
    "jsonb": _copied_json,
}
_ARRAYS: dict[str, Callable[[Sequence[Any]], str]] = {
    "int8": plain_array,
    "bool": plain_array,
    "text": text_array,
    "jsonb": _json_array,
}
