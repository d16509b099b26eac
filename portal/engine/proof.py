"""Proof, batch by batch, that what is held and in escrow is exactly what open orders and trades
claim.

The claims are counted here on their own, from the orders and trades a batch changed, and compared
with the accounts it changed. A difference is a defect: the batch is not written.
"""

from collections.abc import Iterable

from portal.engine.state import Changes
from portal.ledger.rules import ESCROW, HELD, AccountKey
from portal.orders.rules import OPEN, SELL, OrderState
from portal.trades.rules import TradeState

_Claim = tuple[AccountKey, int]


class Unbalanced(RuntimeError):
    """The ledger and the open orders and trades disagree: nothing may be written."""


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
        self._claims: dict[tuple[str, int], _Claim] = {}
        self._totals: dict[AccountKey, int] = {}
        for order in orders:
            self._set("order", order.id, self._claim_of(order))
        for trade in trades:
            self._set("trade", trade.id, claim_of_trade(trade))

    def check(self, changes: Changes) -> None:
        """Raises Unbalanced when an account does not hold what is claimed of it."""
        for market in changes.markets.values():
            self._assets[market.terms.id] = (market.terms.base, market.terms.quote)
        for order in changes.orders.values():
            self._set("order", order.id, self._claim_of(order))
        for trade in changes.trades.values():
            self._set("trade", trade.id, claim_of_trade(trade))
        for key, account in changes.accounts.items():
            if key.kind in (HELD, ESCROW):
                claimed = self._totals.get(key, 0)
                if claimed != account.balance:
                    raise Unbalanced(f"{key} holds {account.balance}, {claimed} are claimed of it")

    def _set(self, kind: str, id_: int, claim: _Claim | None) -> None:
        name = (kind, id_)
        old = self._claims.pop(name, None)
        if old is not None:
            self._totals[old[0]] -= old[1]
        if claim is not None:
            self._claims[name] = claim
            self._totals[claim[0]] = self._totals.get(claim[0], 0) + claim[1]

    def _claim_of(self, order: OrderState) -> _Claim | None:
        if not order.held or order.status != OPEN:
            return None
        base, quote = self._assets[order.market_id]
        return AccountKey(order.owner_id, base if order.side == SELL else quote, HELD), order.held


def claim_of_trade(trade: TradeState) -> _Claim | None:
    """What a trade claims: its reservation until it is locked, then the escrow until settled."""
    if trade.closed:
        return None
    if trade.locked:
        return AccountKey(trade.seller_id, trade.base, ESCROW), trade.escrow_units
    return AccountKey(trade.seller_id, trade.base, HELD), trade.reserved
