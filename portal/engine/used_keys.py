"""Which keys of idempotency can't have been used: an order need not ask the database for them.

A filter of bits a day, in memory. It never forgets a key of today or yesterday, and now and then
it takes a new one for used: only then, and for real retries, the database is asked. The fuller it
gets the more often that happens; up to some ten million keys a day it is one in fifty.
Compiled by mypyc where a C compiler is there, with the same results.
"""

from collections.abc import Sequence
from typing import Final

_BITS: Final = 1 << 27
_MASK: Final = _BITS - 1
_APART: Final = 30
_EARLIEST: Final = -2


class UsedKeys:
    """The keys that were used today and yesterday. Days are those of `portal.engine.ids`."""

    def __init__(self) -> None:
        self._day = _EARLIEST
        self._today = bytearray()
        self._yesterday = bytearray()
        # Until those that others wrote are learnt, any key may have been used.
        self.complete = False

    def turn_to(self, day: int) -> None:
        """Go on to a day; what is older than the day before it is forgotten."""
        if day <= self._day:
            return
        self._yesterday = self._today if day == self._day + 1 else bytearray()
        self._today = bytearray(_BITS >> 3)
        self._day = day

    def add(self, key: str) -> None:
        """A key is used now."""
        self._note(self._today, key)

    def learn(self, day: int, keys: Sequence[str]) -> None:
        """Keys that were used on a day; those of days that are over are left aside."""
        if day == self._day - 1 and not self._yesterday:
            self._yesterday = bytearray(_BITS >> 3)
        bits = self._today if day >= self._day else self._yesterday
        if day >= self._day - 1:
            for key in keys:
                self._note(bits, key)

    def may_hold(self, key: str) -> bool:
        """False when the key was certainly not used, today or yesterday."""
        if not self.complete:
            return True
        mixed = hash(key)
        first, second = mixed & _MASK, (mixed >> _APART) & _MASK
        return _has(self._today, first, second) or _has(self._yesterday, first, second)

    def _note(self, bits: bytearray, key: str) -> None:
        mixed = hash(key)
        first, second = mixed & _MASK, (mixed >> _APART) & _MASK
        bits[first >> 3] |= 1 << (first & 7)
        bits[second >> 3] |= 1 << (second & 7)


def _has(bits: bytearray, first: int, second: int) -> bool:
    if not bits:
        return False
    return bool(bits[first >> 3] >> (first & 7) & 1 and bits[second >> 3] >> (second & 7) & 1)
