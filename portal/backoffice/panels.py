"""What a detail page is built of: facts, tables, timelines, notes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from markupsafe import Markup

Shown = Markup | str
Cell = Callable[[Any], Shown]
Tone = Literal["plain", "wait", "harm", "done"]


@dataclass(frozen=True)
class Column:
    """A column of a table. `sort` names the model's column it is sorted by.

    `people` gives the ids of the people that the cell will name, so that they are read in bulk.
    `once`: the same for a whole group of rows (see `Table`), so said only in its first.
    """

    label: str
    cell: Cell
    sort: str | None = None
    align: Literal["left", "right"] = "left"
    people: Callable[[Any], Sequence[int | None]] | None = None
    wide: bool = False
    once: bool = False


@dataclass(frozen=True)
class Facts:
    """Names and values."""

    title: str
    items: Sequence[tuple[str, Shown]]
    kind: Literal["facts"] = "facts"


@dataclass(frozen=True)
class Table:
    """Related rows, few enough to show whole. Neighbours of one `group` are drawn as one."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Any]
    empty: str
    group: Callable[[Any], object] | None = None
    kind: Literal["table"] = "table"


@dataclass(frozen=True)
class Step:
    """One event of a timeline."""

    at: Shown
    title: Shown
    by: Shown
    details: Sequence[tuple[str, Shown]] = field(default_factory=tuple)


@dataclass(frozen=True)
class Timeline:
    """What happened, in order."""

    title: str
    steps: Sequence[Step]
    empty: str
    kind: Literal["timeline"] = "timeline"


@dataclass(frozen=True)
class Note:
    """A paragraph somebody wrote, or one the page wants read first. `tone` colours its edge."""

    title: str
    text: Shown
    by: Shown = ""
    tone: Tone = "plain"
    kind: Literal["note"] = "note"


Panel = Facts | Table | Timeline | Note
