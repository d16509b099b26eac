"""The JSON of an order and of its changes, for every door that takes them. No Flask here."""

from typing import Annotated, Literal

from pydantic import Field

from portal.api.shapes import Amount, Body, Id, Signature
from portal.orders.amend import WantedChange
from portal.orders.condition_words import WantedConditions
from portal.orders.draft import Wanted
from portal.orders.hours import Day, WantedHours, WantedSpan

MOST_QUOTES = 50

Method = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[a-z0-9_]+$")]
MarketId = Annotated[str, Field(min_length=1, max_length=40, examples=["USDT-EUR"])]
Moment = Annotated[
    str,
    Field(
        max_length=40,
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{5,15}(Z|[+-][0-9]{2}:[0-9]{2})$",
        description="ISO 8601 with its zone.",
        examples=["2030-01-31T18:00:00Z"],
    ),
]
ClockTime = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", examples=["09:00"])]
Margin = Annotated[int, Field(ge=-5000, le=5000, description="Basis points over the index.")]
Link = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{8,64}$")]
ClientId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Count = Annotated[int, Field(ge=0, le=1_000_000)]


class SpanBody(Body):
    """From `start` to `end` on each of `days`; an end not after the start is the next day's."""

    days: Annotated[list[Day], Field(min_length=1, max_length=7)]
    start: ClockTime
    end: ClockTime


class HoursBody(Body):
    """Working hours in the time zone `zone`. They are kept in UTC as they are at that moment."""

    zone: Annotated[
        str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_+/-]{0,63}$", examples=["Europe/Berlin"])
    ]
    spans: Annotated[list[SpanBody], Field(min_length=1, max_length=21)]


class ConditionsBody(Body):
    """Who the order trades with. `first_trade_max`: with people without a completed trade."""

    min_kyc_tier: Annotated[int, Field(ge=0, le=100)] = 0
    min_completed_trades: Count = 0
    min_completion_rate: Annotated[
        str | None, Field(pattern=r"^(0(\.[0-9]{1,4})?|1(\.0{1,4})?)$", examples=["0.95"])
    ] = None
    min_account_days: Annotated[int, Field(ge=0, le=36_500)] = 0
    first_trade_max: Amount | None = None
    regions: Annotated[
        list[Annotated[str, Field(pattern=r"^[A-Z]{2}$", examples=["DE"])]], Field(max_length=250)
    ] = Field(default_factory=list)


class TermsBody(Body):
    """An order's terms. A fixed limit order has a price, a floating one a margin.

    `tif`: GTC, GTD (until `expires_at`), IOC, FOK. `floor` and `ceiling` bound a floating price.
    A `shared` order sets nothing aside until it matches, so several can stand over one balance.
    `stp` says what goes when it meets an order of the same person. `private`: traded only by
    those who have its link.
    """

    side: Literal["buy", "sell"]
    order_type: Literal["limit", "market"]
    price_kind: Literal["fixed", "floating"] = "fixed"
    price: Amount | None = None
    margin_bps: Margin | None = None
    floor: Amount | None = None
    ceiling: Amount | None = None
    quantity: Amount
    min_trade: Amount | None = None
    max_trade: Amount | None = None
    methods: Annotated[list[Method], Field(min_length=1, max_length=10)]
    tif: Literal["GTC", "GTD", "IOC", "FOK"] = "GTC"
    expires_at: Moment | None = None
    post_only: bool = False
    shared: bool = False
    stp: Literal["cancel_newest", "cancel_oldest", "cancel_both"] = "cancel_newest"
    hours: HoursBody | None = None
    conditions: ConditionsBody | None = None
    private: bool = False


class AuthorityMessage(Body):
    """The message of the OrderAuthority typed data; whole numbers are decimal strings."""

    owner: str
    token: str
    maxTotal: str  # noqa: N815 (the contract's names)
    minPerTrade: str  # noqa: N815
    maxPerTrade: str  # noqa: N815
    arbiter: str
    backupArbiter: str  # noqa: N815
    feeTo: str  # noqa: N815
    maxFeeBps: str  # noqa: N815
    maxArbiterFeeBps: str  # noqa: N815
    opener: str
    payWindow: str  # noqa: N815
    resolveWindow: str  # noqa: N815
    sunsetWindow: str  # noqa: N815
    sunsetBuyerBps: str  # noqa: N815
    deadline: str
    nonce: str


class AuthorityBody(Body):
    """A signed order authority: the message of the quote's typed data, and the signature."""

    message: AuthorityMessage
    signature: Signature


class PlacedTerms(TermsBody):
    """Terms with accounts to be paid on, and the signed authority where the chain keeps coins."""

    payment_accounts: Annotated[dict[Method, Id], Field(max_length=10)] = Field(
        default_factory=dict
    )
    authority: AuthorityBody | None = None


class QuoteBody(TermsBody):
    """An order as wanted. `take_order` names an offer to trade with, `link` opens a private one."""

    market: MarketId
    take_order: Id | None = None
    link: Link | None = None


class OrderBody(PlacedTerms):
    """A new order: the quoted body with accounts to be paid on, and the signed authority.

    `client_id` is a machine's own name of the order; a retry under it is the same order.
    """

    market: MarketId
    take_order: Id | None = None
    link: Link | None = None
    client_id: ClientId | None = None


class MassQuoteBody(Body):
    """Orders that replace all of the caller's orders of this market with the same `quote_set`."""

    market: MarketId
    quote_set: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,40}$", examples=["main"])]
    quotes: Annotated[list[PlacedTerms], Field(max_length=MOST_QUOTES)]


class AmendBody(Body):
    """What of a resting order shall be different. `remaining` is what is still to be traded.

    Less of it, or other limits of a trade, keep the order's place in the queue; more of it or
    another price give it the last one, and it may match at once.
    """

    price: Amount | None = None
    margin_bps: Margin | None = None
    floor: Amount | None = None
    ceiling: Amount | None = None
    remaining: Amount | None = None
    min_trade: Amount | None = None
    max_trade: Amount | None = None
    expires_at: Moment | None = None


def wanted_order(body: QuoteBody | OrderBody) -> Wanted:
    """The order that a body asks for."""
    return _wanted(body, body.market, body.take_order, body.link)


def wanted_quotes(body: MassQuoteBody) -> list[Wanted]:
    """The orders that a mass quote asks for."""
    return [_wanted(terms, body.market) for terms in body.quotes]


def wanted_change(body: AmendBody) -> WantedChange:
    """The change that a body asks for."""
    return WantedChange(**body.model_dump())


def _wanted(
    terms: TermsBody, market: str, take_order: int | None = None, link: str | None = None
) -> Wanted:
    accounts = terms.payment_accounts if isinstance(terms, PlacedTerms) else {}
    return Wanted(
        market=market,
        side=terms.side,
        order_type=terms.order_type,
        quantity=terms.quantity,
        methods=tuple(dict.fromkeys(terms.methods)),
        price_kind=terms.price_kind,
        price=terms.price,
        margin_bps=terms.margin_bps,
        floor=terms.floor,
        ceiling=terms.ceiling,
        min_trade=terms.min_trade,
        max_trade=terms.max_trade,
        take_order=take_order,
        link=link,
        tif=terms.tif,
        expires_at=terms.expires_at,
        post_only=terms.post_only,
        shared=terms.shared,
        stp=terms.stp,
        hours=_hours(terms.hours),
        conditions=_conditions(terms.conditions),
        private=terms.private,
        payment_accounts=dict(accounts),
    )


def _hours(body: HoursBody | None) -> WantedHours | None:
    if body is None:
        return None
    spans = tuple(WantedSpan(tuple(span.days), span.start, span.end) for span in body.spans)
    return WantedHours(body.zone, spans)


def _conditions(body: ConditionsBody | None) -> WantedConditions | None:
    if body is None:
        return None
    return WantedConditions(
        min_kyc_tier=body.min_kyc_tier,
        min_completed_trades=body.min_completed_trades,
        min_completion_rate=body.min_completion_rate,
        min_account_days=body.min_account_days,
        first_trade_max=body.first_trade_max,
        regions=tuple(body.regions),
    )
