"""Money as integers of an asset's ledger unit; decimals only at the edges, floats never.

Ledger places: USDT 6, BTC 8, ETH 9 (gwei), fiat per ISO 4217. Amounts fit PostgreSQL BIGINT.
A market's price is an integer number of ticks; a tick is 10**-price_places of the quote asset
for one whole base coin. Arithmetic with them: `portal.core.units`.
"""

import re
from dataclasses import dataclass
from decimal import Decimal

from portal.core.errors import InvalidInput
from portal.core.units import MAX_UNITS

_PLAIN_DECIMAL = re.compile(r"(-?)(\d{1,30})(?:\.(\d{1,30}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Asset:
    """A coin or a currency: its code and how many decimal places a ledger unit has."""

    code: str
    places: int


@dataclass(frozen=True, slots=True)
class Money:
    """An amount: integer `units` of 10**-places of `asset`."""

    asset: Asset
    units: int

    @classmethod
    def parse(cls, text: object, asset: Asset, *, field: str = "amount") -> "Money":
        """Read a decimal string such as "12.50".

        Raises InvalidInput naming `field` for anything but a plain decimal that fits the asset.
        """
        return cls(asset, parse_units(text, asset.places, field=field, what=asset.code))

    def text(self) -> str:
        """The decimal string with all of the asset's places: 12.500000."""
        return units_text(self.units, self.asset.places)

    def __str__(self) -> str:
        return f"{self.text()} {self.asset.code}"

    def __add__(self, other: "Money") -> "Money":
        return Money(self.asset, self.units + self._same(other))

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.asset, self.units - self._same(other))

    def __lt__(self, other: "Money") -> bool:
        return self.units < self._same(other)

    def __le__(self, other: "Money") -> bool:
        return self.units <= self._same(other)

    def _same(self, other: "Money") -> int:
        if other.asset != self.asset:
            raise ValueError(f"{self.asset.code} and {other.asset.code} can't be mixed")
        return other.units


def parse_units(text: object, places: int, *, field: str, what: str = "") -> int:
    """Integer units of 10**-places from a plain decimal string.

    Raises InvalidInput for non-strings, exponents, NaN, too many places or beyond 64 bits.
    """
    match = _PLAIN_DECIMAL.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise InvalidInput(
            f"{field} must be a plain decimal number in a string.",
            field=field,
            value=text,
            hint='Write it like "12.5".',
        )
    sign, whole, fraction = match.groups("")
    if len(fraction) > places:
        fraction = fraction.rstrip("0")
    if len(fraction) > places:
        raise InvalidInput(
            f"{field} has more than {places} decimal places{f' of {what}' if what else ''}.",
            field=field,
            value=text,
        )
    units = int(whole + fraction) * int(10 ** (places - len(fraction)))
    if units > MAX_UNITS:
        raise InvalidInput(f"{field} is too large.", field=field, value=text)
    return -units if sign else units


def units_text(units: int, places: int) -> str:
    """The decimal string of integer units, with all places."""
    sign, digits = ("-" if units < 0 else ""), str(abs(units)).rjust(places + 1, "0")
    return f"{sign}{digits[:-places]}.{digits[-places:]}" if places else f"{sign}{digits}"


def ticks_from_decimal(price: Decimal, price_places: int) -> int:
    """A market price in ticks, half-even to the nearest tick. For feeds, never for orders."""
    return int((price * 10**price_places).to_integral_value(rounding="ROUND_HALF_EVEN"))
