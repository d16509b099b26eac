"""The commands of a shard: the only way to change an order, a trade's state or a balance.

Amounts are ledger units, prices market ticks, times milliseconds since 1970, all within 64 bits;
anything else is refused before it reaches the journal. `key` makes a command idempotent: the same
key gives the same answer, another payload under it is an error.

A command is JSON: an object whose `kind` names it. `parse_command` is the one reader of it.
"""

import json
from typing import Annotated, Any, Literal

import msgspec
import orjson
from msgspec import Meta, Struct, field

from portal.core.errors import InvalidInput
from portal.core.units import MAX_UNITS

Id = Annotated[int, Meta(ge=1, le=MAX_UNITS)]
Units = Annotated[int, Meta(ge=0, le=MAX_UNITS)]
Positive = Annotated[int, Meta(ge=1, le=MAX_UNITS)]
# Seconds, at most ten years: a deadline must stay within 64 bits of milliseconds.
Window = Annotated[int, Meta(ge=1, le=10 * 366 * 86_400)]
Bps = Annotated[int, Meta(ge=0, le=10_000)]
Places = Annotated[int, Meta(ge=0, le=18)]
Text = Annotated[str, Meta(min_length=1, max_length=500)]
Key = Annotated[str, Meta(min_length=1, max_length=200)]
Side = Literal["buy", "sell"]
# PostgreSQL stores no NUL in text: one such command would take its whole batch down.
_NUL = b"\\u0000"


class Command(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """What every command carries."""

    key: Key | None = None

    @property
    def kind(self) -> str:
        """The command's name, as in `kind` of its JSON."""
        return str(self.__struct_config__.tag)


class Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A group of fields inside a command."""


class DefineMarket(Command, frozen=True, kw_only=True, tag="define_market"):
    """Set or change a market's terms; they apply to what comes after.

    `settlement`: `trade` opens a trade that waits for money; `instant` moves both assets in the
    ledger at once (both are coins of this shard, and the only method is `ledger`).
    `band_bps`: a limit price may be this far from the index at most (0: no band).
    `min_rest_ms`: a resting order can't be cancelled or changed by its owner before this age.
    `max_open_orders`: open orders of one person in this market (0: no limit).
    `status`: `halted` takes no orders; `auction` takes them without matching, until `open` again
    crosses the book at one price.
    """

    id: Text
    base: Text
    quote: Text
    base_places: Places
    quote_places: Places
    price_places: Places
    lot: Positive
    min_trade: Positive
    max_trade: Positive
    escrow: Literal["evm", "ledger"]
    status: Literal["open", "halted", "auction"]
    payment_seconds: Window
    release_seconds: Window
    protection_bps: Bps
    max_fee_bps: Bps
    methods: list[Text]
    settlement: Literal["trade", "instant"] = "trade"
    band_bps: Bps = 0
    min_rest_ms: Units = 0
    max_open_orders: Units = 0


class IndexTick(Command, frozen=True, kw_only=True, tag="index_tick"):
    """A new index price, or none with the reason: floating orders then pause.

    A price counts until `good_until_ms`, so that one whose feed has died pauses them too.
    """

    market: Text
    price: Positive | None
    reason: Text | None = None
    quote_id: Units | None = None
    good_until_ms: Units | None = None


class ClockTick(Command, frozen=True, kw_only=True, tag="clock_tick"):
    """Nothing but the time: what is due (good-till dates, working hours) happens."""


class Deposit(Command, frozen=True, kw_only=True, tag="deposit"):
    """Coins arrived for an owner."""

    owner: Id
    asset: Text
    units: Positive
    reference: Text


class Withdraw(Command, frozen=True, kw_only=True, tag="withdraw"):
    """Coins leave the platform."""

    owner: Id
    asset: Text
    units: Positive
    reference: Text


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
    regions: Annotated[list[Text], Meta(max_length=250)] = []
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
    hours: Hours = []
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


class ClearTrade(Command, frozen=True, kw_only=True, tag="clear_trade"):
    """What compliance and the fee model said of a matched trade."""

    trade_id: Id
    decision: Literal["allow", "hold", "deny"]
    actor: Id | None = None
    reason: Text | None = None
    maker_fee: Units = 0
    taker_fee: Units = 0
    fee_note: Text | None = None


class EscrowLocked(Command, frozen=True, kw_only=True, tag="escrow_locked"):
    """The escrow holds the coins.

    `pay_until_ms` is the last moment at which the escrow itself can still be told of a payment
    in time: the buyer's clock never runs beyond it.
    """

    trade_id: Id
    reference: Text
    pay_until_ms: Units | None = None


class LockFailed(Command, frozen=True, kw_only=True, tag="lock_failed"):
    """The escrow could not be opened, for good."""

    trade_id: Id
    reason: Text


class MarkPaid(Command, frozen=True, kw_only=True, tag="mark_paid"):
    """The buyer says the money is sent."""

    trade_id: Id
    actor: Id


class VerifyPayment(Command, frozen=True, kw_only=True, tag="verify_payment"):
    """A bank statement, or a staff member, confirms the money."""

    trade_id: Id
    reference: Text
    actor: Id | None = None


class Release(Command, frozen=True, kw_only=True, tag="release"):
    """The seller lets the coins go."""

    trade_id: Id
    actor: Id


class CancelTrade(Command, frozen=True, kw_only=True, tag="cancel_trade"):
    """A party ends the trade in the other's favour, or before anything is locked."""

    trade_id: Id
    actor: Id
    reason: Text | None = None


class Expire(Command, frozen=True, kw_only=True, tag="expire"):
    """The running timer is over."""

    trade_id: Id


class OpenDispute(Command, frozen=True, kw_only=True, tag="dispute"):
    """A party, or staff, asks for a decision. Stops every clock.

    Without an actor the chain asks: the buyer marked an expired trade as paid there.
    """

    trade_id: Id
    actor: Id | None = None
    reason: Text
    staff: bool = False


class Resolve(Command, frozen=True, kw_only=True, tag="resolve"):
    """A staff decision on a dispute. `to_buyer` is the buyer's gross part of a split."""

    trade_id: Id
    outcome: Literal["buyer", "seller", "split"]
    to_buyer: Units | None = None
    actor: Id
    reason: Text | None = None


class Settled(Command, frozen=True, kw_only=True, tag="settled"):
    """The escrow has paid out as the trade's state demands.

    `to_buyer` is given when it paid the buyer another gross share, as the parties can bring
    about on chain by themselves: what is paid is paid, so it is booked.
    """

    trade_id: Id
    reference: Text
    to_buyer: Units | None = None


AnyCommand = (
    DefineMarket
    | IndexTick
    | ClockTick
    | Deposit
    | Withdraw
    | PlaceOrder
    | MassQuote
    | AmendOrder
    | PauseOrder
    | SetAway
    | CancelOrder
    | CancelAll
    | ClearTrade
    | EscrowLocked
    | LockFailed
    | MarkPaid
    | VerifyPayment
    | Release
    | CancelTrade
    | Expire
    | OpenDispute
    | Resolve
    | Settled
)
_DECODER: msgspec.json.Decoder[AnyCommand] = msgspec.json.Decoder(AnyCommand)


def encode_command(command: Any) -> bytes:
    """A command as the JSON that is journalled. Raises InvalidInput for what is no JSON."""
    try:
        return orjson.dumps(command)
    except orjson.JSONEncodeError:
        pass  # Mostly a number beyond 64 bits: the decoder then names its field.
    try:
        return json.dumps(command).encode()
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"This is no command: {error}.", field="command") from None


def parse_command(raw: Any) -> AnyCommand:
    """The typed command of its JSON, as bytes or read already.

    Raises InvalidInput naming the first field that is wrong.
    """
    text = raw if isinstance(raw, bytes) else encode_command(raw)
    if _NUL in text:
        raise InvalidInput("No text may contain the character NUL.", field="command")
    try:
        return _DECODER.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _in_words(str(error)) from None


def _in_words(problem: str) -> InvalidInput:
    """msgspec says "what is wrong - at `$.field`"; the part behind names the field."""
    what, _, place = problem.partition(" - at `")
    path = place.rstrip("`").removeprefix("$").lstrip(".")
    if "field `" in what:
        path = ".".join(filter(None, (path, what.rsplit("`", 2)[1])))
    return InvalidInput(f"{path or 'command'}: {what}.", field=path or "command")
