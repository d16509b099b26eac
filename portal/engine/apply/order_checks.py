"""What a new order must satisfy before anything of it is stored."""

from portal.core.errors import Conflict, InvalidInput
from portal.core.money import MAX_UNITS, bps_up, quote_units
from portal.engine.commands import PlaceOrder
from portal.orders.rules import MAX_MARGIN_BPS, MarketTerms


def check_command(command: PlaceOrder, terms: MarketTerms) -> None:
    """Raises Conflict for a halted market, InvalidInput naming the field of a wrong value."""
    if terms.status != "open":
        raise Conflict(f"The market {terms.id} is halted.", field="market", value=terms.id)
    if unknown := [method for method in command.methods if method not in terms.methods]:
        raise InvalidInput(
            f"{terms.id} does not take the payment method {unknown[0]}.",
            field="methods",
            value=unknown[0],
        )
    _check_price(command, terms)
    _check_sizes(command, terms)


def _check_price(command: PlaceOrder, terms: MarketTerms) -> None:
    if command.order_type == "market":
        if command.price is not None and command.take_order is None:
            raise InvalidInput("A market order has no price.", field="price", value=command.price)
        return
    if command.price_kind == "fixed":
        if command.price is None:
            raise InvalidInput("A fixed limit order needs a price.", field="price")
        fiat_due(command.quantity, command.price, terms)
    elif command.margin_bps is None or abs(command.margin_bps) > MAX_MARGIN_BPS:
        raise InvalidInput(
            f"margin_bps must be between -{MAX_MARGIN_BPS} and {MAX_MARGIN_BPS}.",
            field="margin_bps",
            value=command.margin_bps,
        )


def _check_sizes(command: PlaceOrder, terms: MarketTerms) -> None:
    for name in ("quantity", "min_trade", "max_trade"):
        value = getattr(command, name)
        if value is not None and value % terms.lot:
            raise InvalidInput(f"{name} must be a multiple of the lot.", field=name, value=value)
    if command.quantity < terms.min_trade:
        raise InvalidInput(
            "quantity is below the market's smallest trade.",
            field="quantity",
            value=command.quantity,
        )
    smallest, largest = trade_limits(command, terms)
    if smallest < terms.min_trade or smallest > command.quantity:
        raise InvalidInput(
            "min_trade must lie between the market's smallest trade and the quantity.",
            field="min_trade",
            value=smallest,
        )
    if largest < smallest or largest > terms.max_trade:
        raise InvalidInput(
            "max_trade must lie between min_trade and the market's largest trade.",
            field="max_trade",
            value=largest,
        )
    if command.quantity + bps_up(command.quantity, command.max_fee_bps) > MAX_UNITS:
        raise InvalidInput("quantity is too large.", field="quantity", value=command.quantity)


def trade_limits(command: PlaceOrder, terms: MarketTerms) -> tuple[int, int]:
    """Smallest and largest single trade of an order, in base units; the market's where unsaid."""
    smallest = command.min_trade or min(terms.min_trade, command.quantity)
    largest = command.max_trade or min(terms.max_trade, command.quantity)
    return smallest, largest


def fiat_due(quantity: int, price: int, terms: MarketTerms) -> int:
    """What `quantity` costs in quote units. Raises InvalidInput beyond 64 bits."""
    fiat = quote_units(
        quantity,
        price,
        base_places=terms.base_places,
        price_places=terms.price_places,
        quote_places=terms.quote_places,
    )
    if fiat > MAX_UNITS:
        raise InvalidInput("price times quantity is too large.", field="price", value=price)
    return fiat
