"""Tying a wallet key, made on the trader's device, to their account by an EIP-712 signature."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.audit.service import record
from portal.core.clock import Clock, now_ms
from portal.core.db import Database
from portal.core.errors import Conflict, InvalidInput
from portal.escrow.deployment import Deployment, find_deployment
from portal.escrow.typed_data import (
    Domain,
    TypedData,
    parse_address,
    verify_signature,
    wallet_binding,
)
from portal.users.models import User

VALID_SECONDS = 600
CLOCK_SKEW_SECONDS = 60
# What a binding is signed for while no contract is deployed: no chain, no contract.
_NOWHERE = Domain(0, "0x0000000000000000000000000000000000000000")


@dataclass(frozen=True)
class Wallet:
    """A trader's wallet key and the vault that holds their coins; None until known."""

    address: str | None
    vault: str | None


def wallet_of(user: User, deployment: Deployment | None) -> Wallet:
    """The wallet of a trader, with its vault worked out from the contracts in use."""
    if user.wallet_address is None:
        return Wallet(None, None)
    vault = deployment.vault(user.wallet_address) if deployment else user.vault_address
    return Wallet(user.wallet_address, vault)


def binding_request(
    session: Session, user_id: int, address: str, clock: Clock = now_ms
) -> TypedData:
    """What the wallet must sign to be bound now. Raises InvalidInput naming `address`."""
    return wallet_binding(_domain(session), user_id, parse_address(address), clock() // 1000)


def bind_wallet(
    database: Database,
    user_id: int,
    address: str,
    issued_at: int,
    signature: str,
    clock: Clock = now_ms,
) -> User:
    """Bind the wallet that signed; binding the same one again changes nothing.

    Raises InvalidInput for a wrong or old signature, Conflict when the person has another wallet
    or the wallet another person.
    """
    wallet = parse_address(address)
    _check_age(issued_at, clock() // 1000)
    try:
        with database.transaction() as session:
            data = wallet_binding(_domain(session), user_id, wallet, issued_at)
            verify_signature(data, signature, wallet)
            return _bind(session, user_id, wallet)
    except IntegrityError as error:
        raise _taken(wallet) from error


def _bind(session: Session, user_id: int, wallet: str) -> User:
    user = session.get_one(User, user_id, with_for_update=True)
    if user.wallet_address == wallet:
        return user
    if user.wallet_address is not None:
        raise Conflict(
            "Another wallet is bound to your account.",
            field="address",
            value=wallet,
            hint=f"Use the wallet {user.wallet_address}, or ask support to unbind it.",
        )
    same = func.lower(User.wallet_address) == wallet.lower()
    if session.scalar(select(User.id).where(same)) is not None:
        raise _taken(wallet)
    deployment = find_deployment(session)
    user.wallet_address = wallet
    user.vault_address = deployment.vault(wallet) if deployment else None
    bound = {"wallet": wallet, "vault": user.vault_address}
    record(session, f"user:{user_id}", "wallet.bound", f"user:{user_id}", bound)
    return user


def _check_age(issued_at: int, now: int) -> None:
    if not now - VALID_SECONDS <= issued_at <= now + CLOCK_SKEW_SECONDS:
        raise InvalidInput(
            "This signature has expired, or is from the future.",
            field="issued_at",
            value=issued_at,
            hint="Ask for a new draft and sign that.",
        )


def _domain(session: Session) -> Domain:
    deployment = find_deployment(session)
    return deployment.domain if deployment else _NOWHERE


def _taken(wallet: str) -> Conflict:
    return Conflict("This wallet belongs to another person.", field="address", value=wallet)
