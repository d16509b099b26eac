"""New trades as COPY. Compiled by mypyc where a C compiler is there, with the same results."""

from typing import Final

from portal.engine.copying.texts import (
    Texts,
    amount,
    escaped,
    number,
    statement,
    text,
    truth,
    whole,
)
from portal.engine.store import Copy
from portal.trades.rules import TradeState

TRADE_ALWAYS: Final = (
    *("shard", "market_id", "base", "quote", "escrow", "state", "locked", "settled", "id"),
    *("maker_order_id", "taker_order_id", "buyer_id", "seller_id", "buyer_account_id"),
    *("seller_account_id", "maker_side", "method", "quantity", "price_ticks", "fiat_units"),
    *("index_ticks", "quote_id", "reserved", "max_buyer_fee", "buyer_fee", "seller_fee"),
    *("escrow_units", "created_ms", "updated_ms"),
)
TRADE_SELDOM: Final = (
    *("authority", "fee_note", "to_buyer", "reason", "timer", "deadline_ms"),
    *("payment_deadline_ms", "lock_reference", "settle_reference", "payment_proof"),
)


def trade_copy(shard: str, trades: list[TradeState]) -> Copy:
    """New trades; there must be some."""
    texts, more, last = Texts(), False, trades[0]
    lines: list[str] = []
    kind = _trade_kind(shard, last)
    for trade in trades:
        if not _same_terms(trade, last):
            kind, last = _trade_kind(shard, trade), trade
        lines.append(_trade_always(kind, trade, texts))
        more = more or _trade_says_more(trade)
    if not more:
        return _TRADES, whole(lines)
    for place, trade in enumerate(trades):
        lines[place] += _trade_seldom(trade) if _trade_says_more(trade) else _NO_TRADE_SELDOM
    return _TRADES_WITH_ALL, whole(lines)


def _same_terms(trade: TradeState, other: TradeState) -> bool:
    return (
        trade.market_id == other.market_id
        and trade.base == other.base
        and trade.quote == other.quote
        and trade.escrow == other.escrow
        and trade.state == other.state
        and trade.locked == other.locked
        and trade.settled == other.settled
    )


def _trade_kind(shard: str, trade: TradeState) -> str:
    return (
        f"{escaped(shard)}\t{escaped(trade.market_id)}\t{escaped(trade.base)}"
        f"\t{escaped(trade.quote)}\t{escaped(trade.escrow)}\t{escaped(trade.state)}"
        f"\t{truth(trade.locked)}\t{truth(trade.settled)}\t"
    )


def _trade_always(kind: str, trade: TradeState, texts: Texts) -> str:
    quantity, reserved = trade.quantity, trade.reserved
    size = str(quantity)
    return (
        f"{kind}{trade.id}\t{trade.maker_order_id}\t{trade.taker_order_id}\t{trade.buyer_id}"
        f"\t{trade.seller_id}\t{number(trade.buyer_account_id)}"
        f"\t{number(trade.seller_account_id)}\t{texts.known(trade.maker_side)}"
        f"\t{texts.known(trade.method)}\t{size}\t{trade.price_ticks}\t{trade.fiat_units}"
        f"\t{number(trade.index_ticks)}\t{number(trade.quote_id)}"
        f"\t{size if reserved == quantity else str(reserved)}"
        f"\t{amount(trade.max_buyer_fee)}\t{amount(trade.buyer_fee)}"
        f"\t{amount(trade.seller_fee)}\t{amount(trade.escrow_units)}"
        f"\t{texts.time(trade.created_ms)}\t{texts.time(trade.updated_ms)}"
    )


def _trade_says_more(trade: TradeState) -> bool:
    return not (
        trade.authority is None
        and trade.fee_note is None
        and trade.to_buyer is None
        and trade.reason is None
        and trade.timer is None
        and trade.deadline_ms is None
        and trade.payment_deadline_ms is None
        and trade.lock_reference is None
        and trade.settle_reference is None
        and trade.payment_proof is None
    )


def _trade_seldom(trade: TradeState) -> str:
    return (
        f"\t{text(trade.authority)}\t{text(trade.fee_note)}\t{number(trade.to_buyer)}\t{text(trade.reason)}"
        f"\t{text(trade.timer)}\t{number(trade.deadline_ms)}"
        f"\t{number(trade.payment_deadline_ms)}\t{text(trade.lock_reference)}"
        f"\t{text(trade.settle_reference)}\t{text(trade.payment_proof)}"
    )


_NO_TRADE_SELDOM: Final = "\t\\N" * len(TRADE_SELDOM)
_TRADES: Final = statement("trade", TRADE_ALWAYS)
_TRADES_WITH_ALL: Final = statement("trade", TRADE_ALWAYS + TRADE_SELDOM)
