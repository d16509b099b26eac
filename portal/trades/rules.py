"""The trade state machine as a table, and the arithmetic of a settlement. Pure.

Nothing else decides which state follows which. An illegal move raises Conflict. Compiled by mypyc
where a C compiler is there, with the same results.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Final

from mypy_extensions import mypyc_attr

from portal.core.errors import Conflict, Forbidden


class State(StrEnum):
    """Where a trade stands."""

    MATCHED = "matched"
    HELD = "held"
    LOCKING = "locking"
    ESCROW_LOCKED = "escrow_locked"
    AWAITING_PAYMENT = "awaiting_payment"
    PAID = "paid"
    VERIFIED = "verified"
    RELEASED = "released"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REFUNDED = "refunded"
    DISPUTED = "disputed"
    RESOLVED_BUYER = "resolved_buyer"
    RESOLVED_SELLER = "resolved_seller"
    RESOLVED_SPLIT = "resolved_split"


class Event(StrEnum):
    """What can happen to a trade."""

    CLEAR = "clear"
    HOLD = "hold"
    DENY = "deny"
    LOCK = "lock"
    LOCK_FAILED = "lock_failed"
    ASK_PAYMENT = "ask_payment"
    MARK_PAID = "mark_paid"
    VERIFY = "verify"
    RELEASE = "release"
    CANCEL = "cancel"
    EXPIRE = "expire"
    DISPUTE = "dispute"
    RESOLVE_BUYER = "resolve_buyer"
    RESOLVE_SELLER = "resolve_seller"
    RESOLVE_SPLIT = "resolve_split"
    SETTLED = "settled"
    PAID_BUYER = "paid_buyer"
    PAID_SELLER = "paid_seller"
    PAID_SPLIT = "paid_split"


class Actor(StrEnum):
    """In which part somebody acts on a trade."""

    BUYER = "buyer"
    SELLER = "seller"
    STAFF = "staff"
    SYSTEM = "system"


@dataclass(frozen=True)
class Move:
    """The next state, and who may make the move."""

    next: State
    by: frozenset[Actor]


def _move(state: State, *by: Actor) -> Move:
    return Move(state, frozenset(by))


S, E, A = State, Event, Actor
_DECIDERS = (A.SYSTEM, A.STAFF)

TABLE: dict[tuple[State, Event], Move] = {
    (S.MATCHED, E.CLEAR): _move(S.LOCKING, A.SYSTEM),
    (S.MATCHED, E.HOLD): _move(S.HELD, A.SYSTEM),
    (S.MATCHED, E.DENY): _move(S.CANCELLED, A.SYSTEM),
    (S.MATCHED, E.CANCEL): _move(S.CANCELLED, A.BUYER, A.SELLER),
    (S.HELD, E.CLEAR): _move(S.LOCKING, A.STAFF),
    (S.HELD, E.DENY): _move(S.CANCELLED, A.STAFF),
    (S.HELD, E.CANCEL): _move(S.CANCELLED, A.BUYER, A.SELLER),
    (S.LOCKING, E.LOCK): _move(S.ESCROW_LOCKED, A.SYSTEM),
    (S.LOCKING, E.LOCK_FAILED): _move(S.CANCELLED, A.SYSTEM),
    (S.ESCROW_LOCKED, E.ASK_PAYMENT): _move(S.AWAITING_PAYMENT, A.SYSTEM),
    (S.AWAITING_PAYMENT, E.MARK_PAID): _move(S.PAID, A.BUYER),
    (S.AWAITING_PAYMENT, E.CANCEL): _move(S.CANCELLED, A.BUYER),
    (S.AWAITING_PAYMENT, E.EXPIRE): _move(S.EXPIRED, A.SYSTEM),
    (S.PAID, E.VERIFY): _move(S.VERIFIED, *_DECIDERS),
    (S.PAID, E.RELEASE): _move(S.RELEASED, A.SELLER),
    (S.PAID, E.CANCEL): _move(S.CANCELLED, A.BUYER),
    (S.PAID, E.DISPUTE): _move(S.DISPUTED, A.BUYER, A.SELLER, A.STAFF),
    (S.PAID, E.EXPIRE): _move(S.DISPUTED, A.SYSTEM),
    (S.VERIFIED, E.RELEASE): _move(S.RELEASED, A.SELLER),
    (S.VERIFIED, E.DISPUTE): _move(S.DISPUTED, A.BUYER, A.SELLER, A.STAFF),
    (S.VERIFIED, E.EXPIRE): _move(S.DISPUTED, A.SYSTEM),
    (S.DISPUTED, E.RELEASE): _move(S.RELEASED, A.SELLER),
    (S.DISPUTED, E.CANCEL): _move(S.CANCELLED, A.BUYER),
    (S.DISPUTED, E.RESOLVE_BUYER): _move(S.RESOLVED_BUYER, A.STAFF),
    (S.DISPUTED, E.RESOLVE_SELLER): _move(S.RESOLVED_SELLER, A.STAFF),
    (S.DISPUTED, E.RESOLVE_SPLIT): _move(S.RESOLVED_SPLIT, A.STAFF),
    (S.RELEASED, E.SETTLED): _move(S.COMPLETED, A.SYSTEM),
    (S.CANCELLED, E.SETTLED): _move(S.REFUNDED, A.SYSTEM),
    (S.EXPIRED, E.SETTLED): _move(S.REFUNDED, A.SYSTEM),
    (S.EXPIRED, E.DISPUTE): _move(S.DISPUTED, A.SYSTEM),
    (S.RESOLVED_BUYER, E.SETTLED): _move(S.RESOLVED_BUYER, A.SYSTEM),
    (S.RESOLVED_SELLER, E.SETTLED): _move(S.RESOLVED_SELLER, A.SYSTEM),
    (S.RESOLVED_SPLIT, E.SETTLED): _move(S.RESOLVED_SPLIT, A.SYSTEM),
}

# How a trade that is over ends when the contract paid out otherwise than was decided here.
_PAID_OTHERWISE = {
    E.PAID_BUYER: S.COMPLETED,
    E.PAID_SELLER: S.REFUNDED,
    E.PAID_SPLIT: S.RESOLVED_SPLIT,
}
_OVER = [state for state, event in TABLE if event is E.SETTLED]
TABLE |= {
    (state, event): _move(end, A.SYSTEM)
    for state in _OVER
    for event, end in _PAID_OTHERWISE.items()
}
# The same by plain texts: looking up an enum's member, or two in a tuple, costs several times more.
_MOVES: dict[str, dict[str, Move]] = {}
for (_state, _event), _step in TABLE.items():
    _MOVES.setdefault(_state.value, {})[_event.value] = _step
_CANCELLED: Final = "cancelled"

FEE_ROSE = "The fee rose above what was agreed when the order was placed."
TIMERS: dict[State, str] = {S.AWAITING_PAYMENT: "payment", S.PAID: "release", S.VERIFIED: "release"}


# The stored fields and how: whole numbers, texts or truth values.
TRADE_FIELDS: dict[str, type] = {
    "id": int,
    "market_id": str,
    "base": str,
    "quote": str,
    "escrow": str,
    "maker_order_id": int,
    "taker_order_id": int,
    "maker_side": str,
    "buyer_id": int,
    "seller_id": int,
    "buyer_account_id": int,
    "seller_account_id": int,
    "method": str,
    "authority": str,
    "quantity": int,
    "price_ticks": int,
    "fiat_units": int,
    "index_ticks": int,
    "quote_id": int,
    "reserved": int,
    "max_buyer_fee": int,
    "buyer_fee": int,
    "seller_fee": int,
    "fee_note": str,
    "escrow_units": int,
    "to_buyer": int,
    "state": str,
    "reason": str,
    "timer": str,
    "deadline_ms": int,
    "payment_deadline_ms": int,
    "locked": bool,
    "settled": bool,
    "lock_reference": str,
    "settle_reference": str,
    "payment_proof": str,
    "created_ms": int,
    "updated_ms": int,
}


@mypyc_attr(acyclic=True)
class TradeState:
    """A trade in the engine's memory; TRADE_FIELDS are the columns of table `trade`.

    See there for units.
    """

    __slots__ = tuple(TRADE_FIELDS)
    _fields: ClassVar[tuple[str, ...]] = tuple(TRADE_FIELDS)

    def __init__(
        self,
        id: int,
        market_id: str,
        base: str,
        quote: str,
        escrow: str,
        maker_order_id: int,
        taker_order_id: int,
        maker_side: str,
        buyer_id: int,
        seller_id: int,
        buyer_account_id: int | None,
        seller_account_id: int | None,
        method: str,
        authority: str | None,
        quantity: int,
        price_ticks: int,
        fiat_units: int,
        index_ticks: int | None,
        quote_id: int | None,
        reserved: int,
        max_buyer_fee: int,
        buyer_fee: int,
        seller_fee: int,
        fee_note: str | None,
        escrow_units: int,
        to_buyer: int | None,
        state: str,
        reason: str | None,
        timer: str | None,
        deadline_ms: int | None,
        payment_deadline_ms: int | None,
        locked: bool,
        settled: bool,
        lock_reference: str | None,
        settle_reference: str | None,
        payment_proof: str | None,
        created_ms: int,
        updated_ms: int,
    ) -> None:
        self.id = id
        self.market_id = market_id
        self.base = base
        self.quote = quote
        self.escrow = escrow
        self.maker_order_id = maker_order_id
        self.taker_order_id = taker_order_id
        self.maker_side = maker_side
        self.buyer_id = buyer_id
        self.seller_id = seller_id
        self.buyer_account_id = buyer_account_id
        self.seller_account_id = seller_account_id
        self.method = method
        self.authority = authority
        self.quantity = quantity
        self.price_ticks = price_ticks
        self.fiat_units = fiat_units
        self.index_ticks = index_ticks
        self.quote_id = quote_id
        self.reserved = reserved
        self.max_buyer_fee = max_buyer_fee
        self.buyer_fee = buyer_fee
        self.seller_fee = seller_fee
        self.fee_note = fee_note
        self.escrow_units = escrow_units
        self.to_buyer = to_buyer
        self.state = state
        self.reason = reason
        self.timer = timer
        self.deadline_ms = deadline_ms
        self.payment_deadline_ms = payment_deadline_ms
        self.locked = locked
        self.settled = settled
        self.lock_reference = lock_reference
        self.settle_reference = settle_reference
        self.payment_proof = payment_proof
        self.created_ms = created_ms
        self.updated_ms = updated_ms

    def as_dict(self) -> dict[str, Any]:
        """Every stored field: what a row holds, and what a copy is made from."""
        return {name: getattr(self, name) for name in TRADE_FIELDS}

    @property
    def max_seller_fee(self) -> int:
        """What of the reservation is not the coins themselves."""
        return self.reserved - self.quantity

    @property
    def closed(self) -> bool:
        """Nothing more can happen: settled, or ended before any coin was locked."""
        return self.settled or (self.state == _CANCELLED and not self.locked)


def next_state(state: str, event: Event, actor: Actor) -> State:
    """Where `event` leads from `state`.

    Raises Conflict when the table has no such move, Forbidden when `actor` may not make it.
    """
    moves = _MOVES.get(state)
    move = None if moves is None else moves.get(event)
    if move is None:
        if moves is None:
            State(state)  # Raises ValueError for what is no state at all.
        raise Conflict(
            f"A trade that is {words(state)} can't take the step '{words(event)}'.",
            field="trade",
            hint="Reload the trade: it has moved on.",
        )
    if actor not in move.by:
        raise Forbidden(f"The {actor} can't take the step '{words(event)}'.", field="trade")
    return move.next


def words(name: str) -> str:
    """A state or event as people read it."""
    return str(name).replace("_", " ")


def payout(escrow_units: int, fee: int, to_buyer: int) -> tuple[int, int, int]:
    """What a settlement pays: (buyer, platform, seller), summing to the escrow exactly.

    `to_buyer` is the buyer's gross part; the fee falls on it in proportion, rounded down. The
    contract's `settle` computes the same.
    """
    if not 0 <= to_buyer <= escrow_units:
        raise ValueError(f"{to_buyer} is not within the escrow of {escrow_units}")
    fee_part = fee * to_buyer // escrow_units
    return to_buyer - fee_part, fee_part, escrow_units - to_buyer
