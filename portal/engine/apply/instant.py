"""Markets of two coins settle in the ledger at once: a fill moves both and completes its trade."""

from portal.core.units import bps_up
from portal.engine.apply.posting import pay, pay_fee, unhold
from portal.engine.state import ShardState
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
    base, seller = trade.base, trade.seller_id
    fees = trade.buyer_fee + trade.seller_fee
    bought = trade.quantity - trade.buyer_fee
    if bought:
        pay(state, seller, trade.buyer_id, base, bought, trade.id)
    if fees:
        pay_fee(state, seller, base, fees, trade.id)
    if left := trade.reserved - trade.escrow_units:
        unhold(state, seller, base, left, trade_id=trade.id)


def _pay_quote(state: ShardState, trade: TradeState, paid_from: int) -> None:
    quote, buyer, price = trade.quote, trade.buyer_id, trade.fiat_units
    if price:
        pay(state, buyer, trade.seller_id, quote, price, trade.id)
    if left := paid_from - price:
        unhold(state, buyer, quote, left, trade_id=trade.id)
