"""What is of no more use is forgotten, and nothing else."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from portal.core.clock import utc_now
from portal.core.db import Database
from portal.core.jobs import JobContext
from portal.core.settings import Settings
from portal.engine.local import LocalEngine
from portal.users.jobs import run_prune
from portal.users.models import IdempotencyKey, LoginAttempt, UserSession

pytestmark = pytest.mark.postgres


def test_only_what_is_old_is_forgotten(settings: Settings, database: Database) -> None:
    now = utc_now()
    for age in (timedelta(minutes=1), timedelta(days=60)):
        then = now - age
        with database.transaction() as session:
            session.add_all(
                (
                    IdempotencyKey(user_id=1, key=f"key-{age}", fingerprint="x", at=then),
                    LoginAttempt(identity=str(age), failures=1, at=then),
                    UserSession(token_hash=str(age), user_id=1, csrf="", expires_at=then),
                )
            )
    assert run_prune(JobContext(settings, database, LocalEngine(database), None)) == 3
    with database.reader() as session:
        for table in (IdempotencyKey, LoginAttempt, UserSession):
            assert session.scalar(select(func.count()).select_from(table)) == 1
