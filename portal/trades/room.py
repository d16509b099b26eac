"""The trade room: everything one party may see of a trade, and may do."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import date, datetime
from typing import Any, Literal, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.core.clock import iso, now_ms
from portal.core.errors import PortalError
from portal.core.money import Money, units_text
from portal.core.sealed import Sealer
from portal.escrow.models import ChainIntent, EscrowRecord
from portal.escrow.signatures import claim_missing
from portal.markets.assets import asset
from portal.markets.models import Quote
from portal.orders.offers import SourceView, source_views
from portal.payments.instructions import instructions
from portal.payments.models import StatementLine
from portal.plugin_api import NameMatch
from portal.plugin_host.host import PluginHost
from portal.trades.models import Dispute, DisputeStatement, Trade
from portal.trades.progress import HistoryView, StepView, history, last_reason, steps
from portal.trades.queries import (
    Counterparty,
    Places,
    Role,
    TradeSummary,
    is_over,
    nickname,
    other_party,
    places,
    role_of,
    summary,
)
from portal.trades.rules import TABLE, Actor, Event, State, payout
from portal.users.models import User
from portal.users.queries import completed_trades

Allowed = Literal["paid", "release", "cancel", "dispute", "claim", "statement"]
_ACTS: dict[Allowed, Event] = {
    "paid": Event.MARK_PAID,
    "release": Event.RELEASE,
    "cancel": Event.CANCEL,
    "dispute": Event.DISPUTE,
}
_PAYING = (State.ESCROW_LOCKED, State.AWAITING_PAYMENT, State.PAID, State.VERIFIED, State.DISPUTED)
_RESOLVED = (State.RESOLVED_BUYER, State.RESOLVED_SELLER, State.RESOLVED_SPLIT)
_MATCH_WORDS = {
    NameMatch.MATCH: "A bank statement shows the payment, from an account in the buyer's name.",
    NameMatch.CLOSE: "A payment arrived from a name close to the buyer's. Staff looks at it.",
    NameMatch.NO_MATCH: "A payment arrived from another person's account. Don't release.",
    NameMatch.NOT_POSSIBLE: "A payment arrived, but the payer's name is not known.",
}


@dataclass(frozen=True)
class KnownCounterparty(Counterparty):
    """The other party; the legal name once the escrow is locked."""

    legal_name: str | None
    kyc_tier: int
    completed_trades: int


@dataclass(frozen=True)
class PriceExplained:
    """The index price when the trade was matched, and what it was made from."""

    index: str | None
    sources: list[SourceView]


@dataclass(frozen=True)
class PayeeLine:
    """A field to copy into the banking app."""

    name: str
    label: str
    value: str


@dataclass(frozen=True)
class PaymentView:
    """What is to be paid, or to be expected."""

    payee: list[PayeeLine]
    amount: str
    currency: str
    reference: str
    qr_svg: str | None
    text: str


@dataclass(frozen=True)
class VerificationView:
    """What bank statements say: MTCH, CMTC, NMTC or NOAP about the payer's name."""

    result: str
    at: str | None
    text: str


@dataclass(frozen=True)
class TransactionView:
    """A transaction of the escrow on chain."""

    kind: str
    hash: str | None
    status: str


@dataclass(frozen=True)
class EscrowTerms:
    """The contract's Terms; their EIP-712 struct hash is the escrow's id. Whole numbers are
    decimal strings: amounts and fees in token units, times in Unix seconds.
    """

    salt: str
    seller: str
    buyer: str
    arbiter: str
    backupArbiter: str  # noqa: N815 (the contract's names)
    token: str
    amount: str
    fee: str
    arbiterFee: str  # noqa: N815
    feeTo: str  # noqa: N815
    payBy: str  # noqa: N815
    resolveBy: str  # noqa: N815
    sunset: str
    sunsetBuyerBps: str  # noqa: N815


@dataclass(frozen=True)
class EscrowView:
    """Where the coins are locked. No terms before opening, nor for an escrow in the ledger."""

    backend: str
    status: str
    escrow_id: str | None
    terms: EscrowTerms | None
    transactions: list[TransactionView]


@dataclass(frozen=True)
class StatementView:
    """What a party said; `by` is buyer or seller."""

    by: str
    at: str
    text: str


@dataclass(frozen=True)
class DisputeView:
    """A dispute's ticket; `opened_by` is buyer, seller, staff or system. `to_buyer` is the gross
    part of the escrow that the decision gives the buyer, in the base coin; null while undecided.
    """

    reason: str
    opened_by: str
    opened_at: str
    status: str
    statements: list[StatementView]
    outcome: str | None
    to_buyer: str | None
    decision: str | None


@dataclass(frozen=True)
class TradeView(TradeSummary):
    """A trade as one of its parties sees it. `fee` is the viewer's own, in the base coin."""

    counterparty: KnownCounterparty
    method: str
    fee: str
    fee_note: str | None
    buyer_gets: str
    seller_locks: str
    steps: list[StepView]
    history: list[HistoryView]
    reason: str | None
    timer: Literal["payment", "release"] | None
    server_time: str
    maker: bool
    price_explained: PriceExplained
    payment: PaymentView | None
    verification: VerificationView | None
    escrow: EscrowView
    dispute: DisputeView | None
    allowed: list[Allowed]


def trade_view(
    session: Session, host: PluginHost, sealer: Sealer, user_id: int, trade: Trade
) -> TradeView:
    """Everything the party `user_id` may see of a trade."""
    role, digits = role_of(trade, user_id), places(session, trade)
    short, past = summary(session, user_id, trade), history(session, trade)
    listed = {field.name: getattr(short, field.name) for field in fields(short)}
    buyer_gets = _buyer_gets(trade)
    listed["counterparty"] = _counterparty(session, trade, other_party(trade, user_id))
    return TradeView(
        **listed,
        method=trade.method,
        fee=units_text(trade.buyer_fee if role == "buyer" else trade.seller_fee, digits.base),
        fee_note=trade.fee_note,
        buyer_gets=units_text(buyer_gets, digits.base),
        seller_locks=units_text(trade.quantity + trade.seller_fee, digits.base),
        steps=steps(trade, past),
        history=past,
        reason=last_reason(past),
        timer=cast(Literal["payment", "release"] | None, trade.timer),
        server_time=cast(str, iso(now_ms())),
        maker=(trade.maker_side == "buy") == (role == "buyer"),
        price_explained=_price_explained(session, trade, digits),
        payment=_payment(session, host, sealer, trade, role),
        verification=_verification(session, trade),
        escrow=_escrow(session, trade),
        dispute=_dispute(session, trade, digits),
        allowed=allowed(session, trade, role),
    )


def allowed(session: Session, trade: Trade, role: Role) -> list[Allowed]:
    """What a party may do now."""
    if is_over(trade):
        return []
    state, actor = State(trade.state), Actor(role)
    found: list[Allowed] = []
    for act, event in _ACTS.items():
        move = TABLE.get((state, event))
        if move is not None and actor in move.by:
            found.append(act)
    if claim_missing(session, trade, role):
        found.append("claim")
    if state is State.DISPUTED:
        found.append("statement")
    return found


def _buyer_gets(trade: Trade) -> int:
    escrowed, fee = trade.quantity + trade.seller_fee, trade.buyer_fee + trade.seller_fee
    share = escrowed if trade.to_buyer is None else trade.to_buyer
    return payout(escrowed, fee, share)[0]


def _counterparty(session: Session, trade: Trade, user_id: int) -> KnownCounterparty:
    user = session.get_one(User, user_id)
    return KnownCounterparty(
        nickname=nickname(user),
        legal_name=user.legal_name if trade.locked else None,
        kyc_tier=user.kyc_tier,
        completed_trades=completed_trades(session, user_id),
    )


def _price_explained(session: Session, trade: Trade, digits: Places) -> PriceExplained:
    quote = session.get(Quote, trade.quote_id) if trade.quote_id is not None else None
    index = None
    if trade.index_ticks is not None:
        index = units_text(trade.index_ticks, digits.price)
    return PriceExplained(index, source_views(quote.sources) if quote else [])


def _payment(
    session: Session, host: PluginHost, sealer: Sealer, trade: Trade, role: Role
) -> PaymentView | None:
    if trade.state not in _PAYING or not trade.locked:
        return None
    try:
        told = instructions(session, host, sealer, trade, trade.buyer_id).instructions
    except PortalError as error:
        return _unpayable(session, trade, f"{error.message} {error.hint or ''}".strip())
    view = PaymentView(
        payee=[PayeeLine(line.name, line.label, line.value) for line in told.payee],
        amount=told.amount.text(),
        currency=told.amount.asset.code,
        reference=told.reference,
        qr_svg=told.qr_svg,
        text=told.text,
    )
    return view if role == "buyer" else _as_expected(session, trade, view)


def _as_expected(session: Session, trade: Trade, view: PaymentView) -> PaymentView:
    """The seller knows their own account; they need to know what to look for."""
    payer = session.get_one(User, trade.buyer_id).legal_name
    text = (
        f"Expect exactly {view.amount} {view.currency} from {payer} with this reference. Look "
        "into your banking app, not at screenshots; if the payer is somebody else, don't release."
    )
    return replace(view, payee=[], qr_svg=None, text=text)


def _unpayable(session: Session, trade: Trade, text: str) -> PaymentView:
    amount = Money(asset(session, trade.quote), trade.fiat_units)
    return PaymentView([], amount.text(), trade.quote, "", None, text)


def _verification(session: Session, trade: Trade) -> VerificationView | None:
    line = session.scalar(
        select(StatementLine)
        .where(
            StatementLine.trade_id == trade.id,
            StatementLine.state.in_(("verifying", "verified", "manual")),
        )
        .order_by(StatementLine.id.desc())
        .limit(1)
    )
    if line is None or line.name_match is None:
        return None
    text = _MATCH_WORDS[NameMatch(line.name_match)]
    if line.state == "manual" and line.reason:
        text = line.reason
    return VerificationView(line.name_match, _when(line.decided_at or line.booking_date), text)


def _escrow(session: Session, trade: Trade) -> EscrowView:
    record = session.get(EscrowRecord, trade.id)
    intents = session.scalars(
        select(ChainIntent).where(ChainIntent.trade_id == trade.id).order_by(ChainIntent.id)
    )
    return EscrowView(
        backend=trade.escrow,
        status=record.status if record else "none",
        escrow_id=record.escrow_id if record else None,
        terms=EscrowTerms(**record.terms) if record and record.terms else None,
        transactions=[TransactionView(item.kind, item.tx_hash, item.status) for item in intents],
    )


def _dispute(session: Session, trade: Trade, digits: Places) -> DisputeView | None:
    ticket = session.get(Dispute, trade.id)
    if ticket is None:
        return None
    share = _decided_share(trade, ticket)
    said = session.scalars(
        select(DisputeStatement)
        .where(DisputeStatement.trade_id == trade.id)
        .order_by(DisputeStatement.id)
    )
    parties = {trade.buyer_id: "buyer", trade.seller_id: "seller", None: "system"}
    return DisputeView(
        reason=ticket.reason,
        opened_by=_name(parties, ticket.opened_by),
        opened_at=_moment(ticket.opened_at),
        status=ticket.status,
        statements=[
            StatementView(_name(parties, row.user_id), _moment(row.at), row.text) for row in said
        ],
        outcome=ticket.outcome,
        to_buyer=None if share is None else units_text(share, digits.base),
        decision=ticket.decision,
    )


def _decided_share(trade: Trade, ticket: Dispute) -> int | None:
    """A trade is resolved a moment before its ticket is; a ticket can end without a decision."""
    if ticket.outcome is not None:
        return ticket.to_buyer
    return trade.to_buyer if State(trade.state) in _RESOLVED else None


def _name(parties: Mapping[Any, str], user_id: int | None) -> str:
    return parties.get(user_id, "staff")


def _moment(at: datetime) -> str:
    return cast(str, iso(int(at.timestamp() * 1000)))


def _when(at: date | None) -> str | None:
    """A bank books on a day; it is shown as that day's start."""
    if at is None or isinstance(at, datetime):
        return _moment(at) if at else None
    return f"{at.isoformat()}T00:00:00.000Z"
