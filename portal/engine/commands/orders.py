"""Commands about orders."""

from typing import Annotated, Literal

from msgspec import Meta, field

from portal.engine.commands.fields import Bps, Command, Id, Key, Part, Positive, Side, Text, Units


class Facts(Part, frozen=True, kw_only=True):
    """What is known of an order's owner, for the other side's conditions."""

    tier: Annotated[int, Meta(ge=0, le=100)] = 0
    trades: Units = 0
    completion_bps: Bps = 0
    since_ms: Units = 0
    region: Annotated[str, Meta(max_length=16)] = ""


class Conditions(Part, frozen=True, kw_only=True):
    """Who an order trades with. `first_trade_max`: largest trade with somebody without trades.

    `regions` empty: all of them. A private order is traded only by naming it together with its
    `link`.
    """

    min_tier: Annotated[int, Meta(ge=0, le=100)] = 0
    min_trades: Units = 0
    min_completion_bps: Bps = 0
    min_age_ms: Units = 0
    first_trade_max: Positive | None = None
    regions: Annotated[list[Text], Meta(max_length=250)] = field(default_factory=list)
    link: Annotated[str, Meta(min_length=8, max_length=64)] | None = None


Hours = Annotated[
    list[tuple[Annotated[int, Meta(ge=0, le=10_080)], Annotated[int, Meta(ge=0, le=10_080)]]],
    Meta(max_length=21),
]


class Quote(Part, frozen=True, kw_only=True):
    """Everything about a new order but whose it is and where.

    `tif`: GTC, GTD (until `expires_ms`), IOC, FOK. `floor` and `ceiling` bound a floating price.
    `shared`: the order sets nothing aside; coins are held when it matches, so that several
    orders can stand over one balance. `hours`: spans of minutes of the week from Monday 00:00
    UTC in which the order is in the book; empty: always. `stp`: what happens when it meets an
    order of the same owner. `take_order` names the one offer it may trade with, `link` opens a
    private one. `maker_fee_bps` and `taker_fee_bps` are charged by `instant` markets only.
    """

    side: Side
    order_type: Literal["limit", "market"]
    price_kind: Literal["fixed", "floating"] = "fixed"
    price: Positive | None = None
    margin_bps: Annotated[int, Meta(ge=-10_000, le=10_000)] | None = None
    floor: Positive | None = None
    ceiling: Positive | None = None
    quantity: Positive
    min_trade: Positive | None = None
    max_trade: Positive | None = None
    methods: Annotated[list[Text], Meta(min_length=1, max_length=20)]
    accounts: dict[Text, Id] = field(default_factory=dict)
    tif: Literal["GTC", "GTD", "IOC", "FOK"] = "GTC"
    expires_ms: Units | None = None
    post_only: bool = False
    shared: bool = False
    hours: Hours = field(default_factory=list)
    stp: Literal["cancel_newest", "cancel_oldest", "cancel_both"] = "cancel_newest"
    conditions: Conditions | None = None
    max_fee_bps: Bps
    maker_fee_bps: Bps = 0
    taker_fee_bps: Bps = 0
    authority: Text | None = None
    take_order: Id | None = None
    link: Annotated[str, Meta(min_length=8, max_length=64)] | None = None


class PlaceOrder(Quote, frozen=True, kw_only=True, tag_field="kind", tag="place_order"):
    """A new order.

    `via` names the API key it came by, `via_max_open` how many open orders that key may have.
    """

    key: Key | None = None
    owner: Id
    market: Text
    facts: Facts = Facts()
    via: Text | None = None
    via_max_open: Positive | None = None
    quote_set: Text | None = None

    @property
    def kind(self) -> str:
        """The command's name, as in `kind` of its JSON."""
        return "place_order"


class MassQuote(Command, frozen=True, kw_only=True, tag="mass_quote"):
    """Replace all of an owner's orders of one `quote_set` by these, in one step.

    One answer a quote: an order's, or a refusal; a refused quote leaves the others standing.
    """

    owner: Id
    market: Text
    facts: Facts = Facts()
    via: Text | None = None
    via_max_open: Positive | None = None
    quote_set: Text
    quotes: Annotated[list[Quote], Meta(max_length=50)]


class AmendOrder(Command, frozen=True, kw_only=True, tag="amend_order"):
    """Change a resting order. `remaining` is what is still to be traded.

    Less quantity, or other limits of a trade, keep its place in the queue; more quantity, or
    another price, give it the last one, and it may match at once.
    """

    order_id: Id
    owner: Id
    price: Positive | None = None
    margin_bps: Annotated[int, Meta(ge=-10_000, le=10_000)] | None = None
    floor: Positive | None = None
    ceiling: Positive | None = None
    remaining: Positive | None = None
    min_trade: Positive | None = None
    max_trade: Positive | None = None
    expires_ms: Units | None = None


class PauseOrder(Command, frozen=True, kw_only=True, tag="pause_order"):
    """Take an order out of the book for a while, or put it back; it keeps what it holds."""

    order_id: Id
    owner: Id
    paused: bool


class SetAway(Command, frozen=True, kw_only=True, tag="set_away"):
    """A person's holiday: all their orders leave the book, or come back."""

    owner: Id
    away: bool


class CancelOrder(Command, frozen=True, kw_only=True, tag="cancel_order"):
    """Take the rest of an order out of the book: by its owner, or else by staff (`actor`)."""

    order_id: Id
    owner: Id | None = None
    actor: Id | None = None
    reason: Text | None = None


class CancelAll(Command, frozen=True, kw_only=True, tag="cancel_all"):
    """Take all of an owner's orders out of the book, of one market or side where named."""

    owner: Id
    actor: Id | None = None
    market: Text | None = None
    side: Side | None = None
    reason: Text | None = None
