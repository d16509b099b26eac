"""Escrows and the transactions that the portal owes the chain."""

from collections.abc import Sequence
from typing import Any

from flask_appbuilder.models.sqla.interface import SQLAInterface
from sqlalchemy import select

from portal.backoffice import cells
from portal.backoffice.acts import Act, Values
from portal.backoffice.context import reader, services, staff
from portal.backoffice.pages import RecordView, Tab
from portal.backoffice.panels import Column, Facts, Note, Panel, Shown, Table
from portal.escrow.chain.fees import GWEI
from portal.escrow.chain.intents import attempts_of, retry_intent
from portal.escrow.chain.spending import (
    DayOfGas,
    gas_by_day,
    gas_of_intent,
    gas_of_trade,
    gas_since,
    midnight,
)
from portal.escrow.models import ChainAttempt, ChainIntent, EscrowRecord, EscrowSignature
from portal.escrow.payouts.stops import find_stop
from portal.trades.models import Trade

GAS_DAYS = 7


def gwei(wei: int | None) -> Shown:
    """An amount of the chain's own coin."""
    return cells.text(None if wei is None else f"{wei // GWEI:,} gwei")


def gas_paid(trade_id: int) -> Shown:
    """What a trade's transactions cost so far."""
    return gwei(gas_of_trade(reader(), trade_id) or None)


INTENT_COLUMNS = (
    Column("Transaction", lambda intent: cells.link("ChainIntentView", intent.id)),
    Column("What", lambda intent: intent.kind.replace("_", " ")),
    Column("Status", lambda intent: cells.state(intent.status)),
    Column("Hash", lambda intent: cells.code(intent.tx_hash, keep=8)),
    Column("Block", lambda intent: cells.text(intent.block_number), align="right"),
    Column("Gas paid", lambda intent: gwei(gas_of_intent(reader(), intent.id)), align="right"),
    Column("Changed", lambda intent: cells.when(intent.updated_at)),
)


def intents_of(trade_id: int) -> Table:
    """The chain transactions of a trade."""
    rows = reader().scalars(
        select(ChainIntent).where(ChainIntent.trade_id == trade_id).order_by(ChainIntent.id)
    )
    return Table("Chain transactions", INTENT_COLUMNS, list(rows), "None for this trade.")


class EscrowView(RecordView):
    """Where the coins of each trade are."""

    datamodel = SQLAInterface(EscrowRecord)
    route_base = "/escrows"
    page_title = "Escrows"
    search_in = ("escrow_id",)
    search_hint = "Trade number or escrow id"
    newest_first = "trade_id"
    empty_title = "No escrow yet"
    empty_text = "An escrow opens by itself when a trade is cleared."
    tabs = (
        Tab("all", "All"),
        Tab("evm", "On chain", lambda: EscrowRecord.backend == "evm"),
        Tab("ledger", "In the ledger", lambda: EscrowRecord.backend == "ledger"),
    )
    columns = (
        Column("Trade", lambda row: cells.number(row.trade_id), sort="trade_id"),
        Column("Kept", lambda row: "on chain" if row.backend == "evm" else "in the ledger"),
        Column("Status", lambda row: cells.state(row.status), sort="status"),
        Column("Escrow id", lambda row: cells.code(row.escrow_id, keep=8)),
        Column("Changed", lambda row: cells.when(row.updated_at), sort="updated_at"),
    )

    def title_of(self, record: Any) -> Shown:
        """The trade's number."""
        return f"Escrow of trade #{record.trade_id}"

    def status_of(self, record: Any) -> Shown:
        """Where it stands."""
        return cells.state(record.status)

    def panels(self, record: Any) -> Sequence[Panel]:
        """Amounts, terms, signatures, transactions."""
        trade = reader().get(Trade, record.trade_id)
        return (
            *_held(record, trade),
            _amounts(record, trade),
            Facts("Terms", [(name, cells.text(value)) for name, value in record.terms.items()]),
            _signatures(record),
            intents_of(record.trade_id),
        )


def _held(record: EscrowRecord, trade: Trade | None) -> Sequence[Panel]:
    """Why an escrow that is not over is not paid out."""
    if trade is None or record.status in ("closed", "failed"):
        return ()
    stop = find_stop(reader(), trade.base, (trade.seller_id, trade.buyer_id))
    if stop is None:
        return ()
    return (Note(f"Payouts of {trade.base} are stopped", stop.reason, tone="harm"),)


def _amounts(record: EscrowRecord, trade: Trade | None) -> Facts:
    items = [
        ("Trade", cells.link("TradeView", record.trade_id)),
        ("Escrow id", cells.code(record.escrow_id)),
        ("Changed", cells.when(record.updated_at)),
        ("Gas paid", gas_paid(record.trade_id)),
    ]
    if trade is not None:
        items += [
            ("Locked", cells.money(trade.escrow_units, trade.base)),
            ("Seller", cells.person(trade.seller_id)),
            ("Buyer", cells.person(trade.buyer_id)),
        ]
    return Facts("Escrow", items)


def _signatures(record: EscrowRecord) -> Table:
    rows = reader().scalars(
        select(EscrowSignature)
        .where(EscrowSignature.trade_id == record.trade_id)
        .order_by(EscrowSignature.id)
    )
    return Table(
        "Signatures",
        (
            Column("Party", lambda row: row.party),
            Column("Act", lambda row: row.kind.replace("_", " ")),
            Column("Signature", lambda row: cells.code(row.signature, keep=10)),
            Column("When", lambda row: cells.when(row.at)),
        ),
        list(rows),
        "Nobody has signed anything yet.",
    )


def _retry(view: Any, intent: ChainIntent, values: Values) -> str:
    with services().database.transaction() as session:
        retry_intent(session, intent.id, f"user:{staff().id}")
    return f"Transaction #{intent.id} is tried again."


class ChainIntentView(RecordView):
    """Transactions under way, done and failed."""

    datamodel = SQLAInterface(ChainIntent)
    route_base = "/chain-transactions"
    page_title = "Chain transactions"
    search_in = ("tx_hash", "key", "to_address")
    search_hint = "Hash, address or number"
    newest_first = "id"
    empty_title = "No transactions"
    empty_text = "The portal sends one whenever an escrow opens, is paid out or refunded."
    tabs = (
        Tab("all", "All"),
        Tab("failed", "Failed", lambda: ChainIntent.status == "failed"),
        Tab("stuck", "Need a person", lambda: ChainIntent.alarm & (ChainIntent.status != "failed")),
        Tab("going", "Under way", lambda: ChainIntent.status.in_(("new", "signed", "sent"))),
        Tab("done", "Done", lambda: ChainIntent.status.in_(("confirmed", "done"))),
    )
    columns = (
        Column("Transaction", lambda intent: f"#{intent.id}", sort="id"),
        Column("What", lambda intent: intent.kind.replace("_", " "), sort="kind"),
        Column("Trade", lambda intent: cells.link("TradeView", intent.trade_id)),
        Column("Status", lambda intent: cells.state(intent.status), sort="status"),
        Column("Hash", lambda intent: cells.code(intent.tx_hash, keep=8)),
        Column("Error", lambda intent: cells.text(intent.error, limit=60), wide=True),
        Column("Changed", lambda intent: cells.when(intent.updated_at), sort="updated_at"),
    )

    acts = (
        Act(
            "retry",
            "Try again",
            _retry,
            consequence="The transaction is signed anew and sent, unless the chain shows its "
            "effect already. Remove the cause of the failure first.",
            offered=lambda intent: intent.status == "failed",
        ),
    )

    def overview(self) -> Sequence[Panel]:
        """What gas costs."""
        return (*_over_budget(), _gas_by_day())

    def title_of(self, record: Any) -> Shown:
        """What it does."""
        return f"Transaction #{record.id}: {record.kind.replace('_', ' ')}"

    def status_of(self, record: Any) -> Shown:
        """Where it stands."""
        return cells.state(record.status)

    def panels(self, record: Any) -> Sequence[Panel]:
        """The error first, then what is known."""
        failed = [Note("Why it failed", record.error, tone="harm")] if record.error else []
        return (*failed, _on_chain(record), _attempts(record), _ours(record))


def _over_budget() -> list[Note]:
    budget = services().settings.chain_gas_budget_gwei * GWEI
    spent = gas_since(reader(), midnight())
    if not budget or spent <= budget:
        return []
    text = f"{spent // GWEI:,} gwei were paid today; CHAIN_GAS_BUDGET_GWEI is {budget // GWEI:,}."
    return [Note("Gas is above the day's budget", text, tone="harm")]


def _gas_by_day() -> Table:
    def day(row: DayOfGas) -> Shown:
        return row.day.isoformat()

    return Table(
        "Gas paid per day (UTC)",
        (
            Column("Day", day),
            Column("Transactions", lambda row: cells.text(row.transactions), align="right"),
            Column("Gas paid", lambda row: gwei(row.wei), align="right"),
        ),
        gas_by_day(reader(), GAS_DAYS),
        f"Nothing in {GAS_DAYS} days.",
    )


def _on_chain(intent: ChainIntent) -> Facts:
    return Facts(
        "On chain",
        (
            ("Hash", cells.code(intent.tx_hash)),
            ("Block", cells.text(intent.block_number)),
            ("Final since", cells.when(intent.final_at)),
            ("Gas paid", gwei(gas_of_intent(reader(), intent.id))),
            ("To", cells.code(intent.to_address)),
        ),
    )


def _attempts(intent: ChainIntent) -> Table:
    def fees(row: ChainAttempt) -> Shown:
        return f"{row.max_fee / GWEI:.4g} / {row.priority_fee / GWEI:.4g}"

    return Table(
        "Attempts",
        (
            Column("Nonce", lambda row: cells.text(row.nonce), align="right"),
            Column("Status", lambda row: cells.state(row.status)),
            Column("Hash", lambda row: cells.code(row.tx_hash, keep=8)),
            Column("From", lambda row: cells.code(row.sender, keep=8)),
            Column("Fee / tip, at most, gwei", fees, align="right"),
            Column("Gas used", lambda row: cells.text(row.gas_used), align="right"),
            Column("Sent", lambda row: cells.when(row.sent_at)),
        ),
        attempts_of(reader(), intent.id),
        "Nothing has been signed yet.",
    )


def _ours(intent: ChainIntent) -> Facts:
    return Facts(
        "Here",
        (
            ("Trade", cells.link("TradeView", intent.trade_id)),
            ("Key", cells.code(intent.key)),
            ("Not before", cells.when(intent.not_before)),
            ("Urgent from", cells.when(intent.urgent_at)),
            ("Created", cells.when(intent.created_at)),
            ("Changed", cells.when(intent.updated_at)),
        ),
    )
