"""The tables every order touches as lines of COPY, written row by row by straight code.

Of what hardly any row says, a batch names columns only where a row of it says something: the
others are NULL by themselves. `portal.engine.columns` writes the same, and any other table, at
several times the cost. Compiled by mypyc where a C compiler is there, with the same results.
"""

from collections.abc import Sequence
from typing import Final

from portal.engine.columns import ESCAPES, json_text
from portal.engine.state import AccountState, TransferRow
from portal.engine.store import Copy
from portal.ledger.rules import AccountKey
from portal.orders.conditions import Facts
from portal.orders.rules import OrderState
from portal.trades.rules import TradeState

_NULL: Final = "\\N"
ORDER_ALWAYS: Final = (
    *("shard", "market_id", "order_type", "price_kind", "tif", "stp", "post_only"),
    *("shared", "maker_fee_bps", "taker_fee_bps", "max_fee_bps", "hours", "id", "owner_id", "side"),
    *("price_ticks", "quantity", "remaining", "min_trade", "max_trade", "methods", "accounts"),
    *("held", "status", "created_ms", "updated_ms", "priority"),
)
ORDER_SELDOM: Final = (
    *("margin_bps", "reason", "authority", "take_order", "floor_ticks", "ceiling_ticks"),
    *("expires_ms", "conditions", "link", "facts", "via", "quote_set", "paused"),
)
TRADE_ALWAYS: Final = (
    *("shard", "market_id", "base", "quote", "escrow", "state", "locked"),
    *(
        "settled",
        "id",
        "maker_order_id",
        "taker_order_id",
        "buyer_id",
        "seller_id",
        "maker_side",
        "method",
    ),
    *("quantity", "price_ticks", "fiat_units", "reserved", "max_buyer_fee", "buyer_fee"),
    *("seller_fee", "escrow_units", "created_ms", "updated_ms"),
)
TRADE_SELDOM: Final = (
    *("buyer_account_id", "seller_account_id", "authority", "index_ticks", "quote_id"),
    *("fee_note", "to_buyer", "reason", "timer", "deadline_ms", "payment_deadline_ms"),
    *("lock_reference", "settle_reference", "payment_proof"),
)
TRANSFER_COLUMNS: Final = ("shard", *TransferRow._fields)
ACCOUNT_COLUMNS: Final = ("shard", *AccountKey._fields, "id", "balance")
KEY_COLUMNS: Final = ("shard", "day", "key", "seq")


class Texts:
    """Values as COPY takes them. A batch says the same few over and over: they are kept."""

    __slots__ = ("_json", "_known", "_ms", "_ms_text", "_objects")

    def __init__(self) -> None:
        self._known: dict[str, str] = {}
        self._json: dict[tuple[str, ...], str] = {}
        self._objects: dict[int, str] = {}
        self._ms, self._ms_text = 0, "0"

    def known(self, text: str) -> str:
        """A text out of few."""
        found = self._known.get(text)
        if found is None:
            found = self._known[text] = escaped(text)
        return found

    def time(self, ms: int) -> str:
        """A time, mostly the same as the one before."""
        if ms != self._ms:
            self._ms, self._ms_text = ms, str(ms)
        return self._ms_text

    def list(self, texts: tuple[str, ...]) -> str:
        """A list out of few, as JSON."""
        found = self._json.get(texts)
        if found is None:
            found = self._json[texts] = _json(texts)
        return found

    def object(self, value: dict[str, int]) -> str:
        """An object that several rows may share, as JSON. It must live as long as these texts."""
        if not value:
            return "{}"
        name = id(value)
        found = self._objects.get(name)
        if found is None:
            found = self._objects[name] = _json(value)
        return found


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


def transfer_copy(shard: str, transfers: list[TransferRow]) -> Copy:
    """Transfers of money."""
    texts, first = Texts(), escaped(shard)
    lines = []
    for transfer in transfers:
        id_, seq, at_ms, kind, giver, taker, amount, left, has, order, trade, reference = transfer
        lines.append(
            f"{first}\t{id_}\t{seq}\t{texts.time(at_ms)}\t{texts.known(kind)}\t{giver}\t{taker}\t{amount}"
            f"\t{left}\t{has}\t{_number(order)}\t{_number(trade)}\t{_text(reference)}"
        )
    return _TRANSFERS, whole(lines)


def account_copy(shard: str, accounts: list[tuple[AccountKey, AccountState]]) -> Copy:
    """New accounts."""
    first, lines = escaped(shard), []
    for key, account in accounts:
        owner, asset, kind = key
        lines.append(
            f"{first}\t{owner}\t{escaped(asset)}\t{escaped(kind)}\t{account.id}\t{account.balance}"
        )
    return _ACCOUNTS, whole(lines)


def key_copy(shard: str, day: int, keys: Sequence[tuple[str, int]]) -> Copy:
    """Which command (by seq) each key was used for."""
    front = f"{escaped(shard)}\t{day}\t"
    return _KEYS, whole([f"{front}{escaped(key)}\t{seq}" for key, seq in keys])


def escaped(text: str) -> str:
    """A text as COPY takes it."""
    if "\\" in text or not text.isprintable():
        return text.translate(ESCAPES)
    return text


def statement(table: str, columns: Sequence[str]) -> str:
    """COPY of these columns, in lines of text."""
    return f'COPY "{table}" ({", ".join(columns)}) FROM STDIN'


def whole(lines: list[str]) -> bytes:
    """Lines as they are sent; there must be some."""
    return ("\n".join(lines) + "\n").encode()


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
        f"\t{escaped(order.stp)}\t{_truth(order.post_only)}\t{_truth(order.shared)}"
        f"\t{order.maker_fee_bps}\t{order.taker_fee_bps}\t{order.max_fee_bps}"
        f"\t{_json(order.hours)}\t"
    )


def _order_always(kind: str, order: OrderState, texts: Texts) -> str:
    id_, quantity, remaining, held = order.id, order.quantity, order.remaining, order.held
    name, size = str(id_), str(quantity)
    return (
        f"{kind}{name}\t{order.owner_id}\t{texts.known(order.side)}\t{_number(order.price_ticks)}\t{size}"
        f"\t{size if remaining == quantity else _amount(remaining)}\t{order.min_trade}"
        f"\t{size if order.max_trade == quantity else str(order.max_trade)}"
        f"\t{texts.list(order.methods)}\t{texts.object(order.accounts)}\t{_amount(held)}"
        f"\t{texts.known(order.status)}\t{texts.time(order.created_ms)}"
        f"\t{texts.time(order.updated_ms)}"
        f"\t{name if order.priority == id_ else str(order.priority)}"
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
        and order.facts is None
        and order.via is None
        and order.quote_set is None
        and order.paused is None
    )


def _order_seldom(order: OrderState) -> str:
    return (
        f"\t{_number(order.margin_bps)}\t{_text(order.reason)}\t{_text(order.authority)}"
        f"\t{_number(order.take_order)}\t{_number(order.floor_ticks)}"
        f"\t{_number(order.ceiling_ticks)}\t{_number(order.expires_ms)}"
        f"\t{_NULL if order.conditions is None else _json(order.conditions)}"
        f"\t{_text(order.link)}\t{_facts(order.facts)}\t{_text(order.via)}"
        f"\t{_text(order.quote_set)}\t{_text(order.paused)}"
    )


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
        f"\t{escaped(trade.quote)}\t{escaped(trade.escrow)}"
        f"\t{escaped(trade.state)}\t{_truth(trade.locked)}\t{_truth(trade.settled)}\t"
    )


def _trade_always(kind: str, trade: TradeState, texts: Texts) -> str:
    quantity, reserved = trade.quantity, trade.reserved
    size = str(quantity)
    return (
        f"{kind}{trade.id}\t{trade.maker_order_id}\t{trade.taker_order_id}\t{trade.buyer_id}"
        f"\t{trade.seller_id}\t{texts.known(trade.maker_side)}\t{texts.known(trade.method)}\t{size}\t{trade.price_ticks}"
        f"\t{trade.fiat_units}\t{size if reserved == quantity else str(reserved)}"
        f"\t{_amount(trade.max_buyer_fee)}\t{_amount(trade.buyer_fee)}"
        f"\t{_amount(trade.seller_fee)}\t{_amount(trade.escrow_units)}"
        f"\t{texts.time(trade.created_ms)}\t{texts.time(trade.updated_ms)}"
    )


def _trade_says_more(trade: TradeState) -> bool:
    return not (
        trade.buyer_account_id is None
        and trade.seller_account_id is None
        and trade.authority is None
        and trade.index_ticks is None
        and trade.quote_id is None
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
        f"\t{_number(trade.buyer_account_id)}\t{_number(trade.seller_account_id)}"
        f"\t{_text(trade.authority)}\t{_number(trade.index_ticks)}\t{_number(trade.quote_id)}"
        f"\t{_text(trade.fee_note)}\t{_number(trade.to_buyer)}\t{_text(trade.reason)}"
        f"\t{_text(trade.timer)}\t{_number(trade.deadline_ms)}"
        f"\t{_number(trade.payment_deadline_ms)}\t{_text(trade.lock_reference)}"
        f"\t{_text(trade.settle_reference)}\t{_text(trade.payment_proof)}"
    )


def _number(value: int | None) -> str:
    return _NULL if value is None else str(value)


def _amount(value: int) -> str:
    return str(value) if value else "0"


def _truth(value: bool) -> str:
    return "t" if value else "f"


def _text(value: str | None) -> str:
    return _NULL if value is None else escaped(value)


def _json(value: object) -> str:
    """JSON itself escapes every character that is special here, but for its own backslash."""
    return json_text(value).replace("\\", "\\\\")


def _facts(facts: Facts | None) -> str:
    if facts is None:
        return _NULL
    return (
        f'{{"completion_bps":{facts.completion_bps},"region":{_json(facts.region)}'
        f',"since_ms":{facts.since_ms},"tier":{facts.tier},"trades":{facts.trades}}}'
    )


_NO_ORDER_SELDOM: Final = "\t\\N" * len(ORDER_SELDOM)
_NO_TRADE_SELDOM: Final = "\t\\N" * len(TRADE_SELDOM)
_ORDERS: Final = statement("order", ORDER_ALWAYS)
_ORDERS_WITH_ALL: Final = statement("order", ORDER_ALWAYS + ORDER_SELDOM)
_TRADES: Final = statement("trade", TRADE_ALWAYS)
_TRADES_WITH_ALL: Final = statement("trade", TRADE_ALWAYS + TRADE_SELDOM)
_ACCOUNTS: Final = statement("account", ACCOUNT_COLUMNS)
_TRANSFERS: Final = statement("transfer", TRANSFER_COLUMNS)
_KEYS: Final = statement("command_key", KEY_COLUMNS)
