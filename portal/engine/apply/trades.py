"""The trade lifecycle as commands, walking the table in `portal.trades.rules`."""

from typing import Any

from portal.core.errors import Conflict, InvalidInput, NotFound
from portal.engine.apply.posting import unhold
from portal.engine.commands import (
    CancelTrade,
    ClearTrade,
    EscrowLocked,
    Expire,
    LockFailed,
    MarkPaid,
    OpenDispute,
    Release,
    Resolve,
    Settled,
    VerifyPayment,
)
from portal.engine.state import ShardState
from portal.ledger import rules as ledger
from portal.trades.rules import TIMERS, Actor, Event, State, TradeState, next_state, payout

_DECISIONS = {"allow": Event.CLEAR, "hold": Event.HOLD, "deny": Event.DENY}
_OUTCOMES = {
    "buyer": Event.RESOLVE_BUYER,
    "seller": Event.RESOLVE_SELLER,
    "split": Event.RESOLVE_SPLIT,
}


def clear(state: ShardState, command: ClearTrade) -> dict[str, Any]:
    """Compliance and fees are known: lock the escrow, hold the trade, or end it."""
    trade = state.trade(command.trade_id)
    event = _DECISIONS[command.decision]
    by = Actor.STAFF if command.actor else Actor.SYSTEM
    next_state(trade.state, event, by)
    if event is Event.CLEAR:
        _set_fees(trade, command)
    _move(state, trade, event, by, user=command.actor, reason=command.reason)
    if event is Event.DENY:
        _give_back(state, trade, trade.reserved)
    return _answer(state, trade)


def escrow_locked(state: ShardState, command: EscrowLocked) -> dict[str, Any]:
    """The coins are locked; ask the buyer to pay and start the clock."""
    trade = state.trade(command.trade_id)
    next_state(trade.state, Event.LOCK, Actor.SYSTEM)
    move = ledger.lock(trade.seller_id, trade.base, trade.escrow_units)
    state.move("escrow_lock", *move, trade_id=trade.id, reference=command.reference)
    _give_back(state, trade, trade.reserved - trade.escrow_units)
    trade.locked, trade.lock_reference = True, command.reference
    _move(state, trade, Event.LOCK, Actor.SYSTEM, reference=command.reference)
    _move(state, trade, Event.ASK_PAYMENT, Actor.SYSTEM)
    if command.pay_until_ms is not None and trade.deadline_ms is not None:
        trade.deadline_ms = min(trade.deadline_ms, command.pay_until_ms)
    trade.payment_deadline_ms = trade.deadline_ms
    return _answer(state, trade)


def lock_failed(state: ShardState, command: LockFailed) -> dict[str, Any]:
    """The escrow can't be opened: the trade ends and the seller's coins are free."""
    trade = state.trade(command.trade_id)
    _move(state, trade, Event.LOCK_FAILED, Actor.SYSTEM, reason=command.reason)
    _give_back(state, trade, trade.reserved)
    return _answer(state, trade)


def mark_paid(state: ShardState, command: MarkPaid) -> dict[str, Any]:
    """The buyer says the money is sent."""
    trade = state.trade(command.trade_id)
    _move(state, trade, Event.MARK_PAID, _party(trade, command.actor), user=command.actor)
    return _answer(state, trade)


def verify_payment(state: ShardState, command: VerifyPayment) -> dict[str, Any]:
    """The money was seen to arrive."""
    trade = state.trade(command.trade_id)
    by = Actor.STAFF if command.actor else Actor.SYSTEM
    next_state(trade.state, Event.VERIFY, by)
    trade.payment_proof = command.reference
    _move(state, trade, Event.VERIFY, by, user=command.actor, reference=command.reference)
    return _answer(state, trade)


def release(state: ShardState, command: Release) -> dict[str, Any]:
    """The seller lets the coins go to the buyer."""
    trade = state.trade(command.trade_id)
    _move(state, trade, Event.RELEASE, _party(trade, command.actor), user=command.actor)
    trade.to_buyer = trade.escrow_units
    return _answer(state, trade)


def cancel(state: ShardState, command: CancelTrade) -> dict[str, Any]:
    """A party steps back; what is locked goes to the seller."""
    trade = state.trade(command.trade_id)
    by = _party(trade, command.actor)
    _move(state, trade, Event.CANCEL, by, user=command.actor, reason=command.reason)
    if trade.locked:
        trade.to_buyer = 0
    else:
        _give_back(state, trade, trade.reserved)
    return _answer(state, trade)


def expire(state: ShardState, command: Expire) -> dict[str, Any]:
    """The running timer is over: no payment ends the trade, no release becomes a dispute.

    Refused while the clock still runs: the engine's time decides, not the caller's.
    """
    trade = state.trade(command.trade_id)
    if trade.deadline_ms is None or state.at_ms < trade.deadline_ms:
        raise Conflict(f"The clock of trade {trade.id} is not over.", field="trade_id")
    reason = {
        "payment": "The buyer did not pay in time.",
        "release": "The seller did not release in time.",
    }[str(trade.timer)]
    _move(state, trade, Event.EXPIRE, Actor.SYSTEM, reason=reason)
    if trade.state == State.EXPIRED:
        trade.to_buyer = 0
    return _answer(state, trade)


def dispute(state: ShardState, command: OpenDispute) -> dict[str, Any]:
    """Ask staff to decide."""
    trade = state.trade(command.trade_id)
    _move(
        state,
        trade,
        Event.DISPUTE,
        _disputing(trade, command),
        user=command.actor,
        reason=command.reason,
    )
    trade.to_buyer = None
    return _answer(state, trade)


def resolve(state: ShardState, command: Resolve) -> dict[str, Any]:
    """Staff decides who gets the escrow, or how it is split."""
    trade = state.trade(command.trade_id)
    event = _OUTCOMES[command.outcome]
    next_state(trade.state, event, Actor.STAFF)
    to_buyer = _share(trade, command)
    _move(state, trade, event, Actor.STAFF, user=command.actor, reason=command.reason)
    trade.to_buyer = to_buyer
    return _answer(state, trade)


def settled(state: ShardState, command: Settled) -> dict[str, Any]:
    """The escrow has paid out; book it."""
    trade = state.trade(command.trade_id)
    next_state(trade.state, Event.SETTLED, Actor.SYSTEM)
    if not trade.locked or trade.to_buyer is None:
        raise Conflict(f"Trade {trade.id} has nothing to settle.", field="trade_id")
    event, share = _paid(trade, command)
    trade.to_buyer = share
    parts = payout(trade.escrow_units, trade.buyer_fee + trade.seller_fee, share)
    for move in ledger.settle(trade.buyer_id, trade.seller_id, trade.base, parts):
        state.move("escrow_settle", *move, trade_id=trade.id, reference=command.reference)
    trade.settled, trade.settle_reference = True, command.reference
    _move(
        state,
        trade,
        event,
        Actor.SYSTEM,
        reason=None if event is Event.SETTLED else "The escrow was closed on chain otherwise.",
        reference=command.reference,
        asset=trade.base,
        to_buyer=parts[0],
        fee=parts[1],
        to_seller=parts[2],
    )
    return _answer(state, trade)


def _disputing(trade: TradeState, command: OpenDispute) -> Actor:
    if command.staff:
        return Actor.STAFF
    return Actor.SYSTEM if command.actor is None else _party(trade, command.actor)


def _paid(trade: TradeState, command: Settled) -> tuple[Event, int]:
    """The buyer's gross share that was paid, and what that means for the trade."""
    share = trade.to_buyer if command.to_buyer is None else command.to_buyer
    if share is None or share > trade.escrow_units:
        raise InvalidInput("to_buyer is more than was escrowed.", field="to_buyer", value=share)
    if share == trade.to_buyer:
        return Event.SETTLED, share
    if share == trade.escrow_units:
        return Event.PAID_BUYER, share
    return (Event.PAID_SPLIT if share else Event.PAID_SELLER), share


def _set_fees(trade: TradeState, command: ClearTrade) -> None:
    maker_is_buyer = trade.maker_side == "buy"
    buyer_fee = command.maker_fee if maker_is_buyer else command.taker_fee
    seller_fee = command.taker_fee if maker_is_buyer else command.maker_fee
    limits = (
        ("buyer", buyer_fee, trade.max_buyer_fee),
        ("seller", seller_fee, trade.max_seller_fee),
    )
    for party, fee, most in limits:
        if fee > most:
            side = "maker_fee" if (party == "buyer") == maker_is_buyer else "taker_fee"
            raise InvalidInput(
                f"The {party}'s fee is above what they agreed to.", field=side, value=fee
            )
    trade.buyer_fee, trade.seller_fee = buyer_fee, seller_fee
    trade.fee_note = command.fee_note
    trade.escrow_units = trade.quantity + seller_fee


def _share(trade: TradeState, command: Resolve) -> int:
    if command.outcome != "split":
        return trade.escrow_units if command.outcome == "buyer" else 0
    if command.to_buyer is None or not 0 < command.to_buyer < trade.escrow_units:
        raise InvalidInput(
            "to_buyer must be more than nothing and less than the whole escrow.",
            field="to_buyer",
            value=command.to_buyer,
        )
    return command.to_buyer


def _give_back(state: ShardState, trade: TradeState, units: int) -> None:
    if units:
        unhold(state, trade.seller_id, trade.base, units, trade_id=trade.id)


def _party(trade: TradeState, user: int) -> Actor:
    if user == trade.buyer_id:
        return Actor.BUYER
    if user == trade.seller_id:
        return Actor.SELLER
    raise NotFound(f"There is no trade {trade.id} of yours.", field="trade_id", value=trade.id)


def _move(
    state: ShardState,
    trade: TradeState,
    event: Event,
    by: Actor,
    *,
    user: int | None = None,
    reason: str | None = None,
    **data: Any,
) -> None:
    """Take one step of the table, start or stop the clock, and say so."""
    came_from = trade.state
    trade.state = next_state(came_from, event, by)
    trade.reason = reason or trade.reason
    _set_timer(state, trade)
    state.touch_trade(trade)
    settles = trade.state == came_from
    kind = "trade.settled" if settles else f"trade.{State(trade.state).value}"
    actor = f"user:{user}" if user else str(by)
    state.emit(
        actor,
        kind,
        f"trade:{trade.id}",
        {"event": event.value, "came_from": came_from, "reason": reason, **data},
    )


def _set_timer(state: ShardState, trade: TradeState) -> None:
    timer = TIMERS.get(State(trade.state))
    if timer == trade.timer and timer is not None:
        return
    trade.timer, trade.deadline_ms = timer, None
    if timer is not None:
        terms = state.market(trade.market_id).terms
        seconds = terms.payment_seconds if timer == "payment" else terms.release_seconds
        trade.deadline_ms = state.at_ms + seconds * 1000


def _answer(state: ShardState, trade: TradeState) -> dict[str, Any]:
    state.touch_trade(trade)
    return {"trade_id": trade.id, "state": str(trade.state)}
