"""Log-in with password and one-time code, for traders and for staff, each by their own door.

Every failure reads the same and costs the same work. Failures are counted per e-mail address,
known or not, before the password is looked at; from the fifth on the address is locked, each
time for twice as long. A browser in which somebody has logged in before carries a mark and is
counted by itself: strangers who guess don't lock the person out of it.
"""

import secrets
from datetime import datetime, timedelta
from functools import cache

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from portal.audit.service import record
from portal.core.clock import utc_now
from portal.core.db import Database
from portal.core.errors import TooManyRequests, Unauthorized
from portal.core.sealed import SealBroken, Sealer
from portal.users import totp
from portal.users.models import LoginAttempt, User
from portal.users.passwords import hash_password, needs_rehash, verify_password

FREE_FAILURES = 5
FIRST_LOCK = timedelta(seconds=30)
LONGEST_LOCK = timedelta(hours=1)
DEVICE_COOKIE = "otc_device"
DEVICE_SECONDS = 180 * 24 * 3600
FORGET_AFTER = timedelta(days=1)


class LockedOut(TooManyRequests):
    """Too many failed log-ins; `retry_after` is seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(
            "Too many failed attempts to log in.", hint=f"Try again in {retry_after} seconds."
        )
        self.retry_after = retry_after


def refused() -> Unauthorized:
    """The one answer to every failed log-in."""
    return Unauthorized(
        "E-mail address, password or code is wrong.",
        hint="Check them, and wait for a new code: each works once.",
    )


def log_in(
    database: Database,
    sealer: Sealer,
    email: str,
    password: str,
    code: str,
    *,
    kind: str,
    device: str = "",
) -> User:
    """The person of `kind` ("trader" or "staff") who has this password and this code.

    `device` is the mark that the browser carries, if any (see `device_mark`).
    Raises Unauthorized for whatever is wrong, LockedOut after too many failures.
    """
    attempt = admit(database, sealer, email, device)
    with database.transaction() as session:
        user: User | None = session.scalar(
            select(User).where(
                func.lower(User.email) == email.strip().lower(),
                User.kind == kind,
                User.active.is_(True),
                User.totp_confirmed.is_not(None),
            )
        )
        if proves(session, sealer, user, password, code) and user is not None:
            forgive(session, attempt)
            _note_success(session, user, password)
            return user
        if user is not None:
            record(session, f"user:{user.id}", "login.failed", f"user:{user.id}", {})
    raise refused()


def device_mark(sealer: Sealer, email: str) -> str:
    """What a browser keeps after this person logged in; opens nothing by itself."""
    return sealer.seal(secrets.token_urlsafe(16), _device_context(email))


def admit(database: Database, sealer: Sealer, email: str, device: str = "") -> str:
    """Count an attempt in advance; returns the name to `forgive` it by. Raises LockedOut.

    Counting first means that a thousand guesses at once are no better than one after another.
    """
    identity = _counted_as(sealer, email, device)
    now = utc_now()
    with database.transaction() as session:
        session.execute(delete(LoginAttempt).where(LoginAttempt.at < now - FORGET_AFTER))
        session.execute(
            insert(LoginAttempt).values(identity=identity, failures=0).on_conflict_do_nothing()
        )
        attempt = session.get_one(LoginAttempt, identity, with_for_update=True)
        if attempt.locked_until is not None and attempt.locked_until > now:
            raise LockedOut(int((attempt.locked_until - now).total_seconds()) + 1)
        attempt.failures += 1
        attempt.at = now
        attempt.locked_until = _locked_until(attempt.failures, now)
    return identity


def _counted_as(sealer: Sealer, email: str, device: str) -> str:
    name = email.strip().lower()
    try:
        known = sealer.unseal(device, _device_context(email))
    except SealBroken:
        return sealer.blind_index(name, "login_attempt")
    return sealer.blind_index(f"{name}|{known}", "login_attempt|device")


def _device_context(email: str) -> str:
    return f"device|{email.strip().lower()}"


def forgive(session: Session, identity: str) -> None:
    """A success: forget the failures before it."""
    session.execute(delete(LoginAttempt).where(LoginAttempt.identity == identity))


def proves(session: Session, sealer: Sealer, user: User | None, password: str, code: str) -> bool:
    """Whether password and code are this user's. The code is used up only by a right password."""
    if not verify_password(user.password if user else None, password) or user is None:
        totp.matching_step(_dummy_secret(), code, 0)
        return False
    return totp.spend_code(session, sealer, user, code)


def _locked_until(failures: int, now: datetime) -> datetime | None:
    if failures < FREE_FAILURES:
        return None
    doublings = min(failures - FREE_FAILURES, 12)
    return now + min(LONGEST_LOCK, FIRST_LOCK * (1 << doublings))


def _note_success(session: Session, user: User, password: str) -> None:
    user.last_login = utc_now().replace(tzinfo=None)
    user.login_count = (user.login_count or 0) + 1
    if needs_rehash(user.password):
        user.password = hash_password(password)
    record(session, f"user:{user.id}", "login.succeeded", f"user:{user.id}", {})


@cache
def _dummy_secret() -> str:
    return totp.new_secret()
