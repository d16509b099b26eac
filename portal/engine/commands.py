"""The commands of a shard: the only way to change an order, a trade's state or a balance.

Amounts are ledger units, prices market ticks, all within 64 bits; anything else is refused
before it reaches the journal. `key` makes a command idempotent: the same key gives the same
answer, another payload under it is an error.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from portal.core.errors import InvalidInput
from portal.core.money import MAX_UNITS

Id = Annotated[int, Field(ge=1, le=MAX_UNITS)]
Units = Annotated[int, Field(ge=0, le=MAX_UNITS)]
Positive = Annotated[int, Field(ge=1, le=MAX_UNITS)]
# PostgreSQL stores no NUL in text: one such command would take its whole batch down.
_STORABLE = r"^[^\x00]*$"
Text = Annotated[str, Field(min_length=1, max_length=500, pattern=_STORABLE)]
Side = Literal["buy", "sell"]


class Command(BaseModel):
    """What every command carries."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    key: Annotated[str, Field(min_length=1, max_length=200, pattern=_STORABLE)] | None = None


class DefineMarket(Command):
    """Set or change a market's terms; they apply to what comes after."""

    kind: Literal["define_market"] = "define_market"
    id: Text
    base: Text
    quote: Text
    base_places: Annotated[int, Field(ge=0, le=18)]
    quote_places: Annotated[int, Field(ge=0, le=18)]
    price_places: Annotated[int, Field(ge=0, le=18)]
    lot: Positive
    min_trade: Positive
    max_trade: Positive
    escrow: Literal["evm", "ledger"]
    status: Literal["open", "halted"]
    payment_seconds: Positive
    release_seconds: Positive
    protection_bps: Annotated[int, Field(ge=0, le=10_000)]
    max_fee_bps: Annotated[int, Field(ge=0, le=10_000)]
    methods: list[Text]


class IndexTick(Command):
    """A new index price, or none with the reason: floating orders then pause.

    A price counts until `good_until_ms`, so that one whose feed has died pauses them too.
    """

    kind: Literal["index_tick"] = "index_tick"
    market: Text
    price: Positive | None
    reason: Text | None = None
    quote_id: int | None = None
    good_until_ms: Units | None = None


class Deposit(Command):
    """Coins arrived for an owner."""

    kind: Literal["deposit"] = "deposit"
    owner: Id
    asset: Text
    units: Positive
    reference: Text


class Withdraw(Command):
    """Coins leave the platform."""

    kind: Literal["withdraw"] = "withdraw"
    owner: Id
    asset: Text
    units: Positive
    reference: Text


class PlaceOrder(Command):
    """A new order. `take_order` names the one offer it may trade with."""

    kind: Literal["place_order"] = "place_order"
    owner: Id
    market: Text
    side: Side
    order_type: Literal["limit", "market"]
    price_kind: Literal["fixed", "floating"] = "fixed"
    price: Positive | None = None
    margin_bps: int | None = None
    quantity: Positive
    min_trade: Positive | None = None
    max_trade: Positive | None = None
    methods: Annotated[list[Text], Field(min_length=1, max_length=20)]
    accounts: dict[Text, int] = Field(default_factory=dict)
    tif: Literal["GTC", "IOC"] = "GTC"
    max_fee_bps: Annotated[int, Field(ge=0, le=10_000)]
    authority: Text | None = None
    take_order: Id | None = None


class CancelOrder(Command):
    """Take the rest of an order out of the book: by its owner, or else by staff (`actor`)."""

    kind: Literal["cancel_order"] = "cancel_order"
    order_id: Id
    owner: Id | None = None
    actor: Id | None = None
    reason: Text | None = None


class ClearTrade(Command):
    """What compliance and the fee model said of a matched trade."""

    kind: Literal["clear_trade"] = "clear_trade"
    trade_id: Id
    decision: Literal["allow", "hold", "deny"]
    actor: Id | None = None
    reason: Text | None = None
    maker_fee: Units = 0
    taker_fee: Units = 0
    fee_note: Text | None = None


class EscrowLocked(Command):
    """The escrow holds the coins.

    `pay_until_ms` is the last moment at which the escrow itself can still be told of a payment
    in time: the buyer's clock never runs beyond it.
    """

    kind: Literal["escrow_locked"] = "escrow_locked"
    trade_id: Id
    reference: Text
    pay_until_ms: Units | None = None


class LockFailed(Command):
    """The escrow could not be opened, for good."""

    kind: Literal["lock_failed"] = "lock_failed"
    trade_id: Id
    reason: Text


class MarkPaid(Command):
    """The buyer says the money is sent."""

    kind: Literal["mark_paid"] = "mark_paid"
    trade_id: Id
    actor: Id


class VerifyPayment(Command):
    """A bank statement, or a staff member, confirms the money."""

    kind: Literal["verify_payment"] = "verify_payment"
    trade_id: Id
    reference: Text
    actor: Id | None = None


class Release(Command):
    """The seller lets the coins go."""

    kind: Literal["release"] = "release"
    trade_id: Id
    actor: Id


class CancelTrade(Command):
    """A party ends the trade in the other's favour, or before anything is locked."""

    kind: Literal["cancel_trade"] = "cancel_trade"
    trade_id: Id
    actor: Id
    reason: Text | None = None


class Expire(Command):
    """The running timer is over."""

    kind: Literal["expire"] = "expire"
    trade_id: Id


class OpenDispute(Command):
    """A party, or staff, asks for a decision. Stops every clock.

    Without an actor the chain asks: the buyer marked an expired trade as paid there.
    """

    kind: Literal["dispute"] = "dispute"
    trade_id: Id
    actor: Id | None = None
    reason: Text
    staff: bool = False


class Resolve(Command):
    """A staff decision on a dispute. `to_buyer` is the buyer's gross part of a split."""

    kind: Literal["resolve"] = "resolve"
    trade_id: Id
    outcome: Literal["buyer", "seller", "split"]
    to_buyer: Units | None = None
    actor: Id
    reason: Text | None = None


class Settled(Command):
    """The escrow has paid out as the trade's state demands.

    `to_buyer` is given when it paid the buyer another gross share, as the parties can bring
    about on chain by themselves: what is paid is paid, so it is booked.
    """

    kind: Literal["settled"] = "settled"
    trade_id: Id
    reference: Text
    to_buyer: Units | None = None


AnyCommand = (
    DefineMarket
    | IndexTick
    | Deposit
    | Withdraw
    | PlaceOrder
    | CancelOrder
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
_ADAPTER: TypeAdapter[AnyCommand] = TypeAdapter(Annotated[AnyCommand, Field(discriminator="kind")])


def parse_command(raw: Any) -> AnyCommand:
    """The typed command. Raises InvalidInput naming the first field that is wrong."""
    try:
        return _ADAPTER.validate_python(raw)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        path = [str(part) for part in first["loc"][1:]] or ["kind"]
        raise InvalidInput(
            f"{'.'.join(path)}: {first['msg']}.", field=".".join(path), value=first.get("input")
        ) from None
