"""HTTP: quoting, placing, listing and cancelling one's own orders."""

from typing import Annotated, Any, Literal

from flask import Blueprint
from pydantic import Field, RootModel

from portal.api.context import caller, services
from portal.api.idempotency import engine_key
from portal.api.operation import ID, operation
from portal.api.shapes import Amount, Answer, Body, Id, Page, Signature
from portal.orders.draft import Wanted
from portal.orders.queries import OrderPage, OrderView, own_order, own_orders
from portal.orders.quoting import OrderQuote
from portal.orders.service import OrderDesk, SignedAuthority

blueprint = Blueprint("orders_api", __name__)

Method = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[a-z0-9_]+$")]


class QuoteBody(Body):
    """An order as wanted. A fixed limit order has a price, a floating one a margin."""

    market: Annotated[str, Field(min_length=1, max_length=40, examples=["USDT-EUR"])]
    side: Literal["buy", "sell"]
    order_type: Literal["limit", "market"]
    price_kind: Literal["fixed", "floating"] = "fixed"
    price: Amount | None = None
    margin_bps: Annotated[int, Field(ge=-5000, le=5000)] | None = None
    quantity: Amount
    min_trade: Amount | None = None
    max_trade: Amount | None = None
    methods: Annotated[list[Method], Field(min_length=1, max_length=10)]
    take_order: Id | None = None


class AuthorityMessage(Body):
    """The message of the OrderAuthority typed data; whole numbers are decimal strings."""

    owner: str
    token: str
    maxTotal: str  # noqa: N815 (the contract's names)
    maxPerTrade: str  # noqa: N815
    arbiter: str
    feeTo: str  # noqa: N815
    maxFeeBps: str  # noqa: N815
    opener: str
    payWindow: str  # noqa: N815
    deadline: str
    nonce: str


class AuthorityBody(Body):
    """A signed order authority: the message of the quote's typed data, and the signature."""

    message: AuthorityMessage
    signature: Signature


class OrderBody(QuoteBody):
    """A new order: the quoted body with accounts to be paid on, and the signed authority."""

    payment_accounts: Annotated[dict[Method, Id], Field(max_length=10)] = Field(
        default_factory=dict
    )
    tif: Literal["GTC", "IOC"] = "GTC"
    authority: AuthorityBody | None = None


class QuoteAnswer(RootModel[OrderQuote]):
    """What the order would cost, reserve and must be signed for it."""


class OrderAnswer(RootModel[OrderView]):
    """One order."""


class PlacedAnswer(Answer):
    """The new order and the trades it made at once."""

    order: OrderView
    trades: list[int]


class OrdersAnswer(RootModel[OrderPage]):
    """A page of orders."""


class OrdersQuery(Page):
    """Which orders."""

    status: Literal["open", "all"] = "open"


@operation(
    blueprint,
    "POST",
    "/orders/quote",
    answer=QuoteAnswer,
    body=QuoteBody,
    fails=(404, 409),
)
def quote_order(body: QuoteBody) -> OrderQuote:
    """What an order would cost and reserve now, and what to sign for it. Changes nothing."""
    return _desk().quote(caller().id, _wanted(body))


@operation(
    blueprint,
    "POST",
    "/orders",
    answer=PlacedAnswer,
    status=201,
    body=OrderBody,
    fails=(404,),
    once=True,
)
def place_order(body: OrderBody) -> dict[str, Any]:
    """Place an order; whatever matches is traded at once."""
    signed = None
    if body.authority is not None:
        signed = SignedAuthority(body.authority.message.model_dump(), body.authority.signature)
    placed = _desk().place(caller().id, _wanted(body), signed, engine_key())
    with services().database.reader() as session:
        order = own_order(session, caller().id, placed.order_id)
    return {"order": order, "trades": placed.trades}


@operation(blueprint, "GET", "/orders", answer=OrdersAnswer, query=OrdersQuery)
def list_orders(query: OrdersQuery) -> OrderPage:
    """My orders, newest first."""
    with services().database.reader() as session:
        only_open = query.status == "open"
        return own_orders(session, caller().id, only_open=only_open, before=query.before)


@operation(blueprint, "GET", f"/orders/<{ID}:order_id>", answer=OrderAnswer)
def get_order(order_id: int) -> OrderView:
    """One of my orders."""
    with services().database.reader() as session:
        return own_order(session, caller().id, order_id)


@operation(
    blueprint,
    "POST",
    f"/orders/<{ID}:order_id>/cancel",
    answer=OrderAnswer,
    fails=(409,),
)
def cancel_order(order_id: int) -> OrderView:
    """Take what is left of an order out of the book."""
    _desk().cancel(caller().id, order_id)
    with services().database.reader() as session:
        return own_order(session, caller().id, order_id)


def _desk() -> OrderDesk:
    home = services()
    return OrderDesk(home.settings, home.database, home.engine, home.plugins)


def _wanted(body: QuoteBody) -> Wanted:
    fields = body.model_dump(exclude={"authority", "methods"})
    return Wanted(methods=tuple(dict.fromkeys(body.methods)), **fields)
