"""Trades' escrows, driven by the engine's events and by what happens on chain.

Events only say which trades to look at; what to do follows from where a trade stands. Answers
to the engine carry a key made of the trade, so that a retry never counts twice.
"""

import structlog
from sqlalchemy import or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from portal.audit.models import AuditEvent, OutboxCursor
from portal.audit.service import PORTAL_STREAM
from portal.core.clock import now_ms, utc_now
from portal.core.db import Database
from portal.core.errors import PortalError, Unavailable
from portal.core.jobs import Engine, JobContext
from portal.core.settings import Settings
from portal.escrow.backends import (
    Command,
    EscrowBackend,
    backends,
    escrow_locked,
    lock_failed,
    paid_on_chain,
    settled,
)
from portal.escrow.chain.client import ChainClient
from portal.escrow.chain.effects import send_again
from portal.escrow.chain.finality import counted_now
from portal.escrow.chain.intents import CONFIRMED, DONE, FAILED, NEW, Outcome
from portal.escrow.chain.relayer import Policy, Relayer
from portal.escrow.chain.runner import IntentRunner
from portal.escrow.contract import EscrowContract
from portal.escrow.deployment import find_deployment
from portal.escrow.models import ChainIntent, EscrowRecord
from portal.escrow.payouts.stops import find_stop, require_payouts
from portal.escrow.rules import CLOSING, Act, Status, already_done, pay_until
from portal.escrow.signatures import SIGNED_EVENT, signing_requests, store_signatures
from portal.escrow.signers.chosen import relayer
from portal.markets.models import Market
from portal.trades.models import Trade
from portal.trades.rules import State

__all__ = [
    "process_events",
    "report_outcomes",
    "run_intents",
    "signing_requests",
    "store_signatures",
]

log = structlog.get_logger(__name__)

CONSUMER = "escrow"
# The engine's events, and the portal's own: a decision may be older than the signature it needs.
STREAMS: dict[str, frozenset[str] | None] = {
    "shard:main": None,
    PORTAL_STREAM: frozenset({SIGNED_EVENT}),
}
BATCH = 500
_WAITING = (
    State.LOCKING,
    State.RELEASED,
    State.CANCELLED,
    State.EXPIRED,
    State.RESOLVED_BUYER,
    State.RESOLVED_SELLER,
    State.RESOLVED_SPLIT,
)
_ACTS = frozenset(str(act) for act in Act)
_RECORD_STATUS = {
    Act.OPEN: "open",
    Act.MARK_PAID: "paid",
    Act.SETTLE: "closed",
    Act.CANCEL: "closed",
    Act.EXPIRE: "closed",
}


def process_events(context: JobContext) -> int:
    """Look at every trade that something happened to; returns how many events were read.

    A cursor moves only after the engine took our answers: a kill in between repeats them.
    """
    known = backends(context.settings)
    return sum(_process(context, known, stream, kinds) for stream, kinds in STREAMS.items())


def _process(
    context: JobContext,
    known: dict[str, EscrowBackend],
    stream: str,
    kinds: frozenset[str] | None,
) -> int:
    done = 0
    while events := _next_events(context.database, stream):
        wanted = [event for event in events if kinds is None or event.kind in kinds]
        for trade_id in dict.fromkeys(filter(None, map(_trade_of, wanted))):
            _advance(context, known, trade_id)
        with context.database.transaction() as session:
            _move_cursor(session, stream, events[-1].seq)
        done += len(events)
    return done


def sweep_trades(context: JobContext) -> int:
    """Look again at every trade that waits for its escrow; returns how many there are.

    Heals what an error on a trade's event left behind: what is under way is not begun twice.
    """
    known = backends(context.settings)
    with context.database.reader() as session:
        waiting = session.scalars(
            select(Trade.id)
            .where(
                Trade.state.in_(_WAITING),
                ~Trade.closed,
                or_(Trade.locked, Trade.state == State.LOCKING),
            )
            .order_by(Trade.id)
        ).all()
    for trade_id in waiting:
        _advance(context, known, trade_id)
    return len(waiting)


def run_intents(context: JobContext, client: ChainClient) -> int:
    """Sign, send and follow the due transactions; returns how many were looked at."""
    with context.database.reader() as session:
        deployment = find_deployment(session)
    if deployment is None:
        return 0
    grace = context.settings.escrow_grace_seconds
    watch = _Watch(EscrowContract(client, deployment), grace)
    sending = Relayer(
        context.database,
        client,
        relayer(context.settings),
        deployment.chain_id,
        Policy.of(context.settings),
        watch.observe,
        watch.ended,
    )
    return IntentRunner(sending).run()


def report_outcomes(context: JobContext, client: ChainClient) -> int:
    """Tell the engine how ended transactions ended; returns how many were told.

    An opening or a payout is told of once its effect counts (CHAIN_CONFIRMATIONS or
    CHAIN_FINALITY); one whose effect the chain took back before is sent again. A payout that
    failed may have been made otherwise by the parties: then the chain is asked.
    """
    with context.database.reader() as session:
        ended = session.scalars(
            select(ChainIntent)
            .where(
                ChainIntent.status.in_((CONFIRMED, DONE, FAILED)),
                ChainIntent.reported_at.is_(None),
            )
            .order_by(ChainIntent.id)
            .limit(BATCH)
        ).all()
    told = 0
    counted = counted_now(context.settings, client) if ended else 0
    for intent in ended:
        if not _counts(context.database, client, intent, counted):
            continue
        with context.database.reader() as session:
            command = _command(session, context.settings, client, intent)
        if command is not None:
            submit(context.engine, command)
        _mark_reported(context.database, intent)
        told += 1
    return told


def _counts(database: Database, client: ChainClient, intent: ChainIntent, counted: int) -> bool:
    """Whether what an intent brought about is in a block that counts.

    Where the chain shows nothing of it any more, it is sent again.
    """
    with database.reader() as session:
        found = session.get(EscrowRecord, intent.trade_id) if intent.kind in _ACTS else None
        deployment = find_deployment(session)
    if found is None or not found.escrow_id or deployment is None:
        return True
    act, escrow = Act(intent.kind), EscrowContract(client, deployment)
    # A block from before the contract knows of no trade.
    old = counted < deployment.block
    then = Status.NONE if old else escrow.status(found.escrow_id, counted)
    if intent.status == FAILED:
        # What the parties did instead has to count, too.
        return act not in CLOSING or then is escrow.status(found.escrow_id)
    if already_done(act, then):
        return True
    if not already_done(act, escrow.status(found.escrow_id)):
        send_again(database, intent.id)
    return False


def submit(engine: Engine, command: Command) -> None:
    """Hand a command in. A refusal means that the trade has moved on: it is logged, not raised.

    Raises Unavailable when the engine does not answer.
    """
    try:
        engine.submit(command)
    except Unavailable:
        raise
    except PortalError as error:
        log.warning("escrow.refused", command=command["kind"], key=command["key"], why=str(error))


class _Watch:
    """What the intent runner asks about escrow transactions."""

    def __init__(self, escrow: EscrowContract, grace_seconds: int) -> None:
        self._escrow = escrow
        self._grace_seconds = grace_seconds

    def observe(self, session: Session, intent: ChainIntent) -> Outcome | None:
        """Whether the chain shows the effect already, by whoever's transaction."""
        found = session.get(EscrowRecord, intent.trade_id) if intent.kind in _ACTS else None
        if found is None or found.escrow_id is None:
            return None
        act = Act(intent.kind)
        if not already_done(act, self._escrow.status(found.escrow_id)):
            if act in CLOSING and intent.status == NEW:
                self._require_payouts(session, found)
            return self._not_any_more(session, found) if act is Act.OPEN else None
        if act is Act.OPEN:
            return Outcome(self._escrow.opening(found.escrow_id))
        if act is Act.MARK_PAID:
            return Outcome(None)
        return self._closed(session, intent, found.escrow_id)

    def _require_payouts(self, session: Session, found: EscrowRecord) -> None:
        """An unsigned payout of a coin that is stopped stays unsigned, with the reason."""
        trade = session.get_one(Trade, found.trade_id)
        require_payouts(session, trade.base, (trade.seller_id, trade.buyer_id))

    def _not_any_more(self, session: Session, found: EscrowRecord) -> Outcome | None:
        """An opening of a trade that ended meanwhile (coins locked for it would have no way out),
        or that waited so long that the buyer's time would outlast `payBy`.
        """
        trade = session.get_one(Trade, found.trade_id)
        if trade.locked and not trade.settled:
            return None  # It was open, and a reorg took that back.
        if trade.state != State.LOCKING:
            return Outcome(None, f"The trade is {trade.state}: its coins are not to be locked.")
        window = session.get_one(Market, trade.market_id).payment_seconds
        latest = pay_until(int(found.terms["payBy"]), self._grace_seconds) - window
        if now_ms() // 1000 <= latest:
            return None
        return Outcome(None, "The chain did not take the opening in time.")

    def _closed(self, session: Session, intent: ChainIntent, escrow_id: str) -> Outcome:
        closing = self._escrow.closing(escrow_id)
        wanted = session.get_one(Trade, intent.trade_id).to_buyer
        if closing is None:
            return Outcome(None, "The chain shows the escrow closed but not how.")
        if closing.to_buyer != wanted:
            shares = f"{closing.to_buyer} units for the buyer, not {wanted}"
            return Outcome(closing.tx_hash, f"The escrow was closed on chain with {shares}.")
        return Outcome(closing.tx_hash)

    def ended(self, session: Session, intent: ChainIntent) -> None:
        """Keep the escrow's record in step."""
        found = session.get(EscrowRecord, intent.trade_id) if intent.kind in _ACTS else None
        if found is None:
            return
        act = Act(intent.kind)
        if intent.status != FAILED:
            if found.status != Status.CLOSED:
                found.status = _RECORD_STATUS[act]
        elif act is Act.OPEN:
            found.status = FAILED


def _command(
    session: Session, settings: Settings, client: ChainClient, intent: ChainIntent
) -> Command | None:
    """What the engine should hear about an ended transaction; a failed payout needs a person."""
    if intent.trade_id is None or intent.kind not in _ACTS:
        return None
    act = Act(intent.kind)
    reference = intent.tx_hash or f"intent:{intent.id}"
    if act is Act.OPEN:
        if intent.status == FAILED:
            return lock_failed(intent.trade_id, intent.error or "The escrow could not be opened.")
        until = pay_until(_pay_by(session, intent.trade_id), settings.escrow_grace_seconds)
        return escrow_locked(intent.trade_id, reference, until * 1000)
    if act not in CLOSING:
        return None
    if intent.status != FAILED:
        return settled(intent.trade_id, reference)
    return _ended_otherwise(session, client, intent.trade_id, act)


def _pay_by(session: Session, trade_id: int) -> int:
    return int(session.get_one(EscrowRecord, trade_id).terms["payBy"])


def _ended_otherwise(
    session: Session, client: ChainClient, trade_id: int, act: Act
) -> Command | None:
    """What the parties did on chain by themselves, where that kept our payout from being made."""
    found, deployment = session.get(EscrowRecord, trade_id), find_deployment(session)
    if found is None or found.escrow_id is None or deployment is None:
        return None
    escrow = EscrowContract(client, deployment)
    status = escrow.status(found.escrow_id)
    if status is Status.PAID and act is Act.EXPIRE:
        return paid_on_chain(trade_id)
    closing = escrow.closing(found.escrow_id) if status is Status.CLOSED else None
    return None if closing is None else settled(trade_id, closing.tx_hash, closing.to_buyer)


def _mark_reported(database: Database, told: ChainIntent) -> None:
    """Not if the intent was changed since it was read: then it is looked at again."""
    with database.transaction() as session:
        intent = session.get_one(ChainIntent, told.id, with_for_update=True)
        if intent.updated_at != told.updated_at:
            return
        intent.reported_at = utc_now()
        if intent.status != FAILED:
            intent.alarm, intent.error = False, None  # Gone for a while, perhaps; now it counts.


def _advance(context: JobContext, known: dict[str, EscrowBackend], trade_id: int) -> None:
    try:
        with context.database.transaction() as session:
            trade = session.get(Trade, trade_id)
            commands = (
                []
                if trade is None or _stopped(session, trade)
                else known[trade.escrow].advance(session, trade)
            )
    except Unavailable:
        raise
    except PortalError as error:
        # The sweep comes back to it; the other trades must not wait with it.
        log.error("escrow.not_advanced", trade=trade_id, why=str(error))
        return
    except Exception:
        log.exception("escrow.not_advanced", trade=trade_id)
        return
    for command in commands:
        submit(context.engine, command)


def _stopped(session: Session, trade: Trade) -> bool:
    """Whether a stop keeps the trade from locking or paying out; the sweep comes back to it."""
    if trade.state not in _WAITING:
        return False
    people, opening = (trade.seller_id, trade.buyer_id), trade.state == State.LOCKING
    stop = find_stop(session, trade.base, people, opening=opening)
    if stop is None:
        return False
    log.error("escrow.payout_stopped", trade=trade.id, stop=stop.id, why=stop.reason)
    return True


def _trade_of(event: AuditEvent) -> int | None:
    subject, _, number = event.subject.partition(":")
    return int(number) if subject == "trade" else None


def _next_events(database: Database, stream: str) -> list[AuditEvent]:
    with database.reader() as session:
        cursor = session.get(OutboxCursor, (CONSUMER, stream))
        start = 0 if cursor is None else cursor.seq
        statement = select(AuditEvent).where(AuditEvent.stream == stream, AuditEvent.seq > start)
        return list(session.scalars(statement.order_by(AuditEvent.seq).limit(BATCH)))


def _move_cursor(session: Session, stream: str, seq: int) -> None:
    statement = insert(OutboxCursor).values(consumer=CONSUMER, stream=stream, seq=seq)
    session.execute(
        statement.on_conflict_do_update(index_elements=["consumer", "stream"], set_={"seq": seq})
    )
