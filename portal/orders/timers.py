"""When time alone changes an order: its last moment, and its working hours. Pure.

Compiled by mypyc where a C compiler is there, with the same results.
"""

from collections.abc import Iterable
from heapq import heapify, heappop, heappush
from typing import Final

from portal.orders.rules import OrderState

# Compiled, the largest number that is compared without an object being made of it.
NEVER: Final = (1 << 62) - 1
_MINUTE: Final = 60_000
_WEEK: Final = 7 * 24 * 60
# 1970 began on a Thursday; weeks here begin on Monday.
_THURSDAY: Final = 3 * 24 * 60
_DEAD_ENTRIES: Final = 1024


class Timers:
    """Orders by the next moment at which something of theirs is due."""

    __slots__ = ("_entries", "next_ms")

    def __init__(self) -> None:
        self._entries: list[tuple[int, int]] = []
        self.next_ms = NEVER

    def watch(self, order: OrderState, at_ms: int) -> None:
        """Wake up for this order; again after each time it was due."""
        due = next_due(order, at_ms)
        if due != NEVER:
            heappush(self._entries, (due, order.id))
            self.next_ms = self._entries[0][0]

    def due(self, at_ms: int) -> list[int]:
        """The orders to look at now, by id; some may have changed meanwhile, or be gone."""
        found: set[int] = set()
        while self._entries and self._entries[0][0] <= at_ms:
            found.add(heappop(self._entries)[1])
        self.next_ms = self._entries[0][0] if self._entries else NEVER
        return sorted(found)

    def tidy(self, orders: Iterable[int], count: int) -> None:
        """Forget orders that are gone, once they are most: `orders` are the `count` open ones."""
        if len(self._entries) <= 2 * count + _DEAD_ENTRIES:
            return
        alive = set(orders)
        self._entries = sorted({entry for entry in self._entries if entry[1] in alive})
        heapify(self._entries)
        self.next_ms = self._entries[0][0] if self._entries else NEVER


def next_due(order: OrderState, at_ms: int) -> int:
    """The next moment after `at_ms` at which time changes this order, in milliseconds."""
    due = NEVER
    if order.tif == "GTD" and order.expires_ms is not None:
        due = order.expires_ms
    if order.hours:
        due = min(due, next_change(order.hours, at_ms))
    return due


def has_expired(order: OrderState, at_ms: int) -> bool:
    """Whether a good-till order's time is over."""
    return order.tif == "GTD" and order.expires_ms is not None and at_ms >= order.expires_ms


def minute_of_week(at_ms: int) -> int:
    """Minutes since Monday 00:00 UTC."""
    return (at_ms // _MINUTE + _THURSDAY) % _WEEK


def is_open(hours: tuple[tuple[int, int], ...], at_ms: int) -> bool:
    """Whether a moment is within working hours; no hours mean always."""
    if not hours:
        return True
    minute = minute_of_week(at_ms)
    return any(start <= minute < end for start, end in hours)


def next_change(hours: tuple[tuple[int, int], ...], at_ms: int) -> int:
    """The next moment at which a span of working hours begins or ends."""
    minute = minute_of_week(at_ms)
    nearest = _WEEK
    for span in hours:
        for edge in span:
            nearest = min(nearest, (edge - minute - 1) % _WEEK + 1)
    return (at_ms // _MINUTE + nearest) * _MINUTE
