"""What orders hold of their owner's balance, and what shared ones can pay for.

A seller holds the coins and the highest fee agreed to. A buyer holds nothing where money is sent
outside; where a market settles at once, what the rest costs at the worst price agreed to. A
shared order holds nothing until it matches.
"""

from portal.core.units import bps_up
from portal.engine.apply.order_checks import cost
from portal.engine.apply.posting import hold, unhold
from portal.engine.state import MarketInShard, ShardState
from portal.orders.rules import SELL, MarketTerms, OrderState, reserve
from portal.orders.walk import Funds, Walker


def instant(terms: MarketTerms) -> bool:
    """Whether the market settles in the ledger at once."""
    return terms.settlement == "instant"


def held_asset(side: str, terms: MarketTerms) -> str:
    """What orders of this side hold."""
    return terms.base if side == SELL else terms.quote


def backing(order: OrderState, size: int, price: int | None, terms: MarketTerms) -> int:
    """What `size` of an order takes at `price` ticks: units of `held_asset`."""
    if order.side == SELL:
        return reserve(SELL, size, order.max_fee_bps)
    if price is None or not instant(terms):
        return 0
    return cost(size, price, terms)


def worst_price(order: OrderState) -> int | None:
    """The most a buyer's order ever pays: its price, or a floating one's ceiling."""
    return order.price_ticks if order.price_kind == "fixed" else order.ceiling_ticks


def due_hold(order: OrderState, terms: MarketTerms) -> int:
    """What the rest of an order must hold."""
    if order.shared:
        return 0
    return backing(order, order.remaining, worst_price(order), terms)


def set_hold(state: ShardState, order: OrderState, units: int) -> None:
    """Hold exactly `units` for an order; what it does not need becomes available."""
    change = units - order.held
    if not change:
        return
    order.held = units
    asset = held_asset(order.side, state.market(order.market_id).terms)
    if change > 0:
        hold(state, order.owner_id, asset, change, order.id)
    else:
        unhold(state, order.owner_id, asset, -change, order_id=order.id)


def require_hold(state: ShardState, order: OrderState, units: int, *, input_field: str) -> None:
    """Raises InvalidInput unless the owner can bring what `units` are more than is held."""
    if units > order.held:
        asset = held_asset(order.side, state.market(order.market_id).terms)
        state.require(order.owner_id, asset, units - order.held, input_field=input_field)


class Balances(Funds):
    """What the owners of a market's shared orders have available."""

    def __init__(self, state: ShardState, terms: MarketTerms) -> None:
        self.state = state
        self.terms = terms

    def most(self, order: OrderState, price: int, spent: int) -> int:
        """The largest size that is affordable beyond `spent`, in base units."""
        if order.side != SELL and not instant(self.terms):
            return order.remaining
        asset = held_asset(order.side, self.terms)
        left = self.state.available(order.owner_id, asset) - spent
        if left <= 0:
            return 0
        if backing(order, order.remaining, price, self.terms) <= left:
            return order.remaining
        if order.side == SELL:
            most = left * 10_000 // (10_000 + order.max_fee_bps)
            return most if most + bps_up(most, order.max_fee_bps) <= left else most - 1
        places = self.terms.base_places + self.terms.price_places - self.terms.quote_places
        if places >= 0:
            return int(left * 10**places // price)
        return int(left // (price * 10**-places))

    def cost(self, order: OrderState, price: int, size: int) -> int:
        """What a trade of this size takes from the available balance."""
        return backing(order, size, price, self.terms)


def walker(state: ShardState, market: MarketInShard) -> Walker:
    """The one that finds trades in this market, by its present terms."""
    found = market.walker
    if found is None:
        found = Walker(market.book, market.terms.lot, Balances(state, market.terms))
        market.walker = found
    return found


def is_backed(state: ShardState, order: OrderState) -> bool:
    """Whether a shared order's owner can pay for its smallest trade. Others always are."""
    if not order.shared:
        return True
    market = state.market(order.market_id)
    price = worst_price(order) or market.index(state.at_ms) or 1
    return Balances(state, market.terms).most(order, price, 0) >= order.min_trade
