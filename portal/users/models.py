"""People: one table for traders and staff (Flask-AppBuilder's, extended), and what is theirs."""

from datetime import datetime
from typing import Any

from flask_appbuilder.security.sqla.models import User as FabUser
from sqlalchemy import BigInteger, DateTime, Index, Integer, String, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.clock import utc_now
from portal.core.db import Base


class PortalUser(FabUser):  # type: ignore[misc]
    """A person. `first_name` + `last_name` are the legal name, as on their bank account.

    `kind` is `trader` or `staff`. `kyc_tier` is set by staff only. `totp_last_step` is the last
    accepted time step: a code never works twice.
    """

    __tablename__ = "ab_user"

    kind: Mapped[str] = mapped_column(String(16), server_default="staff")
    nickname: Mapped[str | None] = mapped_column(String(40), unique=True)
    country: Mapped[str | None] = mapped_column(String(2))
    kyc_tier: Mapped[int] = mapped_column(Integer, server_default="0")
    totp_sealed: Mapped[str | None] = mapped_column(Text)
    totp_confirmed: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    totp_last_step: Mapped[int] = mapped_column(BigInteger, server_default="0")
    locked_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    wallet_address: Mapped[str | None] = mapped_column(String(42), unique=True)
    vault_address: Mapped[str | None] = mapped_column(String(42), unique=True)

    @property
    def legal_name(self) -> str:
        """First and last name as registered."""
        return f"{self.first_name} {self.last_name}".strip()


# Flask-AppBuilder finds its own `User` by class name, so ours must not be declared under it.
User = PortalUser


class UserSession(Base):
    """A trader's log-in; only the hash of its token is kept."""

    __tablename__ = "user_session"

    token_hash: Mapped[str] = mapped_column(Text, primary_key=True)
    user_id: Mapped[int] = mapped_column(Integer, index=True)
    csrf: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    address: Mapped[str] = mapped_column(Text, default="")
    agent: Mapped[str] = mapped_column(Text, default="")


class LoginAttempt(Base):
    """Failed log-ins in a row for one e-mail address, whether or not anybody has it.

    Only a keyed hash of the address is kept. Counted before the password is looked at, and
    removed by a log-in that succeeds.
    """

    __tablename__ = "login_attempt"

    identity: Mapped[str] = mapped_column(Text, primary_key=True)
    failures: Mapped[int] = mapped_column(Integer)
    locked_until: Mapped[datetime | None]
    at: Mapped[datetime] = mapped_column(default=utc_now, index=True)


class PaymentAccount(Base):
    """Where a person pays from and is paid to; its fields are sealed."""

    __tablename__ = "payment_account"
    __table_args__ = (Index("ix_payment_account_user_id", "user_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(Integer)
    method: Mapped[str] = mapped_column(Text)
    label: Mapped[str] = mapped_column(Text)
    sealed: Mapped[str] = mapped_column(Text, default="")
    blind_index: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    removed_at: Mapped[datetime | None]


class KycDecision(Base):
    """Who set whose tier to what, and why."""

    __tablename__ = "kyc_decision"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(Integer, index=True)
    tier: Mapped[int]
    reason: Mapped[str] = mapped_column(Text)
    decided_by: Mapped[int] = mapped_column(Integer)
    at: Mapped[datetime] = mapped_column(default=utc_now)


class IdempotencyKey(Base):
    """The stored answer of an HTTP write, for a retry with the same key."""

    __tablename__ = "idempotency_key"

    user_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    fingerprint: Mapped[str] = mapped_column(Text)
    status: Mapped[int | None]
    body: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    at: Mapped[datetime] = mapped_column(default=utc_now)


class ApiKey(Base):
    """A key that a trader's program signs its requests with (`portal.users.signing`).

    `algorithm` is `hmac-sha256`, with the secret sealed, or `ed25519`, with the public key in
    base64. `scopes`: `read`, `trade`. `networks` (CIDR) empty: from everywhere.
    `max_open_orders` None: the portal's own bound.
    """

    __tablename__ = "api_key"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    user_id: Mapped[int] = mapped_column(Integer, index=True)
    label: Mapped[str] = mapped_column(Text)
    algorithm: Mapped[str] = mapped_column(Text)
    sealed: Mapped[str | None] = mapped_column(Text)
    public_key: Mapped[str | None] = mapped_column(Text)
    scopes: Mapped[list[str]] = mapped_column(JSONB)
    networks: Mapped[list[str]] = mapped_column(JSONB)
    max_open_orders: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    revoked_at: Mapped[datetime | None]
