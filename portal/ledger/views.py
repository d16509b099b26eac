"""The ledger at the desk: accounts, entries, postings. To look at only."""

from collections.abc import Sequence
from typing import Any

from flask_appbuilder.models.sqla.interface import SQLAInterface
from sqlalchemy import select

from portal.backoffice import cells, lookups
from portal.backoffice.context import reader
from portal.backoffice.pages import RecordView, Tab
from portal.backoffice.panels import Column, Facts, Panel, Shown, Table
from portal.ledger.models import Account, Entry, Posting

_MOST = 100


class AccountView(RecordView):
    """What everybody has, pocket by pocket."""

    datamodel = SQLAInterface(Account)
    route_base = "/accounts"
    page_title = "Accounts"
    search_in = ("asset", "kind")
    search_hint = "Account number, asset or kind"
    newest_first = "balance"
    empty_title = "No accounts yet"
    empty_text = "They appear with the first deposit."
    tabs = (
        Tab("people", "People", lambda: Account.owner_id > 0),
        Tab("platform", "Platform", lambda: Account.owner_id == 0),
        Tab("all", "All accounts"),
    )
    columns = (
        Column("Account", lambda row: f"#{row.id}", sort="id"),
        Column("Owner", lambda row: cells.person(row.owner_id), people=lambda row: (row.owner_id,)),
        Column("Asset", lambda row: row.asset, sort="asset"),
        Column("Pocket", lambda row: row.kind.replace("_", " "), sort="kind"),
        Column(
            "Balance",
            lambda row: cells.money(row.balance, row.asset),
            sort="balance",
            align="right",
        ),
    )

    def title_of(self, record: Any) -> Shown:
        """Number, asset and pocket."""
        return f"Account #{record.id}: {record.asset} {record.kind.replace('_', ' ')}"

    def status_of(self, record: Any) -> Shown:
        """The balance."""
        return cells.money(record.balance, record.asset)

    def panels(self, record: Any) -> Sequence[Panel]:
        """Owner and the last postings."""
        owner = Facts("Account", (("Owner", cells.person(record.owner_id)),))
        return (owner, _postings_of(record))


def _postings_of(account: Account) -> Table:
    rows = reader().execute(
        select(Posting, Entry)
        .join(Entry, Entry.id == Posting.entry_id)
        .where(Posting.account_id == account.id)
        .order_by(Posting.entry_id.desc(), Posting.line.desc())
        .limit(_MOST)
    )
    return Table(
        f"Last {_MOST} postings",
        (
            Column("Entry", lambda row: cells.link("EntryView", row.Entry.id)),
            Column("When", lambda row: cells.when(row.Entry.at_ms)),
            Column("What", lambda row: row.Entry.kind.replace("_", " ")),
            Column("Trade", lambda row: cells.link("TradeView", row.Entry.trade_id)),
            Column(
                "Amount", lambda row: cells.money(row.Posting.amount, account.asset), align="right"
            ),
            Column(
                "Balance after",
                lambda row: cells.money(row.Posting.balance_after, account.asset),
                align="right",
            ),
        ),
        list(rows),
        "Nothing has moved yet.",
    )


class EntryView(RecordView):
    """Everything that moved money."""

    datamodel = SQLAInterface(Entry)
    route_base = "/ledger"
    page_title = "Ledger"
    search_in = ("kind", "reference")
    search_hint = "Entry number, kind or reference"
    newest_first = "id"
    empty_title = "Nothing has moved yet"
    empty_text = "Every deposit, lock, payout and fee becomes an entry here."
    columns = (
        Column("Entry", lambda entry: f"#{entry.id}", sort="id"),
        Column("When", lambda entry: cells.when(entry.at_ms), sort="at_ms"),
        Column("What", lambda entry: entry.kind.replace("_", " "), sort="kind"),
        Column("Order", lambda entry: cells.link("OrderView", entry.order_id)),
        Column("Trade", lambda entry: cells.link("TradeView", entry.trade_id)),
        Column("Reference", lambda entry: cells.code(entry.reference, keep=12)),
    )

    def title_of(self, record: Any) -> Shown:
        """Number and kind."""
        return f"Entry #{record.id}: {record.kind.replace('_', ' ')}"

    def panels(self, record: Any) -> Sequence[Panel]:
        """Its postings, which sum to zero."""
        about = Facts(
            "Entry",
            (
                ("When", cells.when(record.at_ms)),
                ("Order", cells.link("OrderView", record.order_id)),
                ("Trade", cells.link("TradeView", record.trade_id)),
                ("Reference", cells.code(record.reference)),
                ("Journal", f"{record.shard} · {record.seq}"),
            ),
        )
        return (about, postings_table("Postings", Posting.entry_id == record.id))


def postings_table(title: str, where: Any) -> Table:
    """Postings with their accounts, in the order they were made."""
    rows = list(
        reader().execute(
            select(Posting, Account, Entry)
            .join(Account, Account.id == Posting.account_id)
            .join(Entry, Entry.id == Posting.entry_id)
            .where(where)
            .order_by(Posting.entry_id, Posting.line)
            .limit(500)
        )
    )
    lookups.load_people(row.Account.owner_id for row in rows)
    return Table(
        title,
        (
            Column("Entry", lambda row: cells.link("EntryView", row.Entry.id)),
            Column("What", lambda row: row.Entry.kind.replace("_", " ")),
            Column("Owner", lambda row: cells.person(row.Account.owner_id)),
            Column(
                "Account",
                lambda row: cells.link("AccountView", row.Account.id, row.Account.kind),
            ),
            Column(
                "Amount",
                lambda row: cells.money(row.Posting.amount, row.Account.asset),
                align="right",
            ),
            Column(
                "Balance after",
                lambda row: cells.money(row.Posting.balance_after, row.Account.asset),
                align="right",
            ),
        ),
        rows,
        "Nothing has moved yet.",
    )
