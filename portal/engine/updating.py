"""What changed of rows that were there before, as UPDATEs from arrays.

Changed orders and balances come with every batch, so their arrays are written by straight code;
`portal.engine.columns` would write the same. Compiled by mypyc where a C compiler is there, with
the same results.
"""

from typing import Final

from portal.engine.accounts import AccountState
from portal.engine.columns import Columns, text_array
from portal.engine.store import Statement
from portal.ledger.models import Account
from portal.orders.models import Order
from portal.orders.rules import OrderState
from portal.trades.models import Trade
from portal.trades.rules import TradeState

# All but what never changes after an order or a trade was made.
ORDER_CHANGING: Final = (
    *("id", "price_ticks", "margin_bps", "quantity", "remaining", "min_trade", "max_trade"),
    *("held", "status", "reason", "updated_ms", "priority", "floor_ticks", "ceiling_ticks"),
    *("expires_ms", "paused"),
)
TRADE_CHANGING: Final = (
    *("id", "buyer_fee", "seller_fee", "fee_note", "escrow_units", "to_buyer", "state", "reason"),
    *("timer", "deadline_ms", "payment_deadline_ms", "locked", "settled", "lock_reference"),
    *("settle_reference", "payment_proof", "updated_ms"),
)


def order_update(orders: list[OrderState]) -> Statement:
    """What may have changed of orders."""
    return _ORDER_UPDATE, order_arrays(orders)


def order_arrays(orders: list[OrderState]) -> list[str]:
    """One array literal for each of ORDER_CHANGING."""
    return [
        _whole([str(order.id) for order in orders]),
        _numbers([order.price_ticks for order in orders]),
        _numbers([order.margin_bps for order in orders]),
        _whole([str(order.quantity) for order in orders]),
        _whole([str(order.remaining) for order in orders]),
        _whole([str(order.min_trade) for order in orders]),
        _whole([str(order.max_trade) for order in orders]),
        _whole([str(order.held) for order in orders]),
        text_array([order.status for order in orders]),
        text_array([order.reason for order in orders]),
        _whole([str(order.updated_ms) for order in orders]),
        _whole([str(order.priority) for order in orders]),
        _numbers([order.floor_ticks for order in orders]),
        _numbers([order.ceiling_ticks for order in orders]),
        _numbers([order.expires_ms for order in orders]),
        text_array([order.paused for order in orders]),
    ]


def trade_update(trades: list[TradeState]) -> Statement:
    """What may have changed of trades."""
    return _TRADE_UPDATE, _TRADES.arrays(trades)


def balance_update(accounts: list[AccountState]) -> Statement:
    """What accounts hold now."""
    ids = _whole([str(account.id) for account in accounts])
    return _BALANCE_UPDATE, [ids, _whole([str(account.balance) for account in accounts])]


def _numbers(values: list[int | None]) -> str:
    return _whole(["NULL" if value is None else str(value) for value in values])


def _whole(parts: list[str]) -> str:
    return "{" + ",".join(parts) + "}"


_TRADES: Final = Columns(Trade, TRADE_CHANGING)
_ORDER_UPDATE: Final = Columns(Order, ORDER_CHANGING).update()
_TRADE_UPDATE: Final = _TRADES.update()
_BALANCE_UPDATE: Final = Columns(Account, ("id", "balance")).update()
