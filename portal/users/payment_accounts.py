"""Payment accounts: where a trader pays from and is paid to, sealed, in their own name only."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from portal.audit.service import record
from portal.core.clock import utc_now
from portal.core.db import Database
from portal.core.errors import Conflict, InvalidInput, NotFound
from portal.core.sealed import Sealer
from portal.orders.models import Order
from portal.plugin_api import NameMatch, PaymentGateway
from portal.trades.models import Trade
from portal.users.models import PaymentAccount, User

HOLDER = "holder"
MOST_ACCOUNTS = 20


@dataclass(frozen=True)
class OpenedAccount:
    """A payment account with its fields readable."""

    id: int
    user_id: int
    method: str
    label: str
    fields: dict[str, str]
    created_at: datetime


def add_account(
    database: Database,
    sealer: Sealer,
    gateway: PaymentGateway,
    settings: Any,
    user_id: int,
    values: Mapping[str, str],
    label: str | None = None,
) -> OpenedAccount:
    """Store an account that `gateway` found in order and whose holder is the trader.

    Raises InvalidInput naming the field, Conflict if somebody has this account already.
    """
    fields = gateway.check_account(values, settings)
    with database.transaction() as session:
        user = session.get_one(User, user_id, with_for_update=True)
        _check_holder(gateway, user, fields)
        index = _index(sealer, gateway, fields)
        _check_unused(session, user_id, index)
        account = PaymentAccount(
            user_id=user_id,
            method=gateway.slug,
            label=(label or "").strip() or gateway.account_label(fields),
            blind_index=index,
        )
        session.add(account)
        session.flush()
        account.sealed = sealer.seal(json.dumps(fields), _context(account.id))
        subject = f"user:{user_id}"
        change = {"account": account.id, "method": gateway.slug}
        record(session, subject, "payment_account.added", subject, change)
        return _opened(account, fields)


def list_accounts(session: Session, sealer: Sealer, user_id: int) -> list[OpenedAccount]:
    """The trader's accounts that were not removed, oldest first."""
    rows = session.scalars(
        select(PaymentAccount)
        .where(PaymentAccount.user_id == user_id, PaymentAccount.removed_at.is_(None))
        .order_by(PaymentAccount.id)
    )
    return [open_account(sealer, row) for row in rows]


def open_account(sealer: Sealer, account: PaymentAccount) -> OpenedAccount:
    """Unseal an account, removed or not: open trades still need it."""
    fields = json.loads(sealer.unseal(account.sealed, _context(account.id)))
    return _opened(account, fields)


def own_account(session: Session, user_id: int, account_id: int, method: str) -> PaymentAccount:
    """The trader's live account for a method. Raises InvalidInput naming `payment_accounts`."""
    account = session.get(PaymentAccount, account_id)
    usable = account is not None and account.user_id == user_id and account.removed_at is None
    if account is None or not usable or account.method != method:
        raise unusable_account(method, account_id)
    return account


def unusable_account(method: str, account_id: int) -> InvalidInput:
    """What a person is told who names an account that is not theirs, gone, or of another method."""
    return InvalidInput(
        f"You have no {method} account with this number.",
        field=f"payment_accounts.{method}",
        value=account_id,
        hint="Add a payment account first.",
    )


def remove_account(database: Database, user_id: int, account_id: int) -> None:
    """Take an account out of use. Raises NotFound, or Conflict while an order or trade needs it."""
    with database.transaction() as session:
        account = session.get(PaymentAccount, account_id, with_for_update=True)
        if account is None or account.user_id != user_id or account.removed_at is not None:
            raise NotFound("You have no such payment account.", field="id", value=account_id)
        if _in_use(session, user_id, account_id):
            raise Conflict(
                "An open order or trade uses this payment account.",
                field="id",
                value=account_id,
                hint="Cancel the order, or finish the trade, first.",
            )
        account.removed_at = utc_now()
        subject = f"user:{user_id}"
        record(session, subject, "payment_account.removed", subject, {"account": account_id})


def _check_holder(gateway: PaymentGateway, user: User, fields: Mapping[str, str]) -> None:
    holder = fields.get(HOLDER)
    if holder is None:
        return
    if gateway.match_name(user.legal_name, holder) is not NameMatch.MATCH:
        raise InvalidInput(
            "The account holder must be you: payments of other people are not accepted.",
            field=f"fields.{HOLDER}",
            value=holder,
            hint=f"You are registered as {user.legal_name}.",
        )


def _check_unused(session: Session, user_id: int, index: str) -> None:
    # Two people at once would each find it unused.
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(index, 0))))
    accounts = session.scalars(
        select(PaymentAccount).where(
            PaymentAccount.removed_at.is_(None),
            or_(PaymentAccount.user_id == user_id, PaymentAccount.blind_index == index),
        )
    ).all()
    if any(account.blind_index == index for account in accounts):
        raise Conflict("This account is registered already.", field="fields")
    if len(accounts) >= MOST_ACCOUNTS:
        raise Conflict(f"You have {MOST_ACCOUNTS} payment accounts, which is the limit.")


def _in_use(session: Session, user_id: int, account_id: int) -> bool:
    orders = session.scalars(
        select(Order.accounts).where(Order.owner_id == user_id, Order.status == "open")
    )
    if any(account_id in accounts.values() for accounts in orders):
        return True
    trade = session.scalar(
        select(Trade.id)
        .where(
            or_(Trade.buyer_account_id == account_id, Trade.seller_account_id == account_id),
            ~Trade.closed,
        )
        .limit(1)
    )
    return trade is not None


def _index(sealer: Sealer, gateway: PaymentGateway, fields: Mapping[str, str]) -> str:
    return sealer.blind_index(gateway.account_identity(fields), f"payment_account|{gateway.slug}")


def _context(account_id: int) -> str:
    return f"payment_account|sealed|{account_id}"


def _opened(account: PaymentAccount, fields: dict[str, str]) -> OpenedAccount:
    return OpenedAccount(
        account.id, account.user_id, account.method, account.label, fields, account.created_at
    )
