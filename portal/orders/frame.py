"""What an order's numbers mean: a market's terms, its assets, the index price. Pure values."""

from dataclasses import dataclass
from typing import Protocol

from portal.core.money import Asset, units_text
from portal.orders.rules import bounded_price, floating_price


class Terms(Protocol):
    """A market's terms as table `market` and the engine's `MarketTerms` both have them."""

    @property
    def id(self) -> str:
        """Its name, such as USDT-EUR."""
        ...

    @property
    def price_places(self) -> int:
        """A tick is 10**-price_places of the quote asset for one whole coin."""
        ...

    @property
    def lot(self) -> int:
        """Quantities are multiples of it, in base units."""
        ...

    @property
    def min_trade(self) -> int:
        """Smallest trade in base units."""
        ...

    @property
    def max_trade(self) -> int:
        """Largest trade in base units."""
        ...

    @property
    def escrow(self) -> str:
        """`evm` or `ledger`."""
        ...

    @property
    def settlement(self) -> str:
        """`trade` waits for money, `instant` moves both coins in the ledger at once."""
        ...

    @property
    def status(self) -> str:
        """`open`, `halted` or `auction`."""
        ...

    @property
    def protection_bps(self) -> int:
        """How far from the reference a market order may trade."""
        ...

    @property
    def band_bps(self) -> int:
        """How far from the index a limit price may be; 0: no band."""
        ...

    @property
    def max_fee_bps(self) -> int:
        """The highest fee there can be."""
        ...

    @property
    def methods(self) -> list[str]:
        """How people pay here."""
        ...


class Priced(Protocol):
    """What of an order its present price follows from; a row of table `order` is one."""

    @property
    def price_kind(self) -> str:
        """`fixed` or `floating`."""
        ...

    @property
    def price_ticks(self) -> int | None:
        """A fixed price."""
        ...

    @property
    def margin_bps(self) -> int | None:
        """What a floating price adds to the index."""
        ...

    @property
    def floor_ticks(self) -> int | None:
        """A floating price is not below it."""
        ...

    @property
    def ceiling_ticks(self) -> int | None:
        """A floating price is not above it."""
        ...


@dataclass(frozen=True)
class Frame:
    """A market with what is needed to read and show its numbers; prices in ticks."""

    market: Terms
    base: Asset
    quote: Asset
    index_ticks: int | None
    index_at_ms: int | None = None
    index_reason: str | None = None

    def amount(self, units: int) -> str:
        """Base units as decimal text."""
        return units_text(units, self.base.places)

    def price(self, ticks: int | None) -> str | None:
        """Ticks as decimal text."""
        return None if ticks is None else units_text(ticks, self.market.price_places)

    def money(self, units: int) -> str:
        """Quote units as decimal text."""
        return units_text(units, self.quote.places)

    def effective(self, order: Priced) -> int | None:
        """What an order asks or bids now, in ticks; None while it has no price."""
        if order.price_kind == "fixed":
            return order.price_ticks
        return self.floating(order.margin_bps, order.floor_ticks, order.ceiling_ticks)

    def floating(
        self, margin_bps: int | None, floor: int | None, ceiling: int | None
    ) -> int | None:
        """The index plus a margin, within its bounds, in ticks; None without an index."""
        if self.index_ticks is None or margin_bps is None:
            return None
        return bounded_price(floating_price(self.index_ticks, margin_bps), floor, ceiling)
