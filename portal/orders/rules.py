"""What an order is and the pure rules about it: its price, its size, what it reserves."""

from dataclasses import dataclass, field

from portal.core.money import bps_up

BUY, SELL = "buy", "sell"
OPEN, FILLED, CANCELLED = "open", "filled", "cancelled"
MAX_MARGIN_BPS = 5_000


@dataclass(slots=True)
class OrderState:
    """An order in the engine's memory; the columns of table `order` (see there for units)."""

    id: int
    owner_id: int
    market_id: str
    side: str
    order_type: str
    price_kind: str
    price_ticks: int | None
    margin_bps: int | None
    quantity: int
    remaining: int
    min_trade: int
    max_trade: int
    methods: list[str]
    accounts: dict[str, int]
    tif: str
    max_fee_bps: int
    held: int
    status: str
    reason: str | None
    authority: str | None
    take_order: int | None
    created_ms: int
    updated_ms: int


@dataclass(frozen=True, slots=True)
class MarketTerms:
    """The part of a market's configuration that matching needs. Windows are seconds."""

    id: str
    base: str
    quote: str
    base_places: int
    quote_places: int
    price_places: int
    lot: int
    min_trade: int
    max_trade: int
    escrow: str
    status: str
    payment_seconds: int
    release_seconds: int
    protection_bps: int
    max_fee_bps: int
    methods: list[str] = field(default_factory=list)


def opposite(side: str) -> str:
    """The side an order of `side` trades with."""
    return SELL if side == BUY else BUY


def live_index(index_ticks: int | None, until_ms: int | None, at_ms: int) -> int | None:
    """An index price at a moment: None once it is past the time it was good for."""
    return index_ticks if until_ms is None or at_ms <= until_ms else None


def floating_price(index_ticks: int, margin_bps: int) -> int:
    """The index plus a margin, half-up to the nearest tick and at least one tick."""
    return max(1, (index_ticks * (10_000 + margin_bps) * 2 + 10_000) // 20_000)


def effective_price(order: OrderState, index_ticks: int | None) -> int | None:
    """What the order asks or bids now, in ticks; None while a floating order has no index."""
    if order.price_kind == "fixed":
        return order.price_ticks
    if index_ticks is None or order.margin_bps is None:
        return None
    return floating_price(index_ticks, order.margin_bps)


def crosses(side: str, limit: int | None, maker_price: int) -> bool:
    """Whether a taker of `side` with this limit accepts the maker's price. No limit accepts all."""
    if limit is None:
        return True
    return maker_price <= limit if side == BUY else maker_price >= limit


def protected_limit(side: str, reference: int, protection_bps: int) -> int:
    """The worst price a market order may get: the reference moved by the protection band."""
    if side == BUY:
        return reference * (10_000 + protection_bps) // 10_000
    return max(1, -(-reference * (10_000 - protection_bps) // 10_000))


def reserve(side: str, quantity: int, max_fee_bps: int) -> int:
    """What a seller must hold for `quantity`: the coins and the highest fee agreed to."""
    return quantity + bps_up(quantity, max_fee_bps) if side == SELL else 0


def fill_size(taker: OrderState, maker: OrderState, lot: int) -> int:
    """How much two orders trade in one go; 0 when their limits don't meet."""
    size = min(taker.remaining, maker.remaining, taker.max_trade, maker.max_trade)
    size -= size % lot
    return size if size >= max(taker.min_trade, maker.min_trade) else 0
