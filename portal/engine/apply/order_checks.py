"""What a new order must satisfy before anything of it is stored."""

from portal.core.errors import Conflict, InvalidInput
from portal.core.money import MAX_UNITS, bps_up, quote_units
from portal.engine.commands import PlaceOrder, Quote
from portal.engine.state import MarketInShard, ShardState
from portal.orders.rules import BUY, MAX_MARGIN_BPS, MarketTerms

AnyQuote = PlaceOrder | Quote


def check_market(terms: MarketTerms) -> None:
    """Raises Conflict for a halted market."""
    if terms.status == "halted":
        raise Conflict(
            f"The market {terms.id} is halted.",
            field="market",
            value=terms.id,
            hint="Try again when it is open.",
        )


def check_quote(wanted: AnyQuote, market: MarketInShard, at_ms: int) -> None:
    """Raises Conflict or InvalidInput naming the field that is wrong for this market."""
    terms = market.terms
    if unknown := [method for method in wanted.methods if method not in terms.methods]:
        raise InvalidInput(
            f"{terms.id} does not take the payment method {unknown[0]}.",
            field="methods",
            value=unknown[0],
            hint=f"It takes {', '.join(terms.methods)}.",
        )
    _check_life(wanted, terms, at_ms)
    _check_price(wanted, terms)
    _check_band(wanted, terms, market.index(at_ms))
    _check_sizes(wanted, terms)
    _check_fees(wanted, terms)


def check_counts(state: ShardState, command: PlaceOrder, terms: MarketTerms) -> None:
    """Raises Conflict when its owner or its API key has as many open orders as they may."""
    if command.tif in ("IOC", "FOK") or command.order_type == "market" or command.take_order:
        return
    most = terms.max_open_orders
    if most and state.open_orders.in_market(command.owner, terms.id) >= most:
        raise Conflict(
            f"You have {most} open orders in {terms.id}, which is the most there can be.",
            field="market",
            hint="Cancel one first.",
        )
    most = command.via_max_open or 0
    if command.via and most and state.open_orders.by_key(command.via) >= most:
        raise Conflict(
            f"This API key has {most} open orders, which is the most it may have.",
            field="via",
            hint="Cancel one first.",
        )


def _check_life(wanted: AnyQuote, terms: MarketTerms, at_ms: int) -> None:
    at_once = wanted.tif in ("IOC", "FOK") or wanted.order_type == "market"
    if wanted.post_only and (at_once or wanted.take_order is not None):
        raise InvalidInput(
            "An order that only rests can't trade at once.", field="post_only", value=True
        )
    if (wanted.tif == "GTD") != (wanted.expires_ms is not None):
        raise InvalidInput(
            "expires_ms belongs to GTD, and GTD needs it.",
            field="expires_ms",
            value=wanted.expires_ms,
        )
    if wanted.expires_ms is not None and wanted.expires_ms <= at_ms:
        raise InvalidInput(
            "expires_ms is over already.", field="expires_ms", value=wanted.expires_ms
        )
    if any(start >= end for start, end in wanted.hours):
        raise InvalidInput("A span of hours ends after it starts.", field="hours")
    if terms.status == "auction" and (at_once or wanted.take_order is not None):
        raise Conflict(
            f"{terms.id} only collects orders until it opens.",
            field="tif",
            value=wanted.tif,
            hint="Place a limit order that may rest.",
        )


def _check_price(wanted: AnyQuote, terms: MarketTerms) -> None:
    floating = wanted.price_kind == "floating"
    for name in ("floor", "ceiling"):
        bound = getattr(wanted, name)
        if bound is not None and not floating:
            raise InvalidInput(f"Only a floating price has a {name}.", field=name, value=bound)
        if bound is not None:
            check_cost(wanted.quantity, bound, terms, input_field=name)
    if wanted.floor is not None and wanted.ceiling is not None and wanted.floor > wanted.ceiling:
        raise InvalidInput("floor is above ceiling.", field="floor", value=wanted.floor)
    if wanted.order_type == "market":
        if floating or (wanted.price is not None and wanted.take_order is None):
            raise InvalidInput("A market order has no price.", field="price", value=wanted.price)
        return
    if not floating:
        if wanted.price is None:
            raise InvalidInput("A fixed limit order needs a price.", field="price")
        check_cost(wanted.quantity, wanted.price, terms)
    elif wanted.margin_bps is None or abs(wanted.margin_bps) > MAX_MARGIN_BPS:
        raise InvalidInput(
            f"margin_bps must be between -{MAX_MARGIN_BPS} and {MAX_MARGIN_BPS}.",
            field="margin_bps",
            value=wanted.margin_bps,
        )
    elif terms.settlement == "instant" and wanted.side == BUY and wanted.ceiling is None:
        raise InvalidInput(
            "A floating bid here needs a ceiling: it holds what it may cost.", field="ceiling"
        )


def _check_band(wanted: AnyQuote, terms: MarketTerms, index: int | None) -> None:
    if wanted.order_type != "limit" or wanted.take_order is not None:
        return
    check_band(wanted.price, wanted.margin_bps, terms, index)


def check_band(
    price: int | None, margin_bps: int | None, terms: MarketTerms, index: int | None
) -> None:
    """Raises InvalidInput for a price farther from the index than the market's band."""
    if not terms.band_bps:
        return
    if margin_bps is not None and abs(margin_bps) > terms.band_bps:
        raise InvalidInput(
            f"margin_bps may be {terms.band_bps} at most here.",
            field="margin_bps",
            value=margin_bps,
        )
    if price is None or index is None or margin_bps is not None:
        return
    if abs(price - index) * 10_000 > index * terms.band_bps:
        raise InvalidInput(
            f"The price is more than {terms.band_bps / 100:g} % from the index of {index} ticks.",
            field="price",
            value=price,
            hint="Choose a price nearer to the market.",
        )


def _check_sizes(wanted: AnyQuote, terms: MarketTerms) -> None:
    smallest, largest = trade_limits(wanted, terms)
    check_sizes(wanted.quantity, smallest, largest, terms)
    if wanted.quantity + bps_up(wanted.quantity, wanted.max_fee_bps) > MAX_UNITS:
        raise InvalidInput("quantity is too large.", field="quantity", value=wanted.quantity)


def check_sizes(
    quantity: int, smallest: int, largest: int, terms: MarketTerms, name: str = "quantity"
) -> None:
    """Raises InvalidInput for sizes off the lot or outside the market's limits."""
    for field, value in ((name, quantity), ("min_trade", smallest), ("max_trade", largest)):
        if value % terms.lot:
            raise InvalidInput(f"{field} must be a multiple of the lot.", field=field, value=value)
    if quantity < terms.min_trade:
        raise InvalidInput(
            f"{name} is below the market's smallest trade.", field=name, value=quantity
        )
    if smallest < terms.min_trade or smallest > quantity:
        raise InvalidInput(
            f"min_trade must lie between the market's smallest trade and the {name}.",
            field="min_trade",
            value=smallest,
        )
    if largest < smallest or largest > terms.max_trade:
        raise InvalidInput(
            "max_trade must lie between min_trade and the market's largest trade.",
            field="max_trade",
            value=largest,
        )


def _check_fees(wanted: AnyQuote, terms: MarketTerms) -> None:
    for name in ("maker_fee_bps", "taker_fee_bps"):
        fee = getattr(wanted, name)
        if fee > wanted.max_fee_bps:
            raise InvalidInput(
                f"{name} is above max_fee_bps, the most you agree to.", field=name, value=fee
            )


def trade_limits(wanted: AnyQuote, terms: MarketTerms) -> tuple[int, int]:
    """Smallest and largest single trade of an order, in base units; the market's where unsaid."""
    smallest = wanted.min_trade or min(terms.min_trade, wanted.quantity)
    largest = wanted.max_trade or min(terms.max_trade, wanted.quantity)
    return smallest, largest


def cost(quantity: int, price: int, terms: MarketTerms) -> int:
    """What `quantity` costs at a price in ticks, in quote units."""
    return quote_units(
        quantity,
        price,
        base_places=terms.base_places,
        price_places=terms.price_places,
        quote_places=terms.quote_places,
    )


def check_cost(
    quantity: int, price: int, terms: MarketTerms, *, input_field: str = "price"
) -> None:
    """Raises InvalidInput when `quantity` costs more than 64 bits can count."""
    if cost(quantity, price, terms) > MAX_UNITS:
        raise InvalidInput(
            f"{input_field} times quantity is too large.", field=input_field, value=price
        )
