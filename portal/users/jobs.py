"""Scheduled work on people's records: forgetting what is of no more use."""

from datetime import timedelta

from sqlalchemy import CursorResult, delete

from portal.core.clock import utc_now
from portal.core.jobs import JobContext
from portal.users.models import IdempotencyKey, LoginAttempt, UserSession

# A retry comes within minutes; an ended session is kept for a while to answer questions.
_ANSWERS = timedelta(days=2)
_SESSIONS = timedelta(days=30)
_ATTEMPTS = timedelta(days=1)


def run_prune(context: JobContext) -> int:
    """Delete old stored answers, ended sessions and failed log-ins; returns how many rows."""
    now = utc_now()
    statements = (
        delete(IdempotencyKey).where(IdempotencyKey.at < now - _ANSWERS),
        delete(UserSession).where(UserSession.expires_at < now - _SESSIONS),
        delete(LoginAttempt).where(LoginAttempt.at < now - _ATTEMPTS),
    )
    with context.database.transaction() as session:
        return sum(_rows(session.execute(statement)) for statement in statements)


def _rows(result: object) -> int:
    return result.rowcount if isinstance(result, CursorResult) else 0
