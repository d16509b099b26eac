"""Traders' sessions: opaque random tokens of which only the hash is stored."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from portal.audit.service import record
from portal.core.clock import utc_now
from portal.users.models import User, UserSession


@dataclass(frozen=True)
class NewSession:
    """A session just opened. `token` is known to the client alone from here on."""

    token: str
    csrf: str
    expires_at: datetime


def open_session(
    session: Session, user: User, *, hours: int, address: str = "", agent: str = ""
) -> NewSession:
    """Start a session of `user` that ends by itself after `hours`."""
    opened = NewSession(
        token=secrets.token_urlsafe(32),
        csrf=secrets.token_urlsafe(24),
        expires_at=utc_now() + timedelta(hours=hours),
    )
    session.add(
        UserSession(
            token_hash=token_hash(opened.token),
            user_id=user.id,
            csrf=opened.csrf,
            expires_at=opened.expires_at,
            address=address[:64],
            agent=agent[:200],
        )
    )
    record(session, f"user:{user.id}", "session.opened", f"user:{user.id}", {"address": address})
    return opened


def find_session(
    session: Session, token: str, *, kind: str = "trader"
) -> tuple[UserSession, User] | None:
    """The live session behind a token and whose it is; None if it ended or never was.

    Sessions of staff open the back office and nothing else: they are found by that `kind` only.
    """
    found = session.execute(
        select(UserSession, User)
        .join(User, User.id == UserSession.user_id)
        .where(
            UserSession.token_hash == token_hash(token),
            UserSession.revoked_at.is_(None),
            UserSession.expires_at > utc_now(),
            User.active.is_(True),
            User.kind == kind,
        )
    ).first()
    return (found[0], found[1]) if found else None


def close_session(session: Session, token: str) -> None:
    """End the session behind a token; nothing happens if there is none."""
    user_id = session.scalar(
        update(UserSession)
        .where(UserSession.token_hash == token_hash(token), UserSession.revoked_at.is_(None))
        .values(revoked_at=utc_now())
        .returning(UserSession.user_id)
    )
    if user_id is not None:
        record(session, f"user:{user_id}", "session.closed", f"user:{user_id}", {})


def token_hash(token: str) -> str:
    """How a token is stored. It has 256 random bits, so one plain SHA-256 is enough."""
    return hashlib.sha256(token.encode()).hexdigest()
