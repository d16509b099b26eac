"""Reading the ledger: balances, and a person's entries line by line."""

from dataclasses import dataclass
from typing import Literal, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.core.clock import iso
from portal.core.money import units_text
from portal.ledger.models import Account, Entry, Posting
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
    """One line of a person's ledger: by how much a pocket changed, and what it held then."""

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
    """Lines, newest first; `next` goes into `before` for the page after."""

    entries: list[EntryView]
    next: int | None


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
    """A page of a person's ledger lines. A page ends between entries, never inside one."""
    query = (
        select(Posting, Entry, Account, AssetRow.places)
        .join(Account, Account.id == Posting.account_id)
        .join(Entry, Entry.id == Posting.entry_id)
        .join(AssetRow, AssetRow.code == Account.asset)
        .where(Account.owner_id == owner_id)
    )
    if asset is not None:
        query = query.where(Account.asset == asset)
    ids = query.with_only_columns(Posting.entry_id).distinct()
    if before is not None:
        ids = ids.where(Posting.entry_id < before)
    page = session.scalars(ids.order_by(Posting.entry_id.desc()).limit(PAGE + 1)).all()
    shown = page[:PAGE]
    rows = session.execute(
        query.where(Posting.entry_id.in_(shown)).order_by(Posting.entry_id.desc(), Posting.line)
    )
    lines = [_line(posting, entry, account, places) for posting, entry, account, places in rows]
    return LedgerPage(lines, shown[-1] if len(page) > PAGE else None)


def _line(posting: Posting, entry: Entry, account: Account, places: int) -> EntryView:
    return EntryView(
        id=entry.id,
        at=cast(str, iso(entry.at_ms)),
        kind=entry.kind,
        asset=account.asset,
        amount=units_text(posting.amount, places),
        balance_after=units_text(posting.balance_after, places),
        account_kind=cast(Literal["available", "held", "escrow"], account.kind),
        trade_id=entry.trade_id,
        order_id=entry.order_id,
    )
