"""Making the order in memory of a command that places one.

All of the command's fields are read in one go: one by one, looking each up by its name costs
several times as much.
"""

from typing import Any, Final

from msgspec.structs import astuple

from portal.core.errors import InvalidInput
from portal.engine.commands import Conditions, Facts, PlaceOrder
from portal.orders import conditions as rules
from portal.orders.rules import OPEN, MarketTerms, OrderState

_NOTHING: Final[tuple[Any, ...]] = astuple(Facts())
_FACTS: Final[dict[tuple[Any, ...], rules.Facts]] = {}
_MOST_FACTS: Final = 10_000
# The order in which `new_order` takes a command apart.
READ: Final = (
    "side", "order_type", "price_kind", "price", "margin_bps", "floor", "ceiling", "quantity",
    "min_trade", "max_trade", "methods", "accounts", "tif", "expires_ms", "post_only", "shared",
    "hours", "stp", "conditions", "max_fee_bps", "maker_fee_bps", "taker_fee_bps", "authority",
    "take_order", "link", "key", "owner", "market", "facts", "via", "via_max_open", "quote_set",
)  # fmt: skip
if PlaceOrder.__struct_fields__ != READ:
    raise TypeError("new_order reads the fields of PlaceOrder in another order")


def new_order(command: PlaceOrder, terms: MarketTerms, at_ms: int) -> OrderState:
    """The order that is wanted, not numbered and not checked.

    Raises InvalidInput for a payment method that the market does not take.
    """
    values: tuple[Any, ...] = astuple(command)
    (
        side, order_type, price_kind, price, margin_bps, floor, ceiling, quantity, min_trade,
        max_trade, methods, accounts, tif, expires_ms, post_only, shared, hours, stp, conditions,
        max_fee_bps, maker_fee_bps, taker_fee_bps, authority, take_order, _link, _key, owner,
        _market, facts, via, _via_max_open, quote_set,
    ) = values  # fmt: skip
    fixed = price_kind == "fixed"
    if (order_type == "market" or take_order is not None) and tif != "FOK":
        tif = "IOC"
    size: int = quantity
    taken = _taken(methods, terms)
    order = OrderState(
        id=0,
        owner_id=owner,
        market_id=terms.id,
        side=side,
        order_type=order_type,
        price_kind=price_kind,
        price_ticks=price if fixed else None,
        margin_bps=None if fixed else margin_bps,
        quantity=size,
        remaining=size,
        min_trade=min_trade or min(terms.min_trade, size),
        max_trade=max_trade or min(terms.max_trade, size),
        methods=taken,
        accounts=_accounts(accounts, taken),
        tif=tif,
        max_fee_bps=max_fee_bps,
        held=0,
        status=OPEN,
        reason=None,
        authority=authority,
        take_order=take_order,
        created_ms=at_ms,
        updated_ms=at_ms,
        priority=0,
        floor_ticks=floor,
        ceiling_ticks=ceiling,
        post_only=post_only,
        expires_ms=expires_ms,
        stp=stp,
        shared=shared,
        hours=tuple(hours) if hours else (),
        conditions=None,
        link=None,
        facts=_facts(facts),
        via=via,
        quote_set=quote_set,
        maker_fee_bps=maker_fee_bps,
        taker_fee_bps=taker_fee_bps,
    )
    if conditions is not None:
        order.conditions, order.link = _conditions(conditions), conditions.link
    return order


def _taken(methods: list[str], terms: MarketTerms) -> tuple[str, ...]:
    """Each method once, as the market's own text: one in memory for all of its orders."""
    first: str | None = None
    more: list[str] = []
    for method in methods:
        known = _known(method, terms)
        if first is None:
            first = known
        elif known != first and known not in more:
            more.append(known)
    if first is None:
        return ()
    return (first, *more) if more else (first,)


def _known(method: str, terms: MarketTerms) -> str:
    for known in terms.methods:
        if known == method:
            return known
    raise InvalidInput(
        f"{terms.id} does not take the payment method {method}.",
        field="methods",
        value=method,
        hint=f"It takes {', '.join(terms.methods)}.",
    )


def _accounts(given: dict[str, int], methods: tuple[str, ...]) -> dict[str, int]:
    accounts: dict[str, int] = {}
    if given:
        for name in methods:
            account = given.get(name)
            if account is not None:
                accounts[name] = account
    return accounts


def _conditions(wanted: Conditions) -> rules.Conditions | None:
    """None when nothing is asked of the other side (a link alone is kept elsewhere)."""
    found = rules.Conditions(
        wanted.min_tier,
        wanted.min_trades,
        wanted.min_completion_bps,
        wanted.min_age_ms,
        wanted.first_trade_max,
        tuple(wanted.regions),
    )
    return None if found == rules.Conditions() else found


def _facts(known: Facts) -> rules.Facts | None:
    """None when nothing is known of the owner. One in memory for orders that follow each other."""
    values: tuple[Any, ...] = astuple(known)
    if values == _NOTHING:
        return None
    found = _FACTS.get(values)
    if found is None:
        if len(_FACTS) >= _MOST_FACTS:
            _FACTS.clear()
        found = _FACTS[values] = rules.Facts(*values)
    return found
