"""What became of an order, at the desk: told by its row, its trades and what its coins did.

The engine's journal has every order command; these tables have what came of them, and an order's
numbers and days say where to look (`portal.engine.ids`), however many others there are.
"""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import InstrumentedAttribute

from portal.audit.views import steps_about
from portal.backoffice import cells, lookups
from portal.backoffice.context import reader
from portal.backoffice.panels import Column, Step, Table, Timeline
from portal.engine import ids
from portal.ledger.models import Account, Transfer
from portal.ledger.rules import HELD
from portal.ledger.views import transfers_table
from portal.orders.models import Order
from portal.trades.models import Trade

_MOST = 200


def trades_of(order: Order) -> Sequence[Trade]:
    """The order's newest trades."""
    mine = Trade.buyer_id if order.side == "buy" else Trade.seller_id
    named = (Trade.maker_order_id == order.id) | (Trade.taker_order_id == order.id)
    found = select(Trade).where(mine == order.owner_id, named, _in_its_time(order, Trade.id))
    trades = reader().scalars(found.order_by(Trade.id.desc()).limit(_MOST)).all()
    lookups.load_people(one for trade in trades for one in (trade.buyer_id, trade.seller_id))
    return trades


def trades_table(trades: Sequence[Trade]) -> Table:
    """Trades of an order."""
    return Table(
        "Trades of this order",
        (
            Column("Trade", lambda trade: cells.link("TradeView", trade.id)),
            Column("Matched", lambda trade: cells.when(trade.created_ms)),
            Column("Buyer", lambda trade: cells.person(trade.buyer_id)),
            Column("Seller", lambda trade: cells.person(trade.seller_id)),
            Column("Quantity", lambda row: cells.money(row.quantity, row.base), align="right"),
            Column("Price", lambda r: cells.price(r.price_ticks, r.market_id), align="right"),
            Column("State", lambda trade: cells.state(trade.state)),
        ),
        trades,
        "None yet.",
    )


def coins_of(order: Order) -> Table:
    """What was set aside for the order, and what of it came back."""
    held = select(Account.id).where(Account.owner_id == order.owner_id, Account.kind == HELD)
    accounts = reader().scalars(held).all()
    return transfers_table(
        "Coins of this order",
        (Transfer.order_id == order.id)
        & (Transfer.from_id.in_(accounts) | Transfer.to_id.in_(accounts))
        & _in_its_time(order, Transfer.id),
    )


def story_of(order: Order, trades: Sequence[Trade]) -> Timeline:
    """Placed, matched, and how it ended; what staff did stands between."""
    moments = [(order.created_ms, _placed(order))]
    moments += [(trade.created_ms, _matched(trade)) for trade in reversed(trades)]
    moments += steps_about(f"order:{order.id}")
    known = {at for at, _ in moments}
    if order.status != "open":
        moments.append((order.updated_ms, _ended(order)))
    elif order.updated_ms not in known:
        moments.append((order.updated_ms, Step(cells.when(order.updated_ms), "Changed last", "")))
    moments.sort(key=lambda moment: moment[0])
    return Timeline("What happened", [step for _, step in moments], "Nothing yet.")


def _placed(order: Order) -> Step:
    quantity = cells.base_money(order.quantity, order.market_id)
    at, by = cells.when(order.created_ms), cells.person(order.owner_id)
    return Step(at, "Placed", by, (("quantity", quantity),))


def _matched(trade: Trade) -> Step:
    details = (
        ("quantity", cells.money(trade.quantity, trade.base)),
        ("price", cells.price(trade.price_ticks, trade.market_id)),
    )
    title = cells.joined("Matched: trade ", cells.link("TradeView", trade.id))
    return Step(cells.when(trade.created_ms), title, "", details)


def _ended(order: Order) -> Step:
    details = (("reason", cells.text(order.reason)),) if order.reason else ()
    left = cells.base_money(order.remaining, order.market_id)
    rest = (("left", left),) if order.remaining else ()
    return Step(cells.when(order.updated_ms), order.status.capitalize(), "", (*details, *rest))


def _in_its_time(order: Order, column: InstrumentedAttribute[int]) -> ColumnElement[bool]:
    """Whatever belongs to the order has a number between its own and the day of its last change."""
    shard = order.id // ids.IDS_A_SHARD
    return column.between(order.id, ids.first_id(shard, ids.day_of(order.updated_ms) + 1) - 1)
