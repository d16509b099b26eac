"""Rows that a command adds to the tables and that never change: transfers and events.

Compiled by mypyc where a C compiler is there, with the same results.
"""

from collections.abc import Iterator
from typing import Any, ClassVar

from mypy_extensions import mypyc_attr

_TRANSFER = (
    "id",
    "seq",
    "at_ms",
    "kind",
    "from_id",
    "to_id",
    "amount",
    "from_after",
    "to_after",
    "order_id",
    "trade_id",
    "reference",
)
_EVENT = ("at_ms", "actor", "kind", "subject", "data")


@mypyc_attr(acyclic=True)
class TransferRow:
    """A row of table `transfer`; its fields, in their order, are what it yields."""

    __slots__ = _TRANSFER
    _fields: ClassVar[tuple[str, ...]] = _TRANSFER

    def __init__(
        self,
        id: int,
        seq: int,
        at_ms: int,
        kind: str,
        from_id: int,
        to_id: int,
        amount: int,
        from_after: int,
        to_after: int,
        order_id: int | None,
        trade_id: int | None,
        reference: str | None,
    ) -> None:
        self.id = id
        self.seq = seq
        self.at_ms = at_ms
        self.kind = kind
        self.from_id = from_id
        self.to_id = to_id
        self.amount = amount
        self.from_after = from_after
        self.to_after = to_after
        self.order_id = order_id
        self.trade_id = trade_id
        self.reference = reference

    def __iter__(self) -> Iterator[Any]:
        return iter([getattr(self, name) for name in self._fields])


@mypyc_attr(acyclic=True)
class EventRow:
    """Something that happened, for the event log; its fields, in order, are what it yields."""

    __slots__ = _EVENT
    _fields: ClassVar[tuple[str, ...]] = _EVENT

    def __init__(
        self, at_ms: int, actor: str, kind: str, subject: str, data: dict[str, Any]
    ) -> None:
        self.at_ms = at_ms
        self.actor = actor
        self.kind = kind
        self.subject = subject
        self.data = data

    def __iter__(self) -> Iterator[Any]:
        return iter([self.at_ms, self.actor, self.kind, self.subject, self.data])

    def _asdict(self) -> dict[str, Any]:
        """The fields by name."""
        return {name: getattr(self, name) for name in self._fields}
