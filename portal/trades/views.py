"""Trades and disputes at the desk."""

from collections.abc import Sequence
from typing import Any

from flask import send_file, url_for
from flask_appbuilder.models.sqla.interface import SQLAInterface
from markupsafe import Markup
from sqlalchemy import ColumnElement, select

from portal.audit import evidence
from portal.audit.views import timeline_of
from portal.backoffice import cells, lookups
from portal.backoffice.context import reader, services, staff
from portal.backoffice.pages import Answer, RecordView, Tab, route
from portal.backoffice.panels import Column, Facts, Note, Panel, Shown, Table
from portal.escrow.views import gas_paid, intents_of
from portal.ledger.models import Transfer
from portal.ledger.views import transfers_table
from portal.markets.models import Quote
from portal.markets.views import quote_sources
from portal.trades.desk import DISPUTE_ACTS, TRADE_ACTS
from portal.trades.models import Dispute, DisputeStatement, Trade
from portal.trades.rules import State, payout
from portal.trades.service import DISPUTE_REASONS

DONE = (
    State.COMPLETED,
    State.REFUNDED,
    State.CANCELLED,
    State.EXPIRED,
    State.RESOLVED_BUYER,
    State.RESOLVED_SELLER,
    State.RESOLVED_SPLIT,
)


def _parties(trade: Trade) -> tuple[int, int]:
    return trade.buyer_id, trade.seller_id


class TradeView(RecordView):
    """All trades."""

    datamodel = SQLAInterface(Trade)
    route_base = "/trades"
    page_title = "Trades"
    search_in = ("market_id", "lock_reference", "settle_reference", "payment_proof")
    search_hint = "Trade number, market or reference"
    newest_first = "id"
    empty_title = "No trades here"
    empty_text = "A trade appears as soon as two orders meet."
    tabs = (
        Tab("open", "Open", lambda: ~Trade.state.in_(DONE)),
        Tab("held", "Held", lambda: Trade.state == State.HELD),
        Tab("disputed", "Disputed", lambda: Trade.state == State.DISPUTED),
        Tab("done", "Ended", lambda: Trade.state.in_(DONE)),
        Tab("all", "All trades"),
    )
    columns = (
        Column("Trade", lambda trade: cells.number(trade.id), sort="id"),
        Column("Market", lambda trade: trade.market_id, sort="market_id"),
        Column("Buyer", lambda trade: cells.person(trade.buyer_id), people=_parties),
        Column("Seller", lambda trade: cells.person(trade.seller_id)),
        Column("Quantity", lambda row: cells.money(row.quantity, row.base), align="right"),
        Column("Price", lambda row: cells.price(row.price_ticks, row.market_id), align="right"),
        Column("Pays", lambda row: cells.money(row.fiat_units, row.quote), align="right"),
        Column("State", lambda trade: cells.state(trade.state), sort="state"),
        Column("Clock", lambda trade: clock(trade), sort="deadline_ms"),
        Column("Since", lambda trade: cells.when(trade.created_ms), sort="created_ms"),
    )
    acts = TRADE_ACTS
    own_permissions = ("can_evidence",)

    def title_of(self, record: Any) -> Shown:
        """Number."""
        return f"Trade #{record.id}"

    def status_of(self, record: Any) -> Shown:
        """Its state."""
        return cells.state(record.state)

    def panels(self, record: Any) -> Sequence[Panel]:
        """What needs attention, then terms, money, price, history, ledger and chain."""
        return (
            *_attention(record),
            terms(record),
            _escrow(record),
            parties(record),
            _price(record),
            *_quote(record),
            timeline_of("What happened", f"trade:{record.id}"),
            transfers_table("Ledger", Transfer.trade_id == record.id),
            intents_of(record.id),
            *self._evidence(record),
        )

    def _evidence(self, trade: Trade) -> list[Panel]:
        if not self.appbuilder.sm.has_access("can_evidence", self.class_permission_name):
            return []
        address = url_for(f"{self.endpoint}.evidence", pk=trade.id)
        link = Markup('<a href="{}">Download the evidence</a>').format(address)
        text = Markup(
            "{} of this trade as a ZIP that others can check without the portal. It holds what "
            "both sides wrote, and that you took it is written down."
        ).format(link)
        return [Note("For others", text)]

    @route("/<pk>/evidence")
    def evidence(self, pk: str) -> Answer:
        """Everything about a trade, with its proofs, to hand to others."""
        trade = self._found(pk)
        home = services()
        file = evidence.export(home.settings, home.database, trade.id, f"staff:{staff().id}")
        name = f"evidence-{trade.id}.zip"
        return send_file(file, "application/zip", as_attachment=True, download_name=name)


def clock(trade: Trade) -> Shown:
    """Which clock runs and until when."""
    if trade.deadline_ms is None:
        return cells.NOTHING
    return cells.when(trade.deadline_ms)


def _attention(trade: Trade) -> list[Note]:
    if trade.state == State.HELD:
        reason = trade.reason or "Compliance gave no reason."
        return [Note("Held for a compliance officer", reason, tone="wait")]
    if trade.state == State.DISPUTED:
        link = cells.link("DisputeView", trade.id, "Open the dispute")
        return [Note("Disputed", link, by=reason_words(trade.reason), tone="wait")]
    if trade.reason:
        return [Note("Reason", reason_words(trade.reason))]
    return []


def reason_words(reason: str | None) -> str:
    """A reason as people read it, whether a sentence or a code."""
    told = DISPUTE_REASONS.get(reason or "", reason or "")
    return told if " " in told else told.replace("_", " ").capitalize()


def terms(trade: Trade) -> Facts:
    """What was agreed."""
    return Facts(
        "Terms",
        (
            ("Market", cells.link("MarketView", trade.market_id, trade.market_id)),
            ("Quantity", cells.money(trade.quantity, trade.base)),
            ("Price", cells.price(trade.price_ticks, trade.market_id)),
            ("Buyer pays", cells.money(trade.fiat_units, trade.quote)),
            ("By", trade.method),
            ("Matched", cells.when(trade.created_ms)),
            ("Changed", cells.when(trade.updated_ms)),
            ("Clock runs out", _clock_words(trade)),
        ),
    )


def _clock_words(trade: Trade) -> Shown:
    if trade.timer is None:
        return cells.text("no clock runs")
    return cells.joined(clock(trade), f" ({trade.timer})")


def parties(trade: Trade) -> Facts:
    """Who trades with whom, who was there first."""
    lookups.load_people((trade.buyer_id, trade.seller_id))
    maker, taker = ("buyer", "seller") if trade.maker_side == "buy" else ("seller", "buyer")
    return Facts(
        "Parties",
        (
            ("Buyer", cells.person(trade.buyer_id)),
            ("Seller", cells.person(trade.seller_id)),
            (f"Maker ({maker})", cells.link("OrderView", trade.maker_order_id)),
            (f"Taker ({taker})", cells.link("OrderView", trade.taker_order_id)),
            ("Payment proof", proof(trade)),
        ),
    )


def proof(trade: Trade) -> Shown:
    """What proved the payment, linked to the statement line."""
    kind, _, number = (trade.payment_proof or "").partition(":")
    if kind == "statement_line" and number.isdigit():
        return cells.link("StatementLineView", number, f"statement line #{number}")
    return cells.text(trade.payment_proof)


def _escrow(trade: Trade) -> Facts:
    fee = trade.buyer_fee + trade.seller_fee
    return Facts(
        "Escrow and fees",
        (
            ("Locked", cells.money(trade.escrow_units, trade.base)),
            ("Kept", "on chain" if trade.escrow == "evm" else "in the ledger"),
            ("Fee of the buyer", cells.money(trade.buyer_fee, trade.base)),
            ("Fee of the seller", cells.money(trade.seller_fee, trade.base)),
            ("Platform gets", cells.money(fee, trade.base)),
            ("How it was computed", cells.text(trade.fee_note)),
            ("Opened by", cells.code(trade.lock_reference, keep=10)),
            ("Settled by", cells.code(trade.settle_reference, keep=10)),
            ("Gas paid", gas_paid(trade.id)),
        ),
    )


def _price(trade: Trade) -> Facts:
    return Facts(
        "Price explained",
        (
            ("Price of the trade", cells.price(trade.price_ticks, trade.market_id)),
            ("Index at the match", cells.price(trade.index_ticks, trade.market_id)),
            ("From the index", _from_index(trade)),
            ("Quote", cells.link("QuoteView", trade.quote_id)),
        ),
    )


def _from_index(trade: Trade) -> Shown:
    if not trade.index_ticks:
        return cells.text("there was no index price")
    bps = round((trade.price_ticks - trade.index_ticks) * 10_000 / trade.index_ticks)
    return cells.percent_of_bps(bps)


def _quote(trade: Trade) -> list[Table]:
    quote = reader().get(Quote, trade.quote_id) if trade.quote_id else None
    return [quote_sources(quote)] if quote else []


class DisputeView(RecordView):
    """The arbiter's queue."""

    datamodel = SQLAInterface(Dispute)
    route_base = "/disputes"
    page_title = "Disputes"
    search_in = ("reason", "statement")
    search_hint = "Trade number or words"
    newest_first = "opened_at"
    empty_title = "No open disputes"
    empty_text = "Nobody waits for a decision. Oldest disputes are decided first."
    tabs = (
        Tab("open", "Open", lambda: Dispute.status == "open"),
        Tab("decided", "Decided", lambda: _decided()),
        Tab("all", "All disputes"),
    )
    columns = (
        Column("Trade", lambda row: cells.number(row.trade_id), sort="trade_id"),
        Column("Reason", lambda row: cells.text(reason_words(row.reason))),
        Column("Opened by", lambda r: opener(r), people=lambda row: (row.opened_by,)),
        Column("Waits since", lambda row: cells.when(row.opened_at), sort="opened_at"),
        Column("Status", lambda row: dispute_status(row), sort="status"),
        Column("Statement", lambda row: cells.text(row.statement, limit=100), wide=True),
    )
    acts = DISPUTE_ACTS

    def title_of(self, record: Any) -> Shown:
        """The trade's number."""
        return f"Dispute of trade #{record.trade_id}"

    def status_of(self, record: Any) -> Shown:
        """Open or how it was decided."""
        return dispute_status(record)

    def panels(self, record: Any) -> Sequence[Panel]:
        """Both sides, what the bank says, the trade, the decision."""
        trade = reader().get(Trade, record.trade_id)
        if trade is None:
            return (Note("The trade is missing", "Run `portal audit verify`.", tone="harm"),)
        return (
            *_decision(record, trade),
            _opening(record),
            *_statements(record, trade),
            _payment(trade),
            _amounts(trade),
            terms(trade),
            parties(trade),
            timeline_of("What happened", f"trade:{trade.id}"),
        )


def _decided() -> ColumnElement[bool]:
    return Dispute.status != "open"


def opener(dispute: Dispute) -> Shown:
    """Who opened it; nobody when a clock did."""
    return cells.person(dispute.opened_by) if dispute.opened_by else cells.text("the clock")


def dispute_status(dispute: Dispute) -> Shown:
    """Open, or for whom it was decided."""
    if dispute.status == "open":
        return cells.state("open", tone="wait")
    words = {"buyer": "for the buyer", "seller": "for the seller", "split": "split"}
    return cells.state(words.get(dispute.outcome or "", "ended"), tone="done")


def _opening(dispute: Dispute) -> Note:
    by = cells.joined("Opened by ", opener(dispute), ", ", cells.when(dispute.opened_at))
    text = dispute.statement or "No statement was given."
    return Note(reason_words(dispute.reason), text, by=by, tone="wait")


def _statements(dispute: Dispute, trade: Trade) -> list[Note]:
    rows = reader().scalars(
        select(DisputeStatement)
        .where(DisputeStatement.trade_id == dispute.trade_id)
        .order_by(DisputeStatement.id)
    )
    opening = (dispute.opened_by, dispute.statement)
    notes = [_statement(row, trade) for row in rows if (row.user_id, row.text) != opening]
    silent = {"buyer": trade.buyer_id, "seller": trade.seller_id}
    spoke = {note.title for note in notes}
    if dispute.opened_by:
        spoke |= {f"The {name} says" for name, one in silent.items() if one == dispute.opened_by}
    for name in silent:
        if f"The {name} says" not in spoke:
            notes.append(Note(f"The {name} says", "Nothing yet."))
    return notes


def _statement(row: DisputeStatement, trade: Trade) -> Note:
    names = {trade.buyer_id: "The buyer says", trade.seller_id: "The seller says"}
    by = cells.joined(cells.person(row.user_id), ", ", cells.when(row.at))
    return Note(names.get(row.user_id, "Staff says"), row.text, by=by)


def _payment(trade: Trade) -> Facts:
    verified = trade.payment_proof is not None
    shown = cells.state("verified by a bank statement", tone="done")
    return Facts(
        "Payment",
        (
            ("Expected", cells.money(trade.fiat_units, trade.quote)),
            ("By", trade.method),
            ("Bank statement", shown if verified else cells.state("no matching credit")),
            ("Proof", proof(trade)),
        ),
    )


def _amounts(trade: Trade) -> Facts:
    fee = trade.buyer_fee + trade.seller_fee
    buyer, platform, _ = payout(trade.escrow_units, fee, trade.escrow_units)
    return Facts(
        "What is at stake",
        (
            ("In escrow", cells.money(trade.escrow_units, trade.base)),
            ("Buyer, if for the buyer", cells.money(buyer, trade.base)),
            ("Platform, if for the buyer", cells.money(platform, trade.base)),
            ("Seller, if for the seller", cells.money(trade.escrow_units, trade.base)),
        ),
    )


def _decision(dispute: Dispute, trade: Trade) -> list[Panel]:
    if dispute.status == "open":
        return []
    by = cells.joined(cells.person(dispute.decided_by), ", ", cells.when(dispute.decided_at))
    title = f"Decided: {dispute.outcome}" if dispute.outcome else "Ended without a decision"
    if dispute.to_buyer is None:
        return [Note(title, dispute.decision or "", by=by, tone="done")]
    buyer, platform, seller = payout(
        trade.escrow_units, trade.buyer_fee + trade.seller_fee, dispute.to_buyer
    )
    paid = Facts(
        "Payout of the decision",
        (
            ("Buyer gets", cells.money(buyer, trade.base)),
            ("Seller gets", cells.money(seller, trade.base)),
            ("Platform gets", cells.money(platform, trade.base)),
            ("Paid out", cells.state("settled" if trade.settled else "under way")),
        ),
    )
    return [Note(title, dispute.decision or "", by=by, tone="done"), paid]
