"""Market terms and index prices."""

from dataclasses import fields
from typing import Any

import msgspec

from portal.core.errors import InvalidInput
from portal.core.units import MAX_UNITS, quote_units
from portal.engine.apply import auction
from portal.engine.commands import DefineMarket, IndexTick
from portal.engine.state import MarketInShard, ShardState
from portal.orders.rules import MAX_MARGIN_BPS, MarketTerms, floating_price


def define(state: ShardState, command: DefineMarket) -> dict[str, Any]:
    """Create a market or change its terms. Its assets and places never change."""
    values = msgspec.structs.asdict(command)
    terms = MarketTerms(**{item.name: values[item.name] for item in fields(MarketTerms)})
    market = state.markets.get(command.id)
    _refuse_two_escrows(state, terms)
    _refuse_instant_money(terms)
    opens = False
    if market is None:
        market = state.markets[command.id] = MarketInShard(terms)
    else:
        _refuse_new_units(market.terms, terms)
        _refuse_overflow(terms, market.index_ticks or 0, input_field="max_trade")
        opens = market.terms.status == "auction" and terms.status == "open"
        market.terms, market.walker = terms, None
    market.book.set_smallest(terms.min_trade)
    state.changes.markets[command.id] = market
    state.emit("system", "market.defined", f"market:{command.id}", {"status": terms.status})
    trades = auction.cross(state, market) if opens else []
    return {"market": command.id, "trades": trades}


def tick(state: ShardState, command: IndexTick) -> dict[str, Any]:
    """Take a new index price. Only a pause and its end are events; a price is a stored quote."""
    market = state.market(command.market)
    _refuse_overflow(market.terms, command.price or 0)
    was_paused, is_paused = market.index_ticks is None, command.price is None
    market.index_ticks, market.index_at_ms = command.price, state.at_ms
    market.quote_id, market.index_until_ms = command.quote_id, command.good_until_ms
    market.index_reason = (command.reason or "No fresh price.") if is_paused else None
    market.book.set_index(command.price)
    state.changes.markets[command.market] = market
    if was_paused != is_paused:
        name = "market.price_lost" if is_paused else "market.price_found"
        state.emit("system", name, f"market:{command.market}", {"reason": market.index_reason})
    return {"market": command.market}


def _refuse_overflow(terms: MarketTerms, price: int, *, input_field: str = "price") -> None:
    """The dearest floating price of the largest trade must still be countable."""
    dearest = floating_price(price, MAX_MARGIN_BPS) if price else 0
    total = quote_units(
        terms.max_trade,
        dearest,
        base_places=terms.base_places,
        price_places=terms.price_places,
        quote_places=terms.quote_places,
    )
    if total > MAX_UNITS:
        raise InvalidInput(
            "The dearest price of the largest trade is more than can be counted.",
            field=input_field,
            value=price if input_field == "price" else terms.max_trade,
        )


def _refuse_instant_money(terms: MarketTerms) -> None:
    """What settles at once is in the ledger on both sides, and needs no other payment."""
    if terms.settlement == "instant" and (terms.escrow != "ledger" or terms.methods != ["ledger"]):
        raise InvalidInput(
            "A market that settles at once has ledger escrow and the one method ledger.",
            field="settlement",
            value=terms.settlement,
        )


def _refuse_two_escrows(state: ShardState, terms: MarketTerms) -> None:
    """Sold in the ledger, coins in the seller's vault on chain would still be the seller's."""
    for other in state.markets.values():
        two_ways = other.terms.base == terms.base and other.terms.escrow != terms.escrow
        if two_ways or _sold_on_chain(terms, other.terms) or _sold_on_chain(other.terms, terms):
            raise InvalidInput(
                f"{terms.base} is escrowed otherwise on {other.terms.id}: one coin, one escrow.",
                field="escrow",
                value=terms.escrow,
                hint=f"Choose the escrow of {other.terms.id}.",
            )


def _sold_on_chain(instant: MarketTerms, other: MarketTerms) -> bool:
    """Whether the coin that one market pays with is another one's coin in vaults on chain."""
    return (
        instant.settlement == "instant" and other.base == instant.quote and other.escrow != "ledger"
    )


def _refuse_new_units(old: MarketTerms, new: MarketTerms) -> None:
    fixed = ("base", "quote", "base_places", "quote_places", "price_places", "escrow", "settlement")
    for name in fixed:
        if getattr(old, name) != getattr(new, name):
            raise InvalidInput(
                f"{name} of a market can't be changed: its orders are counted in it.",
                field=name,
                value=getattr(new, name),
                hint="Open another market and halt this one.",
            )
