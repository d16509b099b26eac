"""The moves that nearly every order makes, between two accounts of one owner or of two.

The rules of the rarer ones are in `portal.ledger.rules`.
"""

from portal.engine.state import ShardState
from portal.ledger.rules import AVAILABLE, FEE_INCOME, HELD, PLATFORM


def hold(state: ShardState, owner: int, asset: str, units: int, order_id: int) -> None:
    """An order sets coins aside."""
    available, held = state.pockets(owner, asset)
    state.transfer("hold", available, held, units, order_id=order_id)


def unhold(
    state: ShardState,
    owner: int,
    asset: str,
    units: int,
    *,
    order_id: int | None = None,
    trade_id: int | None = None,
) -> None:
    """An order or an unlocked trade gives coins back."""
    available, held = state.pockets(owner, asset)
    state.transfer("unhold", held, available, units, order_id=order_id, trade_id=trade_id)


def pay(
    state: ShardState, giver_id: int, taker_id: int, asset: str, units: int, trade_id: int
) -> None:
    """A trade that settles at once: what the giver's order held is the taker's."""
    giver = state.account(giver_id, asset, HELD)
    taker = state.account(taker_id, asset, AVAILABLE)
    state.transfer("settle", giver, taker, units, trade_id=trade_id)


def pay_fee(state: ShardState, giver_id: int, asset: str, units: int, trade_id: int) -> None:
    """And the platform's part of it."""
    giver = state.account(giver_id, asset, HELD)
    taker = state.account(PLATFORM, asset, FEE_INCOME)
    state.transfer("settle", giver, taker, units, trade_id=trade_id)
