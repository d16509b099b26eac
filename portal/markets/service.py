"""Markets: list them, show one with its price, change one.

A change is audited and told to the engine in one go: when the engine refuses, nothing is changed.
Pricing itself is in `portal.markets.pricing`; `sweep` is offered here too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.audit.service import record
from portal.core.clock import iso, now_ms
from portal.core.db import Database
from portal.core.errors import Conflict, InvalidInput, NotFound
from portal.core.jobs import Engine
from portal.core.money import Asset, Money, units_text
from portal.core.settings import Settings
from portal.engine.models import MarketState
from portal.markets.assets import assets
from portal.markets.models import AssetRow, Market, Quote
from portal.markets.pricing import is_fresh, last_good, latest, sweep
from portal.markets.rules import MarketValues, check_change, parse_market

__all__ = [
    "MarketView",
    "engine_terms",
    "list_markets",
    "market_view",
    "save_market",
    "sweep",
    "sync_engine",
]

_AMOUNTS = ("lot", "min_trade", "max_trade")


@dataclass(frozen=True, slots=True)
class MarketView:
    """A market as people see it.

    `quote` is the newest, `good` the newest with a price; `floating_price_ticks` is the good price
    while it is fresh, else None and `pause_reason` says why floating orders pause.
    """

    market: Market
    base: Asset
    quote_asset: Asset
    quote: Quote | None
    good: Quote | None
    floating_price_ticks: int | None
    pause_reason: str | None

    def price_text(self, ticks: int | None) -> str | None:
        """A price in ticks as decimal text of the quote asset."""
        return None if ticks is None else units_text(ticks, self.market.price_places)

    def as_dict(self) -> dict[str, Any]:
        """For JSON: amounts and prices as strings, windows in seconds."""
        market = self.market
        body: dict[str, Any] = {
            name: Money(self.base, getattr(market, name)).text() for name in _AMOUNTS
        }
        for name in _PLAIN:
            body[name] = getattr(market, name)
        body["tick"] = units_text(1, market.price_places)
        body["price"] = self._price()
        return body

    def _price(self) -> dict[str, Any]:
        good = self.good
        return {
            "current": self.price_text(self.floating_price_ticks),
            "last_good": self.price_text(good.price_ticks) if good else None,
            "last_good_at": iso(int(good.at.timestamp() * 1000)) if good else None,
            "quote_id": good.id if good else None,
            "pause_reason": self.pause_reason,
        }


_PLAIN = (
    "id",
    "base",
    "quote",
    "price_places",
    "escrow",
    "status",
    "payment_seconds",
    "release_seconds",
    "protection_bps",
    "max_fee_bps",
    "fee_model",
    "methods",
    "version",
    "settlement",
    "band_bps",
    "min_rest_ms",
    "max_open_orders",
)

_TERMS = (
    "id",
    "base",
    "quote",
    "price_places",
    "lot",
    "min_trade",
    "max_trade",
    "escrow",
    "status",
    "payment_seconds",
    "release_seconds",
    "protection_bps",
    "max_fee_bps",
    "methods",
    "settlement",
    "band_bps",
    "min_rest_ms",
    "max_open_orders",
)


def list_markets(database: Database, settings: Settings) -> list[MarketView]:
    """All markets, by id."""
    query = select(Market).order_by(Market.id)
    with database.reader() as session:
        known = assets(session)
        return [_view(session, settings, known, market) for market in session.scalars(query)]


def market_view(database: Database, settings: Settings, market_id: str) -> MarketView:
    """One market with its price. Raises NotFound."""
    with database.reader() as session:
        return _view(session, settings, assets(session), _market(session, market_id))


def _market(session: Session, market_id: str) -> Market:
    market = session.get(Market, market_id)
    if market is None:
        raise NotFound("No such market.", field="market", value=market_id)
    return market


def _view(
    session: Session, settings: Settings, known: Mapping[str, Asset], market: Market
) -> MarketView:
    newest, good = latest(session, market.id), last_good(session, market.id)
    fresh = good is not None and is_fresh(good, settings, now_ms())
    reason = None if fresh else (newest.reason if newest else None) or "No price yet."
    return MarketView(
        market=market,
        base=known[market.base],
        quote_asset=known[market.quote],
        quote=newest,
        good=good,
        floating_price_ticks=good.price_ticks if fresh and good else None,
        pause_reason=reason,
    )


def save_market(
    database: Database,
    engine: Engine,
    settings: Settings,
    actor: str,
    values: Mapping[str, object],
    *,
    version: int | None = None,
) -> MarketView:
    """Make a market, or change the one with this `id`; audited, and told to the engine.

    Amounts are decimal strings of the base coin. `version` is the one the editor saw, None for
    a new market.
    Raises InvalidInput naming the field, Conflict when somebody was faster or the change is not
    allowed, Unavailable when the engine can't be reached; then nothing is changed.
    """
    with database.transaction() as session:
        known = assets(session)
        checked = parse_market(values, known, min_sources=settings.price_min_sources)
        _check_coins(session, checked)
        market = session.get(Market, checked.id, with_for_update=True)
        before = None if market is None else _as_values(market)
        market = _written(session, market, checked, version)
        # The key lets the client ask again when the engine was just restarted.
        key = f"define_market:{market.id}:{uuid4()}"
        engine.submit({**define_market(market, known), "key": key})
        change = {"before": before, "after": checked.as_dict(), "version": market.version}
        record(session, actor, "market.saved", f"market:{market.id}", change)
        return _view(session, settings, known, market)


def _written(
    session: Session, market: Market | None, checked: MarketValues, version: int | None
) -> Market:
    if market is None:
        market = Market(**checked.as_dict(), shard="main", version=1)
        session.add(market)
    else:
        if version is None:
            raise _taken(checked.id)
        if version != market.version:
            raise Conflict(
                "Somebody changed this market meanwhile.",
                field="version",
                value=version,
                hint=f"It is at version {market.version}: load it again.",
            )
        check_change(_as_values(market), checked)
        for name, value in checked.as_dict().items():
            setattr(market, name, value)
        market.version += 1
    try:
        session.flush()
    except IntegrityError:
        raise _taken(checked.id) from None
    return market


def _check_coins(session: Session, checked: MarketValues) -> None:
    """At once settles only what the ledger holds: coins, not money in banks."""
    if checked.settlement != "instant":
        return
    for name, code in (("base", checked.base), ("quote", checked.quote)):
        if session.get_one(AssetRow, code).kind != "coin":
            raise InvalidInput(
                f"{code} is not kept in the ledger: such a market can't settle at once.",
                field=name,
                value=code,
                hint="Choose two coins, or trades that wait for the money.",
            )


def _taken(market_id: str) -> Conflict:
    return Conflict("There is a market of this name already.", field="id", value=market_id)


def _as_values(market: Market) -> dict[str, Any]:
    return {name: getattr(market, name) for name in MarketValues.__slots__}


def engine_terms(market: Market, known: Mapping[str, Asset]) -> dict[str, object]:
    """The part of a market that the engine matches by (`portal.orders.rules.MarketTerms`)."""
    if market.base not in known or market.quote not in known:
        raise InvalidInput("The market's assets are not known.", field="base", value=market.base)
    places = {"base_places": known[market.base].places, "quote_places": known[market.quote].places}
    return {**{name: getattr(market, name) for name in _TERMS}, **places}


def define_market(market: Market, known: Mapping[str, Asset]) -> dict[str, object]:
    """The command that gives the engine a market's terms."""
    return {"kind": "define_market", **engine_terms(market, known)}


def sync_engine(database: Database, engine: Engine) -> list[str]:
    """Tell the engine the terms of markets it knows otherwise or not at all; returns their ids.

    Heals what a crash between the engine's answer and our commit could leave.
    """
    with database.reader() as session:
        known = assets(session)
        stale = [
            (market.id, define_market(market, known))
            for market in session.scalars(select(Market).order_by(Market.id))
            if _engine_differs(session, market, engine_terms(market, known))
        ]
    for _, command in stale:
        engine.submit(command)
    return [market_id for market_id, _ in stale]


def _engine_differs(session: Session, market: Market, terms: dict[str, object]) -> bool:
    state = session.get(MarketState, market.id)
    return state is None or any(state.terms.get(name) != value for name, value in terms.items())
