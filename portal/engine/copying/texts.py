"""Values as COPY's text format has them. Compiled by mypyc where a C compiler is there."""

from collections.abc import Sequence
from typing import Any, Final

from portal.core.hashchain import canonical

NULL: Final = "\\N"
_ESCAPES: Final = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


class Texts:
    """Values as COPY takes them. A batch says the same few over and over: they are kept."""

    __slots__ = ("_known", "_lists", "_ms", "_ms_text", "_object", "_object_text")

    def __init__(self) -> None:
        self._known: dict[str, str] = {}
        self._lists: dict[tuple[str, ...], str] = {}
        self._object: dict[str, int] = {}
        self._object_text = "{}"
        self._ms, self._ms_text = 0, "0"

    def known(self, text: str) -> str:
        """A text out of few."""
        found = self._known.get(text)
        if found is None:
            found = self._known[text] = escaped(text)
        return found

    def time(self, ms: int) -> str:
        """A time, mostly the same as the one before."""
        if ms != self._ms:
            self._ms, self._ms_text = ms, str(ms)
        return self._ms_text

    def list(self, texts: tuple[str, ...]) -> str:
        """A list out of few, as JSON."""
        found = self._lists.get(texts)
        if found is None:
            found = self._lists[texts] = json(texts)
        return found

    def object(self, value: dict[str, int]) -> str:
        """An object, often the very one before, as JSON."""
        if value is not self._object:
            self._object, self._object_text = value, json(value)
        return self._object_text


def escaped(text: str) -> str:
    """A text as COPY takes it."""
    if "\\" in text or not text.isprintable():
        return text.translate(_ESCAPES)
    return text


def statement(table: str, columns: Sequence[str]) -> str:
    """COPY of these columns, in lines of text."""
    return f'COPY "{table}" ({", ".join(columns)}) FROM STDIN'


def whole(lines: list[str]) -> bytes:
    """Lines as they are sent; there must be some."""
    return ("\n".join(lines) + "\n").encode()


def number(value: int | None) -> str:
    """A whole number or NULL."""
    return NULL if value is None else str(value)


def amount(value: int) -> str:
    """A whole number that often is 0."""
    return str(value) if value else "0"


def truth(value: bool) -> str:
    """A truth value."""
    return "t" if value else "f"


def text(value: str | None) -> str:
    """Any text, or NULL."""
    return NULL if value is None else escaped(value)


def json(value: Any) -> str:
    """A value as JSON, which itself escapes all that is special here but for its own backslash."""
    written = canonical(value).decode()
    return written.replace("\\", "\\\\") if "\\" in written else written
