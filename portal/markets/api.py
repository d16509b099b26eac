"""HTTP: markets, their prices, books and offers. Open to all."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal, cast

from flask import Blueprint
from pydantic import Field, RootModel
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.api.context import caller_or_none, services
from portal.api.operation import ID, operation
from portal.api.shapes import Amount, Answer, Query
from portal.core.clock import iso
from portal.core.money import parse_units
from portal.markets.models import Market, Quote
from portal.markets.pricing import latest
from portal.orders.offers import (
    BookView,
    OfferView,
    SourceView,
    best_prices,
    book,
    offer,
    offers,
    source_views,
)
from portal.orders.queries import MarketFrame, load_frame
from portal.orders.shapes import Link

blueprint = Blueprint("markets_api", __name__)


@dataclass(frozen=True)
class MarketIndex:
    """The index price now, when it was taken, and what it was made from."""

    price: str | None
    at: str | None
    reason: str | None
    sources: list[SourceView]


@dataclass(frozen=True)
class MarketView:
    """A market and its terms. Windows are seconds.

    `status`: `halted` takes no orders, `auction` takes them and matches when it opens; `notice`
    says so in a sentence. `settlement`: `trade` waits for money, `instant` moves both coins in
    the ledger at once. A limit price is at most `band_bps` from the index, an order is its
    owner's to change after `min_rest_ms`, a person has at most `max_open_orders`; 0: no limit.
    """

    id: str
    base: str
    quote: str
    base_places: int
    quote_places: int
    price_places: int
    lot: str
    min_trade: str
    max_trade: str
    escrow: Literal["evm", "ledger"]
    settlement: Literal["trade", "instant"]
    status: Literal["open", "halted", "auction"]
    notice: str | None
    payment_seconds: int
    release_seconds: int
    max_fee_bps: int
    band_bps: int
    min_rest_ms: int
    max_open_orders: int
    methods: list[str]
    index: MarketIndex
    best_bid: str | None
    best_ask: str | None


class MarketAnswer(RootModel[MarketView]):
    """One market."""


class MarketsAnswer(Answer):
    """All markets."""

    markets: list[MarketView]


class BookAnswer(RootModel[BookView]):
    """A market's book."""


class OffersAnswer(Answer):
    """Offers, best price first."""

    offers: list[OfferView]


class OfferAnswer(RootModel[OfferView]):
    """One offer."""


class BookQuery(Query):
    """How many price levels of each side."""

    depth: Annotated[int, Field(ge=1, le=200)] = 20


class OffersQuery(Query):
    """Which offers: `side` is what their makers do."""

    side: Literal["sell", "buy"]
    method: Annotated[str, Field(max_length=40)] | None = None
    quantity: Amount | None = None


class OfferQuery(Query):
    """The link of a private offer."""

    link: Link | None = None


_NOTICES = {
    "halted": "This market is halted: it takes no orders. Trades under way go on.",
    "auction": "This market is in an auction: orders are taken and trade when it opens.",
}


@operation(blueprint, "GET", "/markets", answer=MarketsAnswer, access="open")
def list_markets() -> dict[str, Any]:
    """All markets."""
    with services().database.reader() as session:
        ids = session.scalars(select(Market.id).order_by(Market.id)).all()
        return {"markets": [_market(session, load_frame(session, name)) for name in ids]}


@operation(blueprint, "GET", "/markets/<market_id>", answer=MarketAnswer, access="open")
def get_market(market_id: str) -> MarketView:
    """One market."""
    with services().database.reader() as session:
        return _market(session, load_frame(session, market_id))


@operation(
    blueprint,
    "GET",
    "/markets/<market_id>/book",
    answer=BookAnswer,
    access="open",
    query=BookQuery,
)
def get_book(market_id: str, query: BookQuery) -> BookView:
    """The book, aggregated by price."""
    with services().database.reader() as session:
        return book(session, market_id, query.depth)


@operation(
    blueprint,
    "GET",
    "/markets/<market_id>/offers",
    answer=OffersAnswer,
    access="open",
    query=OffersQuery,
)
def list_offers(market_id: str, query: OffersQuery) -> dict[str, Any]:
    """Offers of a market; those of the caller are marked, and what keeps them from one is told."""
    me = caller_or_none()
    with services().database.reader() as session:
        frame = load_frame(session, market_id)
        quantity = None
        if query.quantity is not None:
            quantity = parse_units(query.quantity, frame.base.places, field="quantity")
        found = offers(
            session,
            market_id,
            query.side,
            method=query.method,
            quantity=quantity,
            viewer=me.id if me else None,
        )
        return {"offers": found}


@operation(
    blueprint,
    "GET",
    f"/offers/<{ID}:order_id>",
    answer=OfferAnswer,
    access="open",
    query=OfferQuery,
)
def get_offer(order_id: int, query: OfferQuery) -> OfferView:
    """One offer; a private one by its link. Whether the caller meets its conditions is in it."""
    me = caller_or_none()
    with services().database.reader() as session:
        return offer(session, order_id, query.link, me.id if me else None)


def _market(session: Session, frame: MarketFrame) -> MarketView:
    market = frame.market
    bid, ask = best_prices(session, frame)
    return MarketView(
        id=market.id,
        base=market.base,
        quote=market.quote,
        base_places=frame.base.places,
        quote_places=frame.quote.places,
        price_places=market.price_places,
        lot=frame.amount(market.lot),
        min_trade=frame.amount(market.min_trade),
        max_trade=frame.amount(market.max_trade),
        escrow="evm" if market.escrow == "evm" else "ledger",
        settlement="instant" if market.settlement == "instant" else "trade",
        status=cast(Literal["open", "halted", "auction"], market.status),
        notice=_NOTICES.get(market.status),
        payment_seconds=market.payment_seconds,
        release_seconds=market.release_seconds,
        max_fee_bps=market.max_fee_bps,
        band_bps=market.band_bps,
        min_rest_ms=market.min_rest_ms,
        max_open_orders=market.max_open_orders,
        methods=market.methods,
        index=_index(frame, latest(session, market.id)),
        best_bid=bid,
        best_ask=ask,
    )


def _index(frame: MarketFrame, quote: Quote | None) -> MarketIndex:
    sources = source_views(quote.sources) if quote else []
    return MarketIndex(
        price=frame.price(frame.index_ticks),
        at=iso(frame.index_at_ms),
        reason=frame.index_reason,
        sources=sources,
    )
