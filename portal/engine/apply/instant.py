"""Markets of two coins settle in the ledger at once: a fill moves both and completes its trade."""

from portal.core.money import bps_up
from portal.engine.state import ShardState
from portal.ledger import rules as ledger
from portal.ledger.rules import AVAILABLE, FEE_INCOME, HELD, PLATFORM, AccountKey
from portal.trades.rules import State, TradeState


def settle(
    state: ShardState, trade: TradeState, paid_from: int, maker_fee_bps: int, taker_fee_bps: int
) -> None:
    """Move both coins of a new trade, and give back what its holds were too large by.

    `paid_from`: what of the buyer's hold the trade has, in quote units. Holds are rounded for an
    order as a whole, so of many small trades one may pay a single quote unit less than its
    price, never more than was held. Fees are base units, within what both agreed to.
    """
    maker_buys = trade.maker_side == "buy"
    buyer_bps, seller_bps = (
        (maker_fee_bps, taker_fee_bps) if maker_buys else (taker_fee_bps, maker_fee_bps)
    )
    size = trade.quantity
    trade.buyer_fee = bps_up(size, buyer_bps)
    trade.seller_fee = min(bps_up(size, seller_bps), trade.max_seller_fee)
    trade.escrow_units = trade.to_buyer = size + trade.seller_fee
    trade.fiat_units = min(trade.fiat_units, paid_from)
    trade.state, trade.settled = State.COMPLETED, True
    _pay_base(state, trade)
    _pay_quote(state, trade, paid_from)


def _pay_base(state: ShardState, trade: TradeState) -> None:
    held = AccountKey(trade.seller_id, trade.base, HELD)
    buyer = AccountKey(trade.buyer_id, trade.base, AVAILABLE)
    fees = trade.buyer_fee + trade.seller_fee
    _pay(state, trade, held, buyer, trade.quantity - trade.buyer_fee)
    _pay(state, trade, held, AccountKey(PLATFORM, trade.base, FEE_INCOME), fees)
    _give_back(state, trade, trade.seller_id, trade.base, trade.reserved - trade.escrow_units)


def _pay_quote(state: ShardState, trade: TradeState, paid_from: int) -> None:
    held = AccountKey(trade.buyer_id, trade.quote, HELD)
    seller = AccountKey(trade.seller_id, trade.quote, AVAILABLE)
    _pay(state, trade, held, seller, trade.fiat_units)
    _give_back(state, trade, trade.buyer_id, trade.quote, paid_from - trade.fiat_units)


def _pay(
    state: ShardState, trade: TradeState, source: AccountKey, target: AccountKey, units: int
) -> None:
    if units:
        state.move("settle", source, target, units, trade_id=trade.id)


def _give_back(state: ShardState, trade: TradeState, owner: int, asset: str, units: int) -> None:
    if units:
        state.move("unhold", *ledger.unhold(owner, asset, units), trade_id=trade.id)
