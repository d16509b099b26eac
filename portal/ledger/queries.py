"""Reading the ledger: balances, and transfers as the accounts they touch see them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, cast

from sqlalchemy import ColumnElement, Select, and_, select, true, union_all
from sqlalchemy.orm import InstrumentedAttribute, Session

from portal.core.clock import iso
from portal.core.money import units_text
from portal.ledger.models import Account, Transfer
from portal.ledger.rules import AVAILABLE, ESCROW, HELD
from portal.markets.models import AssetRow

PAGE = 50


@dataclass(frozen=True)
class BalanceView:
    """What a person has of a coin: free, behind open orders, and in escrow."""

    asset: str
    available: str
    held: str
    escrow: str


@dataclass(frozen=True)
class EntryView:
    """A transfer as one of a person's accounts sees it: by how much it changed, what it held then.

    A transfer between two accounts of one person is two of these with the same `id`.
    """

    id: int
    at: str
    kind: str
    asset: str
    amount: str
    balance_after: str
    account_kind: Literal["available", "held", "escrow"]
    trade_id: int | None
    order_id: int | None


@dataclass(frozen=True)
class LedgerPage:
    """Entries, newest first; `next` goes into `before` for the page after."""

    entries: list[EntryView]
    next: int | None


class Seen(NamedTuple):
    """A transfer from one account's side, in ledger units: `amount` is negative for the giver."""

    transfer: Transfer
    account_id: int
    amount: int
    after: int
    other_id: int


def balances(session: Session, owner_id: int) -> list[BalanceView]:
    """What a person has of every coin there is, also of those they have none of."""
    pockets = {
        (account.asset, account.kind): account.balance
        for account in session.scalars(select(Account).where(Account.owner_id == owner_id))
    }
    coins = session.scalars(
        select(AssetRow).where(AssetRow.kind == "coin").order_by(AssetRow.code.desc())
    )
    return [
        BalanceView(
            coin.code,
            *(
                units_text(pockets.get((coin.code, kind), 0), coin.places)
                for kind in (AVAILABLE, HELD, ESCROW)
            ),
        )
        for coin in coins
    ]


def entries(
    session: Session, owner_id: int, *, asset: str | None = None, before: int | None = None
) -> LedgerPage:
    """A page of a person's entries. A page ends between transfers, never inside one."""
    owned = Account.owner_id == owner_id
    if asset is not None:
        owned = and_(owned, Account.asset == asset)
    accounts = {account.id: account for account in session.scalars(select(Account).where(owned))}
    page = statement(session, owned, before=before, limit=PAGE + 1)
    shown = page[:PAGE]
    places = {row.code: row.places for row in session.scalars(select(AssetRow))}
    lines = [
        _entry(seen, accounts[seen.account_id], places)
        for transfer in shown
        for seen in sides(transfer)
        if seen.account_id in accounts
    ]
    return LedgerPage(lines, shown[-1].id if len(page) > PAGE else None)


def statement(
    session: Session, owned: ColumnElement[bool], *, before: int | None = None, limit: int = PAGE
) -> Sequence[Transfer]:
    """The newest transfers from or to the accounts that `owned` selects, older than `before`.

    Each account is looked up by its own index, so a busy ledger costs a quiet account nothing.
    """
    accounts = select(Account.id).where(owned).subquery("owned")

    def newest(end: InstrumentedAttribute[int]) -> Select[int]:
        found = select(Transfer.id).where(end == accounts.c.id).correlate(accounts)
        if before is not None:
            found = found.where(Transfer.id < before)
        return found.order_by(Transfer.id.desc()).limit(limit)

    ends = union_all(newest(Transfer.from_id), newest(Transfer.to_id)).lateral("ends")
    ids = select(ends.c.id).distinct().select_from(accounts).join(ends, true())
    newest_ids = session.scalars(ids.order_by(ends.c.id.desc()).limit(limit)).all()
    found = select(Transfer).where(Transfer.id.in_(newest_ids))
    return session.scalars(found.order_by(Transfer.id.desc())).all()


def sides(transfer: Transfer) -> Iterator[Seen]:
    """A transfer as its giver and as its receiver see it."""
    giver, receiver, units = transfer.from_id, transfer.to_id, transfer.amount
    yield Seen(transfer, giver, -units, transfer.from_after, receiver)
    yield Seen(transfer, receiver, units, transfer.to_after, giver)


def _entry(seen: Seen, account: Account, places: dict[str, int]) -> EntryView:
    transfer = seen.transfer
    return EntryView(
        id=transfer.id,
        at=cast(str, iso(transfer.at_ms)),
        kind=transfer.kind,
        asset=account.asset,
        amount=units_text(seen.amount, places[account.asset]),
        balance_after=units_text(seen.after, places[account.asset]),
        account_kind=cast(Literal["available", "held", "escrow"], account.kind),
        trade_id=transfer.trade_id,
        order_id=transfer.order_id,
    )
