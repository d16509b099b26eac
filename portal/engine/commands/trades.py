"""Commands about trades, from the match to the payout."""

from typing import Literal

from portal.engine.commands.fields import Command, Id, Text, Units


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
