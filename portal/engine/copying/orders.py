"""New orders as COPY. Compiled by mypyc where a C compiler is there, with the same results."""

from dataclasses import asdict
from typing import Final

from portal.engine.copying.texts import (
    NULL,
    Texts,
    amount,
    escaped,
    json,
    number,
    statement,
    text,
    truth,
    whole,
)
from portal.engine.store import Copy
from portal.orders.conditions import Conditions, Facts
from portal.orders.rules import OrderState

ORDER_ALWAYS: Final = (
    *("shard", "market_id", "order_type", "price_kind", "tif", "stp", "post_only", "shared"),
    *("maker_fee_bps", "taker_fee_bps", "max_fee_bps", "hours", "id", "owner_id", "side"),
    *("price_ticks", "quantity", "remaining", "min_trade", "max_trade", "methods", "accounts"),
    *("held", "status", "created_ms", "updated_ms", "priority", "facts", "via"),
)
ORDER_SELDOM: Final = (
    *("margin_bps", "reason", "authority", "take_order", "floor_ticks", "ceiling_ticks"),
    *("expires_ms", "conditions", "link", "quote_set", "paused"),
)


def order_copy(shard: str, orders: list[OrderState]) -> Copy:
    """New orders; there must be some."""
    texts, more, last = Texts(), False, orders[0]
    lines: list[str] = []
    kind = _order_kind(shard, last)
    for order in orders:
        if not _same_kind(order, last):
            kind, last = _order_kind(shard, order), order
        lines.append(_order_always(kind, order, texts))
        more = more or _order_says_more(order)
    if not more:
        return _ORDERS, whole(lines)
    for place, order in enumerate(orders):
        lines[place] += _order_seldom(order) if _order_says_more(order) else _NO_ORDER_SELDOM
    return _ORDERS_WITH_ALL, whole(lines)


def _same_kind(order: OrderState, other: OrderState) -> bool:
    return (
        order.market_id == other.market_id
        and order.order_type == other.order_type
        and order.price_kind == other.price_kind
        and order.tif == other.tif
        and order.stp == other.stp
        and order.post_only == other.post_only
        and order.shared == other.shared
        and order.maker_fee_bps == other.maker_fee_bps
        and order.taker_fee_bps == other.taker_fee_bps
        and order.max_fee_bps == other.max_fee_bps
        and not order.hours
        and not other.hours
    )


def _order_kind(shard: str, order: OrderState) -> str:
    return (
        f"{escaped(shard)}\t{escaped(order.market_id)}"
        f"\t{escaped(order.order_type)}\t{escaped(order.price_kind)}\t{escaped(order.tif)}"
        f"\t{escaped(order.stp)}\t{truth(order.post_only)}\t{truth(order.shared)}"
        f"\t{order.maker_fee_bps}\t{order.taker_fee_bps}\t{order.max_fee_bps}"
        f"\t{json(order.hours)}\t"
    )


def _order_always(kind: str, order: OrderState, texts: Texts) -> str:
    id_, quantity, remaining, held = order.id, order.quantity, order.remaining, order.held
    name, size = str(id_), str(quantity)
    return (
        f"{kind}{name}\t{order.owner_id}\t{texts.known(order.side)}\t{number(order.price_ticks)}\t{size}"
        f"\t{size if remaining == quantity else amount(remaining)}\t{order.min_trade}"
        f"\t{size if order.max_trade == quantity else str(order.max_trade)}"
        f"\t{texts.list(order.methods)}\t{texts.object(order.accounts)}\t{amount(held)}"
        f"\t{texts.known(order.status)}\t{texts.time(order.created_ms)}"
        f"\t{texts.time(order.updated_ms)}"
        f"\t{name if order.priority == id_ else str(order.priority)}"
        f"\t{_facts(order.facts)}\t{text(order.via)}"
    )


def _order_says_more(order: OrderState) -> bool:
    return not (
        order.margin_bps is None
        and order.reason is None
        and order.authority is None
        and order.take_order is None
        and order.floor_ticks is None
        and order.ceiling_ticks is None
        and order.expires_ms is None
        and order.conditions is None
        and order.link is None
        and order.quote_set is None
        and order.paused is None
    )


def _order_seldom(order: OrderState) -> str:
    return (
        f"\t{number(order.margin_bps)}\t{text(order.reason)}\t{text(order.authority)}"
        f"\t{number(order.take_order)}\t{number(order.floor_ticks)}"
        f"\t{number(order.ceiling_ticks)}\t{number(order.expires_ms)}"
        f"\t{_conditions(order.conditions)}"
        f"\t{text(order.link)}\t{text(order.quote_set)}\t{text(order.paused)}"
    )


def _conditions(wanted: Conditions | None) -> str:
    return NULL if wanted is None else json(asdict(wanted))


def _facts(facts: Facts | None) -> str:
    if facts is None:
        return NULL
    return (
        f'{{"completion_bps":{facts.completion_bps},"region":{json(facts.region)}'
        f',"since_ms":{facts.since_ms},"tier":{facts.tier},"trades":{facts.trades}}}'
    )


_NO_ORDER_SELDOM: Final = "\t\\N" * len(ORDER_SELDOM)
_ORDERS: Final = statement("order", ORDER_ALWAYS)
_ORDERS_WITH_ALL: Final = statement("order", ORDER_ALWAYS + ORDER_SELDOM)
