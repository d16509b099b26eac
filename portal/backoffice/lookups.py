"""Names and places that tables need by the row: read once a request, in bulk."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

from flask import g
from sqlalchemy import select

from portal.backoffice.context import reader
from portal.core.money import Asset
from portal.ledger.models import Account
from portal.markets.assets import assets
from portal.markets.models import Market
from portal.users.models import User

PLATFORM = 0


@dataclass(frozen=True)
class Name:
    """A person as tables show them."""

    id: int
    text: str
    kind: str


def asset(code: str) -> Asset:
    """The asset, for its places. An unknown code counts as whole units."""
    if "bo_assets" not in g:
        g.bo_assets = assets(reader())
    return cast(Asset, g.bo_assets.get(code, Asset(code, 0)))


def market(market_id: str) -> Market | None:
    """The market, or None when it is gone."""
    if "bo_markets" not in g:
        g.bo_markets = {row.id: row for row in reader().scalars(select(Market))}
    return cast(Market | None, g.bo_markets.get(market_id))


def load_people(ids: Iterable[int | None]) -> None:
    """Read the names of these people in one query, for `person` to find."""
    known: dict[int, Name] = g.setdefault("bo_people", {})
    missing = {one for one in ids if one and one not in known}
    if not missing:
        return
    columns = (User.id, User.nickname, User.email, User.kind)
    for row in reader().execute(select(*columns).where(User.id.in_(missing))):
        known[row.id] = Name(row.id, row.nickname or row.email, row.kind)


def person(user_id: int | None) -> Name | None:
    """The person's name; None for nobody and for ids that don't exist."""
    if not user_id:
        return None
    load_people([user_id])
    return cast(dict[int, Name], g.bo_people).get(user_id)


def load_accounts(ids: Iterable[int]) -> None:
    """Read these ledger accounts and their owners' names in two queries, for `account`."""
    known: dict[int, Account] = g.setdefault("bo_accounts", {})
    missing = {one for one in ids if one not in known}
    if missing:
        rows = reader().scalars(select(Account).where(Account.id.in_(missing)))
        known |= {row.id: row for row in rows}
    load_people(row.owner_id for row in known.values())


def account(account_id: int) -> Account | None:
    """The ledger account, or None when there is no such."""
    load_accounts([account_id])
    return cast(dict[int, Account], g.bo_accounts).get(account_id)
