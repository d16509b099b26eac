"""Fee models: pure functions from trade facts and settings to fees."""

from abc import abstractmethod
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from functools import lru_cache
from typing import Any, Literal

from portal.core.money import Money
from portal.plugin_api.facts import PartyFacts, TradeFacts
from portal.plugin_api.provider import Provider

SideRole = Literal["maker", "taker"]


@dataclass(frozen=True, slots=True)
class Fees:
    """What each side pays, in the base coin of the trade.

    Attributes:
        maker: zero or more; taken from the side whose order was there first.
        taker: zero or more; taken from the other side.
        explanation: one line that lets a person recompute both numbers.
    """

    maker: Money
    taker: Money
    explanation: str


class FeeModel(Provider):
    """Sets the platform's fee of each trade.

    The portal refuses an answer that is negative, in another asset, or larger than the trade.
    """

    @abstractmethod
    def quote(self, facts: TradeFacts, settings: Any) -> Fees:
        """The fees of this trade. Must give the same answer for the same arguments."""

    def model_for(self, facts: TradeFacts, role: SideRole, settings: Any) -> str | None:
        """The slug of another model that says what this side pays; None: this one. Since 1.1.

        The other model counts with its own settings, and must not leave the side to a third.
        """
        return None


@dataclass(frozen=True, slots=True)
class SideFee:
    """What one side pays, and the arithmetic in words: "0.20 % of 100.000000 USDT = 0.200000".

    Since 1.1.
    """

    fee: Money
    words: str


class SideFeeModel(FeeModel):
    """A model that charges each side for itself; its `quote` follows. Since 1.1."""

    @abstractmethod
    def side_fee(self, facts: TradeFacts, role: SideRole, settings: Any) -> SideFee:
        """What this side pays. Must give the same answer for the same arguments."""

    def quote(self, facts: TradeFacts, settings: Any) -> Fees:
        """Both sides' fees and words, as one line."""
        maker = self.side_fee(facts, "maker", settings)
        taker = self.side_fee(facts, "taker", settings)
        return Fees(maker.fee, taker.fee, f"Maker {maker.words}; taker {taker.words}.")


def party_of(facts: TradeFacts, role: SideRole) -> PartyFacts:
    """The person in this role."""
    return facts.maker if role == "maker" else facts.taker


def rate_fee(
    quantity: Money, bps: int, *, discount: int = 0, floor: str = "0", cap: str = "0"
) -> SideFee:
    """A share of the coins, with its arithmetic in words. Since 1.1.

    fee = min(max(ceil(quantity * bps * (100 - discount) / 1,000,000), floor), cap, quantity), in
    ledger units. It rounds up, so that a fee is never less than the rate says and never a whole
    unit more; a rate of zero costs nothing, not the floor.

    Args:
        quantity: the coins of the trade.
        bps: the rate in basis points.
        discount: percent off the rate, 0 to 100.
        floor: decimal text in the coin, rounded up to a ledger unit; "0" is none.
        cap: decimal text in the coin, rounded up to a ledger unit; "0" is none.
    """
    rate = bps * (100 - discount)
    words = f"{percent(bps)} % of {quantity.text()} {quantity.asset.code}"
    if discount:
        words += f", {discount} % off"
    if rate == 0:
        return SideFee(Money(quantity.asset, 0), f"{words} = {Money(quantity.asset, 0).text()}")
    exact = -(-quantity.units * rate // 1_000_000)
    fee, bound = _bounded(exact, quantity, floor, cap)
    return SideFee(fee, f"{words} = {fee.text()} ({bound})")


def _bounded(exact: int, quantity: Money, floor: str, cap: str) -> tuple[Money, str]:
    units, bound = exact, "rounded up"
    if floor != "0" and (least := _units(floor, quantity.asset.places)) > units:
        units, bound = least, f"at least {floor}"
    if cap != "0" and 0 < (most := _units(cap, quantity.asset.places)) < units:
        units, bound = most, f"at most {cap}"
    if units > quantity.units:
        units, bound = quantity.units, "never more than the trade"
    return Money(quantity.asset, units), bound


@lru_cache(maxsize=4096)
def _units(text: str, places: int) -> int:
    return int((Decimal(text) * 10**places).to_integral_value(rounding=ROUND_CEILING))


@lru_cache(maxsize=4096)
def percent(bps: int) -> str:
    """Basis points as percent: 25 is 0.25."""
    return f"{bps // 100}.{bps % 100:02d}"
