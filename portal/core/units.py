"""Arithmetic with integer units and ticks (`portal.core.money` tells what they are).

Compiled by mypyc where a C compiler is there, with the same results.
"""

from typing import Final

from mypy_extensions import i64

MAX_UNITS: Final = 2**63 - 1
# Compiled, numbers to here are machine words: what is below needs no look at the real limit.
_WORDS: Final = 2**61
# Products of what is below these, and powers of ten to this place, are machine words too.
_FEW: Final = 2**38
_LOW: Final = 2**24
_WORD_PLACES: Final = 18
_WHOLE: Final = 10_000
# A base coin and a price have 18 places each at most.
_POWERS: Final[tuple[int, ...]] = tuple(10**places for places in range(37))


def quote_units(
    quantity: int, price_ticks: int, *, base_places: int, price_places: int, quote_places: int
) -> int:
    """What `quantity` base units cost, in quote units.

    The rule: rounds up to the next quote unit (a cent), so a seller is never paid less than
    the price says, and a buyer never pays a whole unit more.
    """
    places = base_places + price_places - quote_places
    if places < 0:
        return quantity * price_ticks * _POWERS[-places]
    divisor = _POWERS[places]
    if 0 <= quantity < _FEW and 0 <= price_ticks < _LOW and places <= _WORD_PLACES:
        size: i64 = quantity
        price: i64 = price_ticks
        parts: i64 = divisor
        return -(-(size * price) // parts)
    return -(-(quantity * price_ticks) // divisor)


def too_many(units: int) -> bool:
    """Whether so many units, of either sign, can't be counted: they are beyond 64 bits."""
    if -_WORDS < units < _WORDS:
        return False
    return units > MAX_UNITS or units < -MAX_UNITS


def bps_up(units: int, bps: int) -> int:
    """`bps` ten-thousandths of `units`, rounded up: how a reserve for fees is sized."""
    if 0 <= units < _FEW and 0 <= bps <= _WHOLE:
        size: i64 = units
        rate: i64 = bps
        return -(-(size * rate) // _WHOLE)
    return -(-units * bps // _WHOLE)
