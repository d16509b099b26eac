"""An order as a person writes it, turned into the units of its market and checked against it.

Pure: from values to values, so that every door reads an order the same way. What depends on the
book or on balances the engine checks. (The values are msgspec's: machines send thousands of orders
a second, and a frozen dataclass of this size takes a few microseconds to make.)
"""

from typing import Any, Literal

from msgspec import Struct, field

from portal.core.errors import InvalidInput
from portal.orders.condition_words import WantedConditions, engine_conditions
from portal.orders.frame import Frame, Terms
from portal.orders.hours import Span, WantedHours, utc_spans
from portal.orders.reading import check_margin, read_amount, read_expiry, read_price
from portal.orders.rules import BUY, protected_limit, reserve

Side = Literal["buy", "sell"]
LEDGER_METHOD = "ledger"


class Wanted(Struct, frozen=True):
    """What a person asks for. Amounts and prices are decimal text; None leaves it to the market.

    `expires_at` is an ISO 8601 time with its zone. `take_order` names the one offer to trade
    with, `link` is the secret that opens it if it is private. A `private` order is traded only
    by those who know its own link.
    """

    market: str
    side: Side
    order_type: str
    quantity: str
    methods: tuple[str, ...]
    price_kind: str = "fixed"
    price: str | None = None
    margin_bps: int | None = None
    floor: str | None = None
    ceiling: str | None = None
    min_trade: str | None = None
    max_trade: str | None = None
    take_order: int | None = None
    link: str | None = None
    tif: str = "GTC"
    expires_at: str | None = None
    post_only: bool = False
    shared: bool = False
    stp: str = "cancel_newest"
    hours: WantedHours | None = None
    conditions: WantedConditions | None = None
    private: bool = False
    payment_accounts: dict[str, int] = field(default_factory=dict)

    @property
    def rests(self) -> bool:
        """Whether what is not traded at once stays in the book."""
        return self.order_type == "limit" and self.take_order is None and self.tif in _RESTING


_RESTING = ("GTC", "GTD")


class Draft(Struct, frozen=True):
    """The same in ledger units, ticks, milliseconds and UTC minutes of the week."""

    frame: Frame
    wanted: Wanted
    quantity: int
    price: int | None = None
    floor: int | None = None
    ceiling: int | None = None
    min_trade: int | None = None
    max_trade: int | None = None
    expires_ms: int | None = None
    hours: tuple[Span, ...] = ()
    conditions: dict[str, Any] = field(default_factory=dict)

    @property
    def largest_trade(self) -> int:
        """The most that one trade of this order can take, as the engine computes it."""
        return min(self.quantity, self.max_trade or self.frame.market.max_trade)

    @property
    def reserve(self) -> int:
        """What of the coin the owner must have available: nothing for a buyer."""
        return reserve(self.wanted.side, self.quantity, self.frame.market.max_fee_bps)


def read_draft(frame: Frame, wanted: Wanted, at_ms: int) -> Draft:
    """Read and check an order. Raises InvalidInput naming the field and the limit it breaks."""
    _check_words(frame, wanted)
    conditions = _conditions(frame, wanted.conditions) if wanted.conditions else {}
    draft = Draft(
        frame=frame,
        wanted=wanted,
        quantity=read_amount(frame, wanted.quantity, "quantity") or 0,
        price=read_price(frame, wanted.price, "price"),
        floor=read_price(frame, wanted.floor, "floor"),
        ceiling=read_price(frame, wanted.ceiling, "ceiling"),
        min_trade=read_amount(frame, wanted.min_trade, "min_trade"),
        max_trade=read_amount(frame, wanted.max_trade, "max_trade"),
        expires_ms=read_expiry(wanted.expires_at, at_ms),
        hours=tuple(utc_spans(wanted.hours, at_ms)) if wanted.hours else (),
        conditions=conditions,
    )
    _check_sizes(draft)
    _check_price(draft)
    return draft


def _conditions(frame: Frame, wanted: WantedConditions) -> dict[str, Any]:
    first = read_amount(frame, wanted.first_trade_max, "conditions.first_trade_max")
    return engine_conditions(wanted, first)


def quote_part(
    draft: Draft, *, link: str | None = None, authority: str | None = None
) -> dict[str, Any]:
    """The order as the engine's `Quote`: all but whose it is and where.

    `link` is the secret of a private order. What is unsaid is left out.
    """
    wanted = draft.wanted
    conditions = {**draft.conditions, "link": link} if link else draft.conditions
    part: dict[str, Any] = {
        "side": wanted.side,
        "order_type": wanted.order_type,
        "price_kind": wanted.price_kind,
        "price": draft.price,
        "margin_bps": wanted.margin_bps,
        "floor": draft.floor,
        "ceiling": draft.ceiling,
        "quantity": draft.quantity,
        "min_trade": draft.min_trade,
        "max_trade": draft.max_trade,
        "methods": list(wanted.methods),
        "accounts": dict(wanted.payment_accounts) or None,
        "tif": wanted.tif,
        "expires_ms": draft.expires_ms,
        "post_only": wanted.post_only or None,
        "shared": wanted.shared or None,
        "stp": wanted.stp,
        "hours": [list(span) for span in draft.hours] or None,
        "conditions": conditions or None,
        "max_fee_bps": draft.frame.market.max_fee_bps,
        "authority": authority,
        "take_order": wanted.take_order,
        "link": wanted.link,
    }
    return {name: value for name, value in part.items() if value is not None}


def place_command(
    draft: Draft,
    owner: int,
    facts: dict[str, Any],
    key: str,
    *,
    link: str | None = None,
    authority: str | None = None,
    **more: Any,
) -> dict[str, Any]:
    """The engine's `place_order`. `more`: `via`, `via_max_open`, `maker_fee_bps`, …"""
    head = {"kind": "place_order", "key": key, "owner": owner, "market": draft.wanted.market}
    part = quote_part(draft, link=link, authority=authority)
    command = {**head, **part, "facts": facts}
    for name, value in more.items():
        if value is not None:
            command[name] = value
    return command


def reference_price(draft: Draft, best_opposite: int | None) -> int | None:
    """The price to reckon with before the order is placed, in ticks; None if there is none."""
    wanted, index = draft.wanted, draft.frame.index_ticks
    if wanted.take_order is not None or wanted.order_type == "market":
        return best_opposite or index
    if wanted.price_kind == "floating":
        return draft.frame.floating(wanted.margin_bps, draft.floor, draft.ceiling)
    return draft.price


def worst_price(draft: Draft, best_opposite: int | None) -> int | None:
    """The worst price the order can get, in ticks: what limits are checked with."""
    expected = reference_price(draft, best_opposite)
    if expected is None or draft.wanted.order_type != "market":
        return expected
    limit = protected_limit(draft.wanted.side, expected, draft.frame.market.protection_bps)
    return max(limit, expected) if draft.wanted.side == BUY else expected


def _check_words(frame: Frame, wanted: Wanted) -> None:
    """What can be said together, whatever the numbers are."""
    market = frame.market
    for method in wanted.methods:
        if method not in market.methods:
            raise InvalidInput(
                f"{market.id} does not take this payment method.",
                field="methods",
                value=method,
                hint=f"It takes {', '.join(market.methods)}.",
            )
    if (wanted.tif == "GTD") != (wanted.expires_at is not None):
        raise InvalidInput(
            "expires_at and the time in force GTD go together.",
            field="expires_at" if wanted.tif == "GTD" else "tif",
            value=wanted.expires_at or wanted.tif,
        )
    for name in ("post_only", "hours", "private", "expires_at"):
        if getattr(wanted, name) and not wanted.rests:
            raise InvalidInput(
                f"{name} is for orders that stay in the book: limit orders that are GTC or GTD "
                "and take no offer.",
                field=name,
            )
    if wanted.link is not None and wanted.take_order is None:
        raise InvalidInput("link opens the offer that take_order names.", field="link")


def size_fits(market: Terms, quantity: int) -> bool:
    """Whether `read_draft` takes this quantity of an order that bounds no trade of its own."""
    return market.min_trade <= quantity and market.min_trade <= market.max_trade


def _check_sizes(draft: Draft) -> None:
    market, frame, coin = draft.frame.market, draft.frame, draft.frame.base.code
    if draft.quantity < market.min_trade:
        raise InvalidInput(
            f"quantity is below the smallest trade of {market.id}.",
            field="quantity",
            value=draft.wanted.quantity,
            hint=f"It is {frame.amount(market.min_trade)} {coin}.",
        )
    smallest = draft.min_trade or min(market.min_trade, draft.quantity)
    if not market.min_trade <= smallest <= draft.quantity:
        raise InvalidInput(
            "min_trade must lie between the market's smallest trade and the quantity.",
            field="min_trade",
            value=draft.wanted.min_trade,
            hint=f"{frame.amount(market.min_trade)} to {frame.amount(draft.quantity)} {coin}.",
        )
    largest = draft.max_trade or min(market.max_trade, draft.quantity)
    if not smallest <= largest <= market.max_trade:
        raise InvalidInput(
            "max_trade must lie between min_trade and the market's largest trade.",
            field="max_trade",
            value=draft.wanted.max_trade,
            hint=f"{frame.amount(smallest)} to {frame.amount(market.max_trade)} {coin}.",
        )


def _check_price(draft: Draft) -> None:
    wanted = draft.wanted
    floats = wanted.price_kind == "floating"
    if wanted.order_type == "market":
        if draft.price is not None and wanted.take_order is None:
            raise InvalidInput("A market order has no price.", field="price", value=wanted.price)
        if floats:
            raise InvalidInput(
                "A market order has no margin.", field="price_kind", value=wanted.price_kind
            )
    elif floats:
        check_margin(wanted.margin_bps)
        if draft.price is not None:
            raise InvalidInput(
                "A floating order has a margin instead of a price.",
                field="price",
                value=wanted.price,
            )
    elif draft.price is None:
        raise InvalidInput("A limit order with a fixed price needs a price.", field="price")
    _check_bounds(draft, floats)


def _check_bounds(draft: Draft, floats: bool) -> None:
    wanted = draft.wanted
    for name in ("floor", "ceiling"):
        if not floats and getattr(wanted, name) is not None:
            raise InvalidInput(
                f"{name} bounds a floating price; this one is fixed.",
                field=name,
                value=getattr(wanted, name),
            )
    if draft.floor and draft.ceiling and draft.floor > draft.ceiling:
        raise InvalidInput("floor is above ceiling.", field="floor", value=wanted.floor)
