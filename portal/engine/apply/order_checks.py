"""What a new order must satisfy before anything of it is stored."""

from portal.core.errors import Conflict, InvalidInput
from portal.core.units import bps_up, quote_units, too_many
from portal.engine.commands import PlaceOrder
from portal.engine.state import MarketInShard, ShardState
from portal.orders.rules import BUY, MAX_MARGIN_BPS, MarketTerms, OrderState


def check_market(terms: MarketTerms) -> None:
    """Raises Conflict for a halted market."""
    if terms.status == "halted":
        raise Conflict(
            f"The market {terms.id} is halted.",
            field="market",
            value=terms.id,
            hint="Try again when it is open.",
        )


def check_order(order: OrderState, command: PlaceOrder, market: MarketInShard, at_ms: int) -> None:
    """Raises Conflict or InvalidInput naming the field that is wrong for this market.

    `order` is what `command` asks for. Fields of the command are slow to read: what the order
    does not say, which is rarely of any interest, is read of it only then.
    """
    terms = market.terms
    _check_life(order, command, terms, at_ms)
    _check_price(order, command, terms)
    if terms.band_bps and order.order_type == "limit" and order.take_order is None:
        check_band(command.price, command.margin_bps, terms, market.index(at_ms))
    check_sizes(order.quantity, order.min_trade, order.max_trade, terms)
    if too_many(order.quantity + bps_up(order.quantity, order.max_fee_bps)):
        raise InvalidInput("quantity is too large.", field="quantity", value=order.quantity)
    _check_fee(order, "maker_fee_bps", order.maker_fee_bps)
    _check_fee(order, "taker_fee_bps", order.taker_fee_bps)


def check_counts(
    state: ShardState, order: OrderState, command: PlaceOrder, terms: MarketTerms
) -> None:
    """Raises Conflict when its owner or its API key has as many open orders as they may."""
    if order.tif == "IOC" or order.tif == "FOK":
        return
    most = terms.max_open_orders
    if most and state.open_orders.in_market(order.owner_id, terms.id) >= most:
        raise Conflict(
            f"You have {most} open orders in {terms.id}, which is the most there can be.",
            field="market",
            hint="Cancel one first.",
        )
    if order.via is None:
        return
    most = command.via_max_open or 0
    if most and state.open_orders.by_key(order.via) >= most:
        raise Conflict(
            f"This API key has {most} open orders, which is the most it may have.",
            field="via",
            hint="Cancel one first.",
        )


def _check_life(order: OrderState, command: PlaceOrder, terms: MarketTerms, at_ms: int) -> None:
    # An order at the market's price, or for one offer, has become one of these two.
    at_once = order.tif == "IOC" or order.tif == "FOK"
    if order.post_only and at_once:
        raise InvalidInput(
            "An order that only rests can't trade at once.", field="post_only", value=True
        )
    expires_ms = order.expires_ms
    if order.tif != "GTC" or expires_ms is not None:
        if (command.tif == "GTD") != (expires_ms is not None):
            raise InvalidInput(
                "expires_ms belongs to GTD, and GTD needs it.",
                field="expires_ms",
                value=expires_ms,
            )
        if expires_ms is not None and expires_ms <= at_ms:
            raise InvalidInput("expires_ms is over already.", field="expires_ms", value=expires_ms)
    for start, end in order.hours:
        if start >= end:
            raise InvalidInput("A span of hours ends after it starts.", field="hours")
    if at_once and terms.status == "auction":
        raise Conflict(
            f"{terms.id} only collects orders until it opens.",
            field="tif",
            value=command.tif,
            hint="Place a limit order that may rest.",
        )


def _check_price(order: OrderState, command: PlaceOrder, terms: MarketTerms) -> None:
    floating = order.price_kind == "floating"
    if order.floor_ticks is not None or order.ceiling_ticks is not None:
        _check_bounds(order, terms)
    if order.order_type == "market":
        if floating or (order.price_ticks is not None and order.take_order is None):
            raise InvalidInput("A market order has no price.", field="price", value=command.price)
    elif floating:
        _check_margin(order, terms)
    elif order.price_ticks is None:
        raise InvalidInput("A fixed limit order needs a price.", field="price")
    else:
        check_cost(order.quantity, order.price_ticks, terms)


def _check_bounds(order: OrderState, terms: MarketTerms) -> None:
    floor, ceiling = order.floor_ticks, order.ceiling_ticks
    for name, bound in (("floor", floor), ("ceiling", ceiling)):
        if bound is not None and order.price_kind != "floating":
            raise InvalidInput(f"Only a floating price has a {name}.", field=name, value=bound)
        if bound is not None:
            check_cost(order.quantity, bound, terms, input_field=name)
    if floor is not None and ceiling is not None and floor > ceiling:
        raise InvalidInput("floor is above ceiling.", field="floor", value=floor)


def _check_margin(order: OrderState, terms: MarketTerms) -> None:
    if order.margin_bps is None or abs(order.margin_bps) > MAX_MARGIN_BPS:
        raise InvalidInput(
            f"margin_bps must be between -{MAX_MARGIN_BPS} and {MAX_MARGIN_BPS}.",
            field="margin_bps",
            value=order.margin_bps,
        )
    if terms.settlement == "instant" and order.side == BUY and order.ceiling_ticks is None:
        raise InvalidInput(
            "A floating bid here needs a ceiling: it holds what it may cost.", field="ceiling"
        )


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


def check_sizes(
    quantity: int, smallest: int, largest: int, terms: MarketTerms, name: str = "quantity"
) -> None:
    """Raises InvalidInput for sizes off the lot or outside the market's limits."""
    lot = terms.lot
    if quantity % lot or smallest % lot or largest % lot:
        for field, value in ((name, quantity), ("min_trade", smallest), ("max_trade", largest)):
            if value % lot:
                raise InvalidInput(
                    f"{field} must be a multiple of the lot.", field=field, value=value
                )
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


def _check_fee(order: OrderState, name: str, fee: int) -> None:
    if fee > order.max_fee_bps:
        raise InvalidInput(
            f"{name} is above max_fee_bps, the most you agree to.", field=name, value=fee
        )


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
    if too_many(cost(quantity, price, terms)):
        raise InvalidInput(
            f"{input_field} times quantity is too large.", field=input_field, value=price
        )
