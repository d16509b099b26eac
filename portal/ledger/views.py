"""The ledger at the desk: accounts, and the transfers between them. To look at only."""

from collections.abc import Sequence
from typing import Any

from flask_appbuilder.models.sqla.interface import SQLAInterface
from sqlalchemy import ColumnElement, select

from portal.backoffice import cells, lookups
from portal.backoffice.context import reader
from portal.backoffice.pages import RecordView, Tab
from portal.backoffice.panels import Column, Facts, Panel, Shown, Table
from portal.ledger.models import Account, Transfer
from portal.ledger.queries import Seen, sides, statement

_MOST = 100
# Transfers of one command get ids close to each other; nothing indexes `seq`.
_NEAR = 2_000


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
        Column("Account", lambda row: cells.number(row.id), sort="id"),
        Column("Owner", lambda row: cells.person(row.owner_id), people=lambda row: (row.owner_id,)),
        Column("Asset", lambda row: row.asset, sort="asset"),
        Column("Pocket", lambda row: _words(row.kind), sort="kind"),
        Column(
            "Balance",
            lambda row: cells.money(row.balance, row.asset),
            sort="balance",
            align="right",
        ),
    )

    def title_of(self, record: Any) -> Shown:
        """Number, asset and pocket."""
        return f"Account #{record.id}: {record.asset} {_words(record.kind)}"

    def status_of(self, record: Any) -> Shown:
        """The balance."""
        return cells.money(record.balance, record.asset)

    def panels(self, record: Any) -> Sequence[Panel]:
        """Owner and the last transfers."""
        owner = Facts("Account", (("Owner", cells.person(record.owner_id)),))
        return (owner, _statement_of(record))


def _statement_of(account: Account) -> Table:
    """The account's own view: what came is positive, what went negative."""
    transfers = statement(reader(), Account.id == account.id, limit=_MOST)
    rows = [seen for one in transfers for seen in sides(one) if seen.account_id == account.id]
    lookups.load_accounts(seen.other_id for seen in rows)
    return Table(
        f"Last {_MOST} transfers",
        (
            Column("When", lambda row: cells.when(row.transfer.at_ms), once=True),
            Column("Transfer", lambda row: cells.link("TransferView", row.transfer.id)),
            Column("What", lambda row: _words(row.transfer.kind)),
            Column("From or to", _other),
            Column("Trade", lambda row: cells.link("TradeView", row.transfer.trade_id)),
            Column("Amount", lambda row: cells.money(row.amount, account.asset), align="right"),
            Column(
                "Balance after", lambda row: cells.money(row.after, account.asset), align="right"
            ),
        ),
        rows,
        "Nothing has moved yet.",
        group=lambda row: _happening(row.transfer),
    )


def _other(seen: Seen) -> Shown:
    return cells.joined("to " if seen.amount < 0 else "from ", cells.account(seen.other_id))


class TransferView(RecordView):
    """Everything that moved from one account to another."""

    datamodel = SQLAInterface(Transfer)
    route_base = "/ledger"
    page_title = "Ledger"
    search_in = ("kind", "reference")
    search_hint = "Transfer number, kind or reference"
    newest_first = "id"
    empty_title = "Nothing has moved yet"
    empty_text = "Every deposit, lock, payout and fee becomes a transfer here."
    tabs = (
        Tab("all", "All transfers"),
        Tab("outside", "In and out", lambda: Transfer.kind.in_(("deposit", "withdraw"))),
        Tab("orders", "Orders", lambda: Transfer.order_id.is_not(None)),
        Tab("trades", "Trades", lambda: Transfer.trade_id.is_not(None)),
    )
    columns = (
        Column("Transfer", lambda row: cells.number(row.id), sort="id"),
        Column("When", lambda row: cells.when(row.at_ms), sort="at_ms"),
        Column("What", lambda row: _words(row.kind), sort="kind"),
        Column("From", lambda row: cells.account(row.from_id)),
        Column("To", lambda row: cells.account(row.to_id)),
        Column(
            "Amount", lambda row: cells.moved(row.amount, row.from_id), sort="amount", align="right"
        ),
        Column("For", lambda row: _cause(row)),
    )

    def _load_names(self, rows: Sequence[Any]) -> None:
        lookups.load_accounts(one for row in rows for one in (row.from_id, row.to_id))

    def title_of(self, record: Any) -> Shown:
        """Number and kind."""
        return f"Transfer #{record.id}: {_words(record.kind)}"

    def status_of(self, record: Any) -> Shown:
        """How much."""
        return cells.moved(record.amount, record.from_id)

    def panels(self, record: Any) -> Sequence[Panel]:
        """Between whom, why, and what the same happening moved besides."""
        lookups.load_accounts((record.from_id, record.to_id))
        about = Facts(
            "Transfer",
            (
                ("When", cells.when(record.at_ms)),
                ("Order", cells.link("OrderView", record.order_id)),
                ("Trade", cells.link("TradeView", record.trade_id)),
                ("Reference", cells.code(record.reference)),
                ("Journal", f"{record.shard} · {record.seq}"),
            ),
        )
        accounts = Facts(
            "Accounts",
            (
                ("Amount", cells.moved(record.amount, record.from_id)),
                ("From", cells.account(record.from_id)),
                ("which then held", cells.moved(record.from_after, record.from_id)),
                ("To", cells.account(record.to_id)),
                ("which then held", cells.moved(record.to_after, record.to_id)),
            ),
        )
        same = (
            (Transfer.shard == record.shard)
            & (Transfer.seq == record.seq)
            & Transfer.id.between(record.id - _NEAR, record.id + _NEAR)
        )
        return (about, accounts, transfers_table("All that moved with it", same))


def transfers_table(title: str, where: ColumnElement[bool]) -> Table:
    """Transfers in the order they were made, those of one happening together."""
    rows = list(reader().scalars(select(Transfer).where(where).order_by(Transfer.id).limit(500)))
    lookups.load_accounts(one for row in rows for one in (row.from_id, row.to_id))
    return Table(
        title,
        (
            Column("When", lambda row: cells.when(row.at_ms), once=True),
            Column("Transfer", lambda row: cells.link("TransferView", row.id)),
            Column("What", lambda row: _words(row.kind)),
            Column("From", lambda row: cells.account(row.from_id)),
            Column("To", lambda row: cells.account(row.to_id)),
            Column("Amount", lambda row: cells.moved(row.amount, row.from_id), align="right"),
            Column(
                "Left there", lambda row: cells.moved(row.from_after, row.from_id), align="right"
            ),
            Column("Now here", lambda row: cells.moved(row.to_after, row.to_id), align="right"),
        ),
        rows,
        "Nothing has moved yet.",
        group=_happening,
    )


def _happening(transfer: Transfer) -> object:
    """Transfers of one command belong together."""
    return transfer.shard, transfer.seq


def _cause(transfer: Transfer) -> Shown:
    if transfer.trade_id is not None:
        return cells.joined("trade ", cells.link("TradeView", transfer.trade_id))
    if transfer.order_id is not None:
        return cells.joined("order ", cells.link("OrderView", transfer.order_id))
    return cells.NOTHING


def _words(kind: str) -> str:
    return kind.replace("_", " ")
