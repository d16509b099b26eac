"""Proof, batch by batch, that what is held and in escrow is exactly what open orders and trades
claim.

The claims are counted here on their own, from the orders and trades a batch changed, and compared
with the accounts it changed. A difference is a defect: the batch is not written. Compiled by mypyc
where a C compiler is there, with the same results.
"""

from collections.abc import Iterable

from mypy_extensions import mypyc_attr

from portal.core.by_id import ById
from portal.engine.state import Changes
from portal.ledger.rules import ESCROW, HELD
from portal.orders.rules import OPEN, SELL, OrderState
from portal.trades.rules import TradeState


@mypyc_attr(native_class=False)
class Unbalanced(RuntimeError):
    """The ledger and the open orders and trades disagree: nothing may be written."""


class _Claims:
    """The claims on all accounts of one asset and kind.

    `claims` are by order or trade, whose ids come from one counter; `totals` are by owner. An
    order or trade keeps its owner.
    """

    __slots__ = ("claims", "totals")

    def __init__(self) -> None:
        self.claims: ById[int] = ById()
        self.totals: dict[int, int] = {}

    def set(self, id_: int, owner: int, claim: int) -> None:
        """Have this order or trade claim so much; 0: nothing."""
        old = self.claims.get(id_) or 0
        if claim == old:
            return
        if claim:
            self.claims[id_] = claim
        else:
            self.claims.discard(id_)
        self.totals[owner] = self.totals.get(owner, 0) + claim - old


class _Asset:
    """What is claimed of one asset."""

    __slots__ = ("escrow", "held")

    def __init__(self) -> None:
        self.held, self.escrow = _Claims(), _Claims()


class Proof:
    """The claims on every held and escrow account, kept in step with what is written."""

    def __init__(
        self,
        assets: dict[str, tuple[str, str]],
        orders: Iterable[OrderState] = (),
        trades: Iterable[TradeState] = (),
    ) -> None:
        """`assets`: the base and the quote of each market; it may grow later."""
        self._assets = assets
        self._claimed: dict[str, _Asset] = {}
        for order in orders:
            self._count_order(order)
        for trade in trades:
            self._count_trade(trade)

    def check(self, changes: Changes) -> None:
        """Raises Unbalanced when an account does not hold what is claimed of it."""
        for market in changes.markets.values():
            self._assets[market.terms.id] = (market.terms.base, market.terms.quote)
        for order in changes.orders.values():
            self._count_order(order)
        for trade in changes.trades.values():
            self._count_trade(trade)
        for key, account in changes.accounts.items():
            owner, asset, kind = key
            if kind == HELD:
                claimed = self._of(asset).held.totals.get(owner, 0)
            elif kind == ESCROW:
                claimed = self._of(asset).escrow.totals.get(owner, 0)
            else:
                continue
            if claimed != account.balance:
                raise Unbalanced(f"{key} holds {account.balance}, {claimed} are claimed of it")

    def _count_order(self, order: OrderState) -> None:
        base, quote = self._assets[order.market_id]
        claim = order.held if order.status == OPEN else 0
        asset = self._of(base if order.side == SELL else quote)
        asset.held.set(order.id, order.owner_id, claim)

    def _count_trade(self, trade: TradeState) -> None:
        """Its reservation until it is locked, then the escrow until it is settled."""
        asset, over, locked = self._of(trade.base), trade.closed, trade.locked
        held = 0 if over or locked else trade.reserved
        asset.held.set(trade.id, trade.seller_id, held)
        asset.escrow.set(
            trade.id, trade.seller_id, trade.escrow_units if locked and not over else 0
        )

    def _of(self, name: str) -> _Asset:
        asset = self._claimed.get(name)
        if asset is None:
            asset = self._claimed[name] = _Asset()
        return asset
