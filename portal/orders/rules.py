"""What an order is and the pure rules about it: its price, its size, what it reserves.

Compiled by mypyc where a C compiler is there, with the same results.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Final

from mypy_extensions import mypyc_attr

from portal.core.units import bps_up
from portal.orders.conditions import Conditions, Facts

# Final each, so that compiled modules have them in place instead of looking them up.
BUY: Final = "buy"
SELL: Final = "sell"
OPEN: Final = "open"
FILLED: Final = "filled"
CANCELLED: Final = "cancelled"
CANCEL_NEWEST: Final = "cancel_newest"
CANCEL_OLDEST: Final = "cancel_oldest"
CANCEL_BOTH: Final = "cancel_both"
# Why an open order is out of the book, the strongest reason first.
BY_OWNER: Final = "owner"
AWAY: Final = "away"
OUT_OF_HOURS: Final = "hours"
NO_BALANCE: Final = "balance"
MAX_MARGIN_BPS: Final = 5_000
# Ranks count in ten-thousandths of a tick: there, an index with a margin is a whole number.
RANKS_A_TICK: Final = 10_000


# The stored fields and how: whole numbers, texts, truth values, or (dict) JSON.
ORDER_FIELDS: dict[str, type] = {
    "id": int,
    "owner_id": int,
    "market_id": str,
    "side": str,
    "order_type": str,
    "price_kind": str,
    "price_ticks": int,
    "margin_bps": int,
    "quantity": int,
    "remaining": int,
    "min_trade": int,
    "max_trade": int,
    "methods": dict,
    "accounts": dict,
    "tif": str,
    "max_fee_bps": int,
    "held": int,
    "status": str,
    "reason": str,
    "authority": str,
    "take_order": int,
    "created_ms": int,
    "updated_ms": int,
    "priority": int,
    "floor_ticks": int,
    "ceiling_ticks": int,
    "post_only": bool,
    "expires_ms": int,
    "stp": str,
    "shared": bool,
    "hours": dict,
    "conditions": dict,
    "link": str,
    "facts": dict,
    "via": str,
    "quote_set": str,
    "paused": str,
    "maker_fee_bps": int,
    "taker_fee_bps": int,
}


@mypyc_attr(acyclic=True)
class OrderState:
    """An order in the engine's memory; ORDER_FIELDS are the columns of table `order`.

    Amounts are base ledger units, prices ticks, times milliseconds since 1970, fees and margins
    ten-thousandths. At one price the lower `priority` goes first: the order's id, until it loses
    its place. A floating order has `margin_bps` over the index instead of `price_ticks`,
    bounded by `floor_ticks` and `ceiling_ticks`. `held` is what of the owner's coins backs it
    (base of a seller, quote of a buyer in a market that settles at once); a `shared` order
    holds nothing until it matches. `paused`: why an open order is out of the book (owner, away,
    hours, balance). `hours`: spans of minutes of the week in UTC. `link` opens a private order.
    `via` names the API key it came by. `accounts` may be shared with other orders: never change
    it in place.

    The book alone uses `shelf`, where it rests (-1: not in the book), `place`, where it was put
    among those at its price, and `bound`, whether its floor (-1) or its ceiling (1) sets the
    price now.
    """

    __slots__ = (*ORDER_FIELDS, "bound", "place", "shelf")
    _fields: ClassVar[tuple[str, ...]] = tuple(ORDER_FIELDS)

    def __init__(
        self,
        *,
        id: int,
        owner_id: int,
        market_id: str,
        side: str,
        order_type: str,
        price_kind: str,
        price_ticks: int | None,
        margin_bps: int | None,
        quantity: int,
        remaining: int,
        min_trade: int,
        max_trade: int,
        methods: tuple[str, ...],
        accounts: dict[str, int],
        tif: str,
        max_fee_bps: int,
        held: int,
        status: str,
        reason: str | None,
        authority: str | None,
        take_order: int | None,
        created_ms: int,
        updated_ms: int,
        priority: int,
        floor_ticks: int | None = None,
        ceiling_ticks: int | None = None,
        post_only: bool = False,
        expires_ms: int | None = None,
        stp: str = CANCEL_NEWEST,
        shared: bool = False,
        hours: tuple[tuple[int, int], ...] = (),
        conditions: Conditions | None = None,
        link: str | None = None,
        facts: Facts | None = None,
        via: str | None = None,
        quote_set: str | None = None,
        paused: str | None = None,
        maker_fee_bps: int = 0,
        taker_fee_bps: int = 0,
    ) -> None:
        self.id = id
        self.owner_id = owner_id
        self.market_id = market_id
        self.side = side
        self.order_type = order_type
        self.price_kind = price_kind
        self.price_ticks = price_ticks
        self.margin_bps = margin_bps
        self.quantity = quantity
        self.remaining = remaining
        self.min_trade = min_trade
        self.max_trade = max_trade
        self.methods = methods
        self.accounts = accounts
        self.tif = tif
        self.max_fee_bps = max_fee_bps
        self.held = held
        self.status = status
        self.reason = reason
        self.authority = authority
        self.take_order = take_order
        self.created_ms = created_ms
        self.updated_ms = updated_ms
        self.priority = priority
        self.floor_ticks = floor_ticks
        self.ceiling_ticks = ceiling_ticks
        self.post_only = post_only
        self.expires_ms = expires_ms
        self.stp = stp
        self.shared = shared
        self.hours = hours
        self.conditions = conditions
        self.link = link
        self.facts = facts
        self.via = via
        self.quote_set = quote_set
        self.paused = paused
        self.maker_fee_bps = maker_fee_bps
        self.taker_fee_bps = taker_fee_bps
        self.bound = 0
        self.place = 0
        self.shelf = -1

    def as_dict(self) -> dict[str, Any]:
        """Every stored field in plain values: what a row holds, and what a copy is made from."""
        values = {name: getattr(self, name) for name in ORDER_FIELDS}
        values["accounts"] = dict(self.accounts)
        values["conditions"] = asdict(self.conditions) if self.conditions else None
        values["facts"] = asdict(self.facts) if self.facts else None
        return values


def order_from(values: Mapping[str, Any]) -> OrderState:
    """The order of `as_dict`, or of a row of its table (other columns are left aside)."""
    known = {name: values[name] for name in ORDER_FIELDS}
    known["methods"] = tuple(values["methods"])
    known["hours"] = tuple((span[0], span[1]) for span in values["hours"] or ())
    if conditions := values["conditions"]:
        regions = tuple(conditions["regions"])
        known["conditions"] = Conditions(**{**conditions, "regions": regions})
    if values["facts"]:
        known["facts"] = Facts(**values["facts"])
    return OrderState(**known)


def order_of(values: Sequence[Any]) -> OrderState:
    """The order of its stored fields, in their order, each as the constructor takes it."""
    (
        id_, owner_id, market_id, side, order_type, price_kind, price_ticks, margin_bps, quantity,
        remaining, min_trade, max_trade, methods, accounts, tif, max_fee_bps, held, status,
        reason, authority, take_order, created_ms, updated_ms, priority, floor_ticks,
        ceiling_ticks, post_only, expires_ms, stp, shared, hours, conditions, link, facts, via,
        quote_set, paused, maker_fee_bps, taker_fee_bps,
    ) = values  # fmt: skip
    return OrderState(
        id=id_, owner_id=owner_id, market_id=market_id, side=side, order_type=order_type,
        price_kind=price_kind, price_ticks=price_ticks, margin_bps=margin_bps, quantity=quantity,
        remaining=remaining, min_trade=min_trade, max_trade=max_trade, methods=methods,
        accounts=accounts, tif=tif, max_fee_bps=max_fee_bps, held=held, status=status,
        reason=reason, authority=authority, take_order=take_order, created_ms=created_ms,
        updated_ms=updated_ms, priority=priority, floor_ticks=floor_ticks,
        ceiling_ticks=ceiling_ticks, post_only=post_only, expires_ms=expires_ms, stp=stp,
        shared=shared, hours=hours, conditions=conditions, link=link, facts=facts, via=via,
        quote_set=quote_set, paused=paused, maker_fee_bps=maker_fee_bps,
        taker_fee_bps=taker_fee_bps,
    )  # fmt: skip


@dataclass(frozen=True)
class MarketTerms:
    """The part of a market's configuration that matching needs. Windows are seconds.

    `settlement`: trade or instant. `band_bps` and `max_open_orders`: 0 means no limit.
    """

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
    settlement: str = "trade"
    band_bps: int = 0
    min_rest_ms: int = 0
    max_open_orders: int = 0


def opposite(side: str) -> str:
    """The side an order of `side` trades with."""
    return SELL if side == BUY else BUY


def live_index(index_ticks: int | None, until_ms: int | None, at_ms: int) -> int | None:
    """An index price at a moment: None once it is past the time it was good for."""
    return index_ticks if until_ms is None or at_ms <= until_ms else None


def floating_price(index_ticks: int, margin_bps: int) -> int:
    """The index plus a margin, half-up to the nearest tick and at least one tick."""
    return max(1, (index_ticks * (10_000 + margin_bps) * 2 + 10_000) // 20_000)


def bounded_price(price: int, floor: int | None, ceiling: int | None) -> int:
    """A price no lower than the floor and no higher than the ceiling, where there are any."""
    if floor is not None and price < floor:
        return floor
    return ceiling if ceiling is not None and price > ceiling else price


def effective_price(order: OrderState, index_ticks: int | None) -> int | None:
    """What the order asks or bids now, in ticks; None while a floating order has no index."""
    if order.price_kind == "fixed":
        return order.price_ticks
    if index_ticks is None or order.margin_bps is None:
        return None
    price = floating_price(index_ticks, order.margin_bps)
    return bounded_price(price, order.floor_ticks, order.ceiling_ticks)


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


def limit_price(order: OrderState, index_ticks: int | None, protection_bps: int) -> int | None:
    """The worst price an order accepts now, in ticks; None: none can be told, it can't trade.

    A market order's is the index moved by the protection band, a floating one's its own price.
    """
    if order.order_type == "market" and order.price_ticks is None:
        if index_ticks is None:
            return None
        return protected_limit(order.side, index_ticks, protection_bps)
    return effective_price(order, index_ticks)


def keeps_place(old: OrderState, new: OrderState) -> bool:
    """Whether a change is fair to those behind: not more to trade, and the price as it was."""
    return new.remaining <= old.remaining and (
        new.price_ticks == old.price_ticks
        and new.margin_bps == old.margin_bps
        and new.floor_ticks == old.floor_ticks
        and new.ceiling_ticks == old.ceiling_ticks
    )


def fill_size(taker: OrderState, maker: OrderState, left: int, lot: int, at_ms: int) -> int:
    """How much two orders trade in one go when `left` of the taker is left; 0: they don't fit.

    Whole lots, within the limits a trade and the conditions of both, whatever their prices,
    methods and owners.
    """
    size = min(left, maker.remaining, taker.max_trade, maker.max_trade)
    for order, other in ((maker, taker), (taker, maker)):
        wanted = order.conditions
        if wanted is not None:
            if not wanted.admit(other.facts, at_ms):
                return 0
            largest = wanted.largest(other.facts)
            if largest is not None and largest < size:
                size = largest
    size -= size % lot
    return size if size >= taker.min_trade and size >= maker.min_trade else 0
