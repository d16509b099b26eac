"""What a trade owes the chain, decided from where it stands. Pure.

The decision looks at the trade's present state, never at the event that led there, so that a
lost or repeated event changes nothing.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from portal.trades.rules import State

SELLER, BUYER, ARBITER = "seller", "buyer", "arbiter"
DAY_SECONDS = 86_400
# The contract's own limits; see `Openings.sol`.
SUNSET_BUYER_FLOOR_BPS = 5_000
LONGEST_LIFE_DAYS = 730
HARD_FEE_CAP_BPS = 500
# Between computing `payBy` and the block that opens the trade.
OPENING_SLACK_SECONDS = 900


class Act(StrEnum):
    """A transaction that a trade may need."""

    OPEN = "open"
    MARK_PAID = "mark_paid"
    SETTLE = "settle"
    CANCEL = "cancel"
    EXPIRE = "expire"


class Status(StrEnum):
    """The contract's status of a trade, in the order of its numbers."""

    NONE = "none"
    OPEN = "open"
    PAID = "paid"
    CLOSED = "closed"


CHAIN_STATUS = (Status.NONE, Status.OPEN, Status.PAID, Status.CLOSED)
CLOSING = frozenset({Act.SETTLE, Act.CANCEL, Act.EXPIRE})
_PAID_STATES = frozenset({State.PAID, State.VERIFIED, State.DISPUTED})
_DECIDED = frozenset({State.RESOLVED_BUYER, State.RESOLVED_SELLER, State.RESOLVED_SPLIT})
_SETTLED_BY_SIGNATURES = _DECIDED | {State.RELEASED}


@dataclass(frozen=True)
class Signed:
    """Which acts the parties' stored signatures allow. Shares are gross units to the buyer."""

    mark_paid: bool = False
    cancel: bool = False
    seller_settles: int | None = None
    buyer_settles: int | None = None


def needed_acts(state: State, to_buyer: int | None, signed: Signed) -> list[Act]:
    """The transactions that a locked or locking trade calls for now, in order."""
    if state is State.LOCKING:
        return [Act.OPEN]
    if state in _PAID_STATES:
        return [Act.MARK_PAID] if signed.mark_paid else []
    if state is State.EXPIRED:
        return [Act.EXPIRE]
    if state is State.CANCELLED:
        return [Act.CANCEL if signed.cancel else Act.EXPIRE]
    if state in _SETTLED_BY_SIGNATURES and to_buyer is not None:
        return _settling(state, to_buyer, signed)
    return []


def _settling(state: State, to_buyer: int, signed: Signed) -> list[Act]:
    """A share of nothing is also reached by the buyer's cancellation."""
    if settle_signers(state, to_buyer, signed):
        return [Act.SETTLE]
    return [Act.CANCEL] if to_buyer == 0 and signed.cancel else []


def settle_signers(state: State, to_buyer: int, signed: Signed) -> frozenset[str]:
    """Whose two signatures execute this share; none while the parties' consent is missing.

    The platform's arbiter key signs only what a decision, or the seller's own release, backs,
    and never without one of the parties.
    """
    willing = frozenset(
        party
        for party, share in ((SELLER, signed.seller_settles), (BUYER, signed.buyer_settles))
        if share == to_buyer
    )
    if len(willing) == 2:
        return willing
    released = state is State.RELEASED and SELLER in willing
    decided = state in _DECIDED and bool(willing)
    return willing | {ARBITER} if released or decided else frozenset()


def already_done(act: Act, status: Status) -> bool:
    """Whether the chain shows that `act`, or something beyond it, has happened."""
    if act is Act.OPEN:
        return status is not Status.NONE
    if act is Act.MARK_PAID:
        return status in (Status.PAID, Status.CLOSED)
    return status is Status.CLOSED


def settle_deadline(terms: dict[str, Any]) -> int:
    """Unix second until which a decision about a trade can be executed: its sunset, so that both
    parties sign the same second.
    """
    return int(terms["sunset"])


def pay_until(pay_by: int, grace_seconds: int) -> int:
    """Unix second at which the buyer's time ends at the latest: half the grace before `payBy`,
    so that the word of payment still reaches the chain in time.
    """
    return pay_by - grace_seconds // 2


def pay_window(payment_seconds: int, grace_seconds: int) -> int:
    """Longest time from opening to `payBy` that a seller is asked to consent to, in seconds."""
    return payment_seconds + grace_seconds + OPENING_SLACK_SECONDS


def authority_fee_bps(seller_bps: int, buyer_bps: int) -> int:
    """Fee limit of an authority: both sides' highest rates and a basis point for rounding."""
    return min(seller_bps + buyer_bps + 1, HARD_FEE_CAP_BPS)


def salt(trade_id: int) -> str:
    """The salt of a trade's terms: its number, so that two trades never share an id."""
    return "0x" + trade_id.to_bytes(32, "big").hex()
