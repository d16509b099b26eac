"""HTTP: quoting, placing, listing, changing and cancelling one's own orders."""

from typing import Annotated, Any, Literal

from flask import Blueprint
from pydantic import Field, RootModel

from portal.api.context import caller, services
from portal.api.idempotency import engine_key
from portal.api.operation import ID, operation
from portal.api.shapes import Answer, Body, ErrorDetail, Page, Query
from portal.core.errors import PortalError
from portal.orders.authority import SignedAuthority
from portal.orders.changes import ChangeDesk
from portal.orders.mass_quotes import MassQuotes
from portal.orders.queries import OrderPage, OrderView, own_order, own_orders, own_orders_by_id
from portal.orders.quoting import OrderQuote
from portal.orders.service import OrderDesk, Placed, Via
from portal.orders.shapes import (
    AmendBody,
    MassQuoteBody,
    OrderBody,
    PlacedTerms,
    QuoteBody,
    wanted_change,
    wanted_order,
    wanted_quotes,
)

blueprint = Blueprint("orders_api", __name__)


class QuoteAnswer(RootModel[OrderQuote]):
    """What the order would cost, reserve and must be signed for it."""


class OrderAnswer(RootModel[OrderView]):
    """One order."""


class PlacedAnswer(Answer):
    """The order and the trades it made at once."""

    order: OrderView
    trades: list[int]


class QuotedAnswer(Answer):
    """What became of one quote: an order with its trades, or a refusal."""

    order: OrderView | None
    trades: list[int]
    error: ErrorDetail | None


class MassQuoteAnswer(Answer):
    """What became of each quote, in the order they were sent."""

    quotes: list[QuotedAnswer]


class OrdersAnswer(RootModel[OrderPage]):
    """A page of orders."""


class OrdersQuery(Page):
    """Which orders."""

    status: Literal["open", "all"] = "open"


class CancelQuery(Query):
    """Which of the caller's open orders; all of them if nothing is said."""

    market: Annotated[str, Field(min_length=1, max_length=40)] | None = None
    side: Literal["buy", "sell"] | None = None


class CancelledAnswer(Answer):
    """The orders that were taken out, and those that must rest for longer in their market."""

    cancelled: list[int]
    kept: list[int]


class AwayBody(Body):
    """On holiday, or back."""

    away: bool


class AwayAnswer(Answer):
    """Whether the caller is on holiday, and the orders that left the book or came back."""

    away: bool
    orders: list[int]


@operation(
    blueprint,
    "POST",
    "/orders/quote",
    answer=QuoteAnswer,
    body=QuoteBody,
    fails=(404, 409),
    machines="read",
)
def quote_order(body: QuoteBody) -> OrderQuote:
    """What an order would cost and reserve now, and what to sign for it. Changes nothing."""
    return _desk().quote(caller().id, wanted_order(body))


@operation(
    blueprint,
    "POST",
    "/orders",
    answer=PlacedAnswer,
    status=201,
    body=OrderBody,
    fails=(404,),
    once=True,
    machines="trade",
)
def place_order(body: OrderBody) -> dict[str, Any]:
    """Place an order; whatever matches is traded at once."""
    key = engine_key(body.client_id)
    placed = _desk().place(caller().id, wanted_order(body), _signed(body), key, _via())
    return _shown(placed.order_id, placed.trades)


@operation(
    blueprint,
    "POST",
    "/orders/mass-quote",
    answer=MassQuoteAnswer,
    body=MassQuoteBody,
    fails=(404,),
    once=True,
    machines="trade",
)
def mass_quote(body: MassQuoteBody) -> dict[str, Any]:
    """Replace all orders of a quote set by these, in one step.

    A quote that can't be right refuses the whole request; one that the engine refuses leaves
    the others standing.
    """
    quotes = [
        (wanted, _signed(terms))
        for wanted, terms in zip(wanted_quotes(body), body.quotes, strict=True)
    ]
    desk = MassQuotes(_desk())
    market, quote_set, key = body.market, body.quote_set, engine_key()
    found = desk.replace(caller().id, market, quote_set, quotes, key, _via())
    placed = [one.order_id for one in found if isinstance(one, Placed)]
    with services().database.reader() as session:
        orders = own_orders_by_id(session, caller().id, placed)
    return {"quotes": [_quoted(one, orders) for one in found]}


@operation(blueprint, "GET", "/orders", answer=OrdersAnswer, query=OrdersQuery)
def list_orders(query: OrdersQuery) -> OrderPage:
    """My orders, newest first."""
    with services().database.reader() as session:
        only_open = query.status == "open"
        return own_orders(session, caller().id, only_open=only_open, before=query.before)


@operation(
    blueprint,
    "DELETE",
    "/orders",
    answer=CancelledAnswer,
    query=CancelQuery,
    fails=(404, 409),
    machines="trade",
)
def cancel_orders(query: CancelQuery) -> dict[str, Any]:
    """Take all my orders out of the book, of one market or side where named."""
    cancelled, kept = _changes().cancel_all(caller().id, query.market, query.side)
    return {"cancelled": cancelled, "kept": kept}


@operation(blueprint, "GET", f"/orders/<{ID}:order_id>", answer=OrderAnswer)
def get_order(order_id: int) -> OrderView:
    """One of my orders."""
    with services().database.reader() as session:
        return own_order(session, caller().id, order_id)


@operation(
    blueprint,
    "PATCH",
    f"/orders/<{ID}:order_id>",
    answer=PlacedAnswer,
    body=AmendBody,
    once=True,
    machines="trade",
)
def amend_order(order_id: int, body: AmendBody) -> dict[str, Any]:
    """Change an order that stands in the book; it may trade at once."""
    trades = _changes().amend(caller().id, order_id, wanted_change(body), engine_key())
    return _shown(order_id, trades)


@operation(
    blueprint,
    "POST",
    f"/orders/<{ID}:order_id>/cancel",
    answer=OrderAnswer,
    fails=(409,),
    machines="trade",
)
def cancel_order(order_id: int) -> OrderView:
    """Take what is left of an order out of the book."""
    _changes().cancel(caller().id, order_id)
    return _own(order_id)


@operation(
    blueprint,
    "POST",
    f"/orders/<{ID}:order_id>/pause",
    answer=OrderAnswer,
    fails=(409,),
    machines="trade",
)
def pause_order(order_id: int) -> OrderView:
    """Take an order out of the book for a while; it keeps what it holds."""
    _changes().pause(caller().id, order_id, paused=True)
    return _own(order_id)


@operation(
    blueprint,
    "POST",
    f"/orders/<{ID}:order_id>/resume",
    answer=OrderAnswer,
    fails=(409,),
    machines="trade",
)
def resume_order(order_id: int) -> OrderView:
    """Put a paused order back into the book; it may trade at once."""
    _changes().pause(caller().id, order_id, paused=False)
    return _own(order_id)


@operation(
    blueprint, "POST", "/me/away", answer=AwayAnswer, body=AwayBody, fails=(409,), machines="trade"
)
def set_away(body: AwayBody) -> dict[str, Any]:
    """A holiday: all orders that I have now leave the book until I am back."""
    return {"away": body.away, "orders": _changes().set_away(caller().id, away=body.away)}


def _own(order_id: int) -> OrderView:
    with services().database.reader() as session:
        return own_order(session, caller().id, order_id)


def _shown(order_id: int, trades: list[int]) -> dict[str, Any]:
    return {"order": _own(order_id), "trades": trades}


def _quoted(one: Placed | PortalError, orders: dict[int, OrderView]) -> dict[str, Any]:
    if isinstance(one, PortalError):
        return {"order": None, "trades": [], "error": one.as_dict()}
    return {"order": orders[one.order_id], "trades": one.trades, "error": None}


def _signed(terms: PlacedTerms) -> SignedAuthority | None:
    if terms.authority is None:
        return None
    return SignedAuthority(terms.authority.message.model_dump(), terms.authority.signature)


def _via() -> Via | None:
    key = caller().key
    if key is None:
        return None
    return Via(key.id, key.max_open_orders or services().settings.gateway_key_open_orders)


def _changes() -> ChangeDesk:
    home = services()
    return ChangeDesk(home.database, home.engine)


def _desk() -> OrderDesk:
    home = services()
    return OrderDesk(home.settings, home.database, home.engine, home.plugins, home.sealer)
