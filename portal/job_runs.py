"""The record of job runs that the back office shows: each run's times, outcome and message."""

import logging
from collections.abc import Callable

from sqlalchemy import delete, func, select, text, update

from portal.core.clock import utc_now
from portal.core.db import Database
from portal.core.errors import PortalError
from portal.core.jobs import JobContext
from portal.markets.models import JobRun

log = logging.getLogger(__name__)

KEPT_RUNS = 50
MESSAGE_LENGTH = 500


def recorded(name: str, function: Callable[[JobContext], object], context: JobContext) -> None:
    """Run a job and record how it went; what it returns (a line, a count) is the run's message.

    A job that raises is logged; the next run comes anyway.
    """
    run_id = _begin(context.database, name)
    message: str | None
    try:
        outcome, message = "ok", _told(function(context))
    except PortalError as error:
        log.warning("job %s failed: %s", name, error.message)
        outcome, message = "failed", error.message
    except Exception as error:
        log.exception("job %s crashed", name)
        outcome, message = "failed", f"{type(error).__name__}: {error}"
    _end(context.database, run_id, name, outcome, message)


def _told(answer: object) -> str | None:
    if isinstance(answer, int):
        return f"{answer} done"
    return None if answer is None else str(answer)


def _begin(database: Database, name: str) -> int | None:
    try:
        with database.transaction() as session:
            session.execute(text("SET LOCAL synchronous_commit = off"))
            run = JobRun(job=name, started_at=utc_now(), outcome="running")
            session.add(run)
            session.flush()
            return run.id
    except Exception:
        # The record is not worth more than the work.
        log.exception("job %s: its run can't be recorded", name)
        return None


def _end(
    database: Database, run_id: int | None, name: str, outcome: str, message: str | None
) -> None:
    if run_id is None:
        return
    said = message and message[:MESSAGE_LENGTH]
    try:
        with database.transaction() as session:
            session.execute(text("SET LOCAL synchronous_commit = off"))
            session.execute(
                update(JobRun)
                .where(JobRun.id == run_id)
                .values(finished_at=utc_now(), outcome=outcome, message=said)
            )
    except Exception:
        log.exception("job %s: the end of its run can't be recorded", name)


def close_lost_runs(database: Database) -> int:
    """Mark runs that a dead scheduler never ended; only the leader may. Returns how many."""
    with database.transaction() as session:
        lost = session.scalars(
            update(JobRun)
            .where(JobRun.outcome == "running")
            .values(
                outcome="lost",
                finished_at=utc_now(),
                message="The scheduler ended during this run.",
            )
            .returning(JobRun.id)
        ).all()
    return len(lost)


def prune_runs(database: Database, keep: int = KEPT_RUNS) -> int:
    """Delete all but the newest runs of each job; returns how many went."""
    newest = func.row_number().over(partition_by=JobRun.job, order_by=JobRun.id.desc())
    ranked = select(JobRun.id, newest.label("place")).subquery()
    old = select(ranked.c.id).where(ranked.c.place > keep)
    with database.transaction() as session:
        gone = session.scalars(delete(JobRun).where(JobRun.id.in_(old)).returning(JobRun.id)).all()
    return len(gone)


def run_prune(context: JobContext) -> str:
    """The job that keeps the record short."""
    return f"{prune_runs(context.database)} old runs forgotten"
