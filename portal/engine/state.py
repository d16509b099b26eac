"""A shard in memory, and what a command changed in it."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from portal.core.by_id import ById
from portal.core.errors import Conflict, InvalidInput, NotFound
from portal.core.units import too_many
from portal.engine import ids
from portal.engine.accounts import Accounts, AccountState
from portal.engine.open_orders import OpenOrders
from portal.engine.rows import EventRow, TransferRow
from portal.ledger.rules import AVAILABLE, HELD, OUTSIDE, AccountKey
from portal.orders.book import Book
from portal.orders.rules import OPEN, MarketTerms, OrderState, live_index
from portal.orders.timers import Timers
from portal.orders.walk import Walker
from portal.trades.rules import TradeState


@dataclass(slots=True)
class MarketInShard:
    """A market's terms, its index and its book. Ask `index`, which knows when it is too old."""

    terms: MarketTerms
    index_ticks: int | None = None
    index_at_ms: int | None = None
    index_reason: str | None = None
    quote_id: int | None = None
    index_until_ms: int | None = None
    book: Book = field(default_factory=Book)
    walker: Walker | None = None

    def index(self, at_ms: int) -> int | None:
        """The index price in ticks, None while there is none fit for use."""
        return live_index(self.index_ticks, self.index_until_ms, at_ms)


@dataclass
class Changes:
    """Everything a batch must write."""

    orders: dict[int, OrderState] = field(default_factory=dict)
    trades: dict[int, TradeState] = field(default_factory=dict)
    accounts: dict[AccountKey, AccountState] = field(default_factory=dict)
    markets: dict[str, MarketInShard] = field(default_factory=dict)
    transfers: list[TransferRow] = field(default_factory=list)
    events: list[EventRow] = field(default_factory=list)

    def __bool__(self) -> bool:
        return any((self.orders, self.trades, self.accounts, self.markets, self.events))


class ShardState:
    """All that a shard's rules read and change. Deterministic: no clock, no randomness."""

    def __init__(self, name: str, number: int = 0) -> None:
        self.name = name
        self.number = number
        self.seq = 0
        self.next_id = ids.first_id(number, 0)
        self.markets: dict[str, MarketInShard] = {}
        self.orders: ById[OrderState] = ById()
        self.open_orders = OpenOrders()
        self.timers = Timers()
        self.trades: ById[TradeState] = ById()
        self.accounts: dict[AccountKey, AccountState] = {}
        self._near = Accounts(self.accounts)
        self.changes = Changes()
        # Counts what was handed over: an account knows whether this batch has it already.
        self._batch = 1
        # Owners of shared orders whose available balance this command has changed.
        self.moved_under: set[int] = set()
        self.at_ms = 0

    @property
    def due_ms(self) -> int:
        """When the clock itself has something to do next: an order's timer, or a new day."""
        day = (self.next_id - ids.first_id(self.number, 0)) // ids.IDS_A_DAY
        return min(ids.start_of(day + 1), self.timers.next_ms)

    def begin_day(self) -> None:
        """Ids go on at the first of the present day, if it is a new one."""
        self.next_id = max(self.next_id, ids.first_id(self.number, ids.day_of(self.at_ms)))

    def new_id(self) -> int:
        """The next id of this shard, shared by orders, trades, transfers and accounts."""
        self.next_id += 1
        return self.next_id - 1

    def market(self, market_id: str) -> MarketInShard:
        """The market. Raises NotFound."""
        market = self.markets.get(market_id)
        if market is None:
            raise NotFound(f"There is no market {market_id[:40]}.", field="market")
        return market

    def order(self, order_id: int) -> OrderState:
        """An open order. Raises Conflict when it is not open (any more)."""
        order = self.orders.get(order_id)
        if order is None:
            raise Conflict(f"Order {order_id} is not open.", field="order_id", value=order_id)
        return order

    def trade(self, trade_id: int) -> TradeState:
        """A trade that is not over. Raises Conflict."""
        trade = self.trades.get(trade_id)
        if trade is None:
            raise Conflict(f"Trade {trade_id} is not open.", field="trade_id", value=trade_id)
        return trade

    def balance(self, key: AccountKey) -> int:
        """What an account holds; 0 when it was never used."""
        account = self.accounts.get(key)
        return account.balance if account else 0

    def available(self, owner: int, asset: str) -> int:
        """What an owner has that nothing holds; 0 for one who never had any."""
        account = self._near.pockets(owner, asset).available
        return account.balance if account is not None else 0

    def require(self, owner: int, asset: str, units: int, *, input_field: str) -> None:
        """Raises InvalidInput naming `input_field` unless the owner has `units` available."""
        if self.available(owner, asset) < units:
            raise InvalidInput(
                f"Not enough {asset}: this needs more than is {AVAILABLE}.",
                field=input_field,
                hint=f"Deposit {asset} or choose a smaller amount.",
            )

    def move(
        self,
        kind: str,
        source: AccountKey,
        target: AccountKey,
        units: int,
        *,
        trade_id: int | None = None,
        reference: str | None = None,
    ) -> None:
        """Move units between two accounts. Raises RuntimeError when it overdraws: a defect."""
        giver = self.account(source.owner_id, source.asset, source.kind)
        taker = self.account(target.owner_id, target.asset, target.kind)
        self.transfer(kind, giver, taker, units, trade_id=trade_id, reference=reference)

    def account(self, owner: int, asset: str, kind: str) -> AccountState:
        """The account, opened now if it was never used. Open the giver before the taker."""
        account = self._near.find(owner, asset, kind)
        if account is None:
            account = AccountState(self.new_id(), 0)
            self._near.open(AccountKey(owner, asset, kind), account)
        return account

    def pockets(self, owner: int, asset: str) -> tuple[AccountState, AccountState]:
        """The accounts of what an owner has available, and of what is held: opened like that."""
        near = self._near.pockets(owner, asset)
        available, held = near.available, near.held
        if available is None:
            available = self.account(owner, asset, AVAILABLE)
        if held is None:
            held = self.account(owner, asset, HELD)
        return available, held

    def transfer(
        self,
        kind: str,
        giver: AccountState,
        taker: AccountState,
        units: int,
        *,
        order_id: int | None = None,
        trade_id: int | None = None,
        reference: str | None = None,
    ) -> None:
        """Move units between two accounts. Raises RuntimeError when it overdraws: a defect."""
        giver.balance -= units
        taker.balance += units
        if units <= 0 or (giver.balance < 0 and giver.key.kind != OUTSIDE):
            raise RuntimeError(f"transfer {kind} of {units} overdraws {giver.key}")
        if too_many(taker.balance) or too_many(giver.balance):
            raise RuntimeError(f"transfer {kind} overflows {giver.key} or {taker.key}")
        self._moved(giver)
        self._moved(taker)
        self.changes.transfers.append(
            TransferRow(
                self.new_id(),
                self.seq,
                self.at_ms,
                kind,
                giver.id,
                taker.id,
                units,
                giver.balance,
                taker.balance,
                order_id,
                trade_id,
                reference,
            )
        )

    def _moved(self, account: AccountState) -> None:
        if account.noted != self._batch:
            account.noted = self._batch
            self.changes.accounts[account.key] = account
        if self.open_orders.anybody_shares and account.key.kind == AVAILABLE:
            owner = account.key.owner_id
            if self.open_orders.shares(owner):
                self.moved_under.add(owner)

    def emit(self, actor: str, kind: str, subject: str, data: dict[str, Any]) -> None:
        """Record that something happened; `data` is the event's from now on."""
        self.changes.events.append(EventRow(self.at_ms, actor, kind, subject, data))

    def touch_order(self, order: OrderState) -> None:
        """Note an order as changed; a closed one leaves memory and book."""
        order.updated_ms = self.at_ms
        self.changes.orders[order.id] = order
        if order.id in self.orders:
            if order.status != OPEN:
                self.orders.discard(order.id)
                self.open_orders.remove(order)
                self.markets[order.market_id].book.remove(order)
        elif order.status == OPEN:
            self._open(order)

    def _open(self, order: OrderState) -> None:
        self.orders[order.id] = order
        self.open_orders.add(order)
        if order.hours or order.expires_ms is not None:
            self.timers.watch(order, self.at_ms)

    def touch_trade(self, trade: TradeState) -> None:
        """Note a trade as changed; a closed one leaves memory."""
        trade.updated_ms = self.at_ms
        self.changes.trades[trade.id] = trade
        if trade.closed:
            self.trades.discard(trade.id)
        else:
            self.trades[trade.id] = trade

    def take_changes(self) -> Changes:
        """Hand over what changed and start afresh."""
        changes, self.changes = self.changes, Changes()
        self._batch += 1
        return changes

    def restore(
        self,
        *,
        markets: Iterable[MarketInShard],
        orders: Iterable[OrderState],
        trades: Iterable[TradeState],
        accounts: Iterable[tuple[AccountKey, AccountState]],
    ) -> None:
        """Fill the memory from stored rows, after `at_ms`. Orders must come oldest first."""
        self.markets = {market.terms.id: market for market in markets}
        for market in self.markets.values():
            market.book.set_smallest(market.terms.min_trade)
            market.book.set_index(market.index_ticks)
        self.trades = ById((trade.id, trade) for trade in trades)
        self.accounts = dict(accounts)
        self._near = Accounts(self.accounts)
        for order in orders:
            self._open(order)
            if order.paused is None:
                self.markets[order.market_id].book.add(order)

    def snapshot(self) -> dict[str, Any]:
        """Everything in plain values, for comparing two states."""
        return {
            "number": self.number,
            "seq": self.seq,
            "next_id": self.next_id,
            "markets": {
                id_: [
                    plain(m.terms),
                    m.index_ticks,
                    m.index_at_ms,
                    m.index_reason,
                    m.quote_id,
                    m.index_until_ms,
                ]
                for id_, m in sorted(self.markets.items())
            },
            "orders": {id_: plain(order) for id_, order in sorted(self.orders.items())},
            "trades": {id_: plain(trade) for id_, trade in sorted(self.trades.items())},
            "accounts": {
                f"{key.owner_id}|{key.asset}|{key.kind}": [account.id, account.balance]
                for key, account in sorted(self.accounts.items())
            },
        }


def plain(row: Any) -> Any:
    """An order, trade or terms in plain values, for comparing and storing."""
    return row.as_dict() if isinstance(row, OrderState | TradeState) else asdict(row)
