"""An order as a person writes it, turned into the units of its market and checked against it."""

from dataclasses import dataclass, field

from portal.core.errors import InvalidInput
from portal.core.money import parse_units
from portal.orders.queries import Frame, Side
from portal.orders.rules import BUY, MAX_MARGIN_BPS, floating_price, protected_limit, reserve


@dataclass(frozen=True)
class Wanted:
    """What a person asks for. Amounts and prices are decimal text; None leaves it to the market."""

    market: str
    side: Side
    order_type: str
    quantity: str
    methods: tuple[str, ...]
    price_kind: str = "fixed"
    price: str | None = None
    margin_bps: int | None = None
    min_trade: str | None = None
    max_trade: str | None = None
    take_order: int | None = None
    tif: str = "GTC"
    payment_accounts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Draft:
    """The same in ledger units and ticks."""

    frame: Frame
    wanted: Wanted
    quantity: int
    price: int | None
    min_trade: int | None
    max_trade: int | None

    @property
    def largest_trade(self) -> int:
        """The most that one trade of this order can take, as the engine computes it."""
        return min(self.quantity, self.max_trade or self.frame.market.max_trade)

    @property
    def reserve(self) -> int:
        """What the owner must have available: nothing for a buyer."""
        return reserve(self.wanted.side, self.quantity, self.frame.market.max_fee_bps)


def read_draft(frame: Frame, wanted: Wanted) -> Draft:
    """Read and check an order. Raises InvalidInput naming the field and the limit it breaks."""
    draft = Draft(
        frame=frame,
        wanted=wanted,
        quantity=_amount(frame, wanted.quantity, "quantity") or 0,
        price=_price(frame, wanted),
        min_trade=_amount(frame, wanted.min_trade, "min_trade"),
        max_trade=_amount(frame, wanted.max_trade, "max_trade"),
    )
    _check_sizes(draft)
    _check_price(draft)
    for method in wanted.methods:
        if method not in frame.market.methods:
            raise InvalidInput(
                f"{frame.market.id} does not take this payment method.",
                field="methods",
                value=method,
                hint=f"It takes {', '.join(frame.market.methods)}.",
            )
    return draft


def reference_price(draft: Draft, best_opposite: int | None) -> int | None:
    """The price to reckon with before the order is placed, in ticks; None if there is none."""
    wanted, index = draft.wanted, draft.frame.index_ticks
    if wanted.take_order is not None or wanted.order_type == "market":
        return best_opposite or index
    if wanted.price_kind == "floating":
        return floating_price(index, wanted.margin_bps or 0) if index else None
    return draft.price


def worst_price(draft: Draft, best_opposite: int | None) -> int | None:
    """The worst price the order can get, in ticks: what limits are checked with."""
    expected = reference_price(draft, best_opposite)
    if expected is None or draft.wanted.order_type != "market":
        return expected
    limit = protected_limit(draft.wanted.side, expected, draft.frame.market.protection_bps)
    return max(limit, expected) if draft.wanted.side == BUY else expected


def _amount(frame: Frame, text: str | None, name: str) -> int | None:
    if text is None:
        return None
    units = parse_units(text, frame.base.places, field=name, what=frame.base.code)
    lot = frame.market.lot
    if units <= 0:
        raise InvalidInput(f"{name} must be more than zero.", field=name, value=text)
    if units % lot:
        raise InvalidInput(
            f"{name} must be a multiple of {frame.amount(lot)} {frame.base.code}.",
            field=name,
            value=text,
        )
    return units


def _price(frame: Frame, wanted: Wanted) -> int | None:
    if wanted.price is None:
        return None
    ticks = parse_units(wanted.price, frame.market.price_places, field="price")
    if ticks <= 0:
        raise InvalidInput("price must be more than zero.", field="price", value=wanted.price)
    return ticks


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
    if wanted.order_type == "market":
        if draft.price is not None and wanted.take_order is None:
            raise InvalidInput("A market order has no price.", field="price", value=wanted.price)
        if wanted.price_kind == "floating":
            raise InvalidInput(
                "A market order has no margin.", field="price_kind", value=wanted.price_kind
            )
        return
    if wanted.price_kind == "fixed" and draft.price is None:
        raise InvalidInput("A limit order with a fixed price needs a price.", field="price")
    if wanted.price_kind == "floating":
        margin = wanted.margin_bps
        if margin is None or abs(margin) > MAX_MARGIN_BPS:
            raise InvalidInput(
                f"margin_bps must be between -{MAX_MARGIN_BPS} and {MAX_MARGIN_BPS}.",
                field="margin_bps",
                value=margin,
            )
