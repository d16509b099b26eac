"""`portal bench audit`: checkpoints, proofs and verification of a log that the engine wrote."""

import random
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import func, select

from portal.audit.checkpoints import checkpoint, signing
from portal.audit.checks import chain_differences
from portal.audit.models import AuditEvent
from portal.audit.proofs import prove
from portal.audit.tree_checks import tree_differences
from portal.bench.driving import prepare
from portal.bench.lab import Lab, open_lab
from portal.bench.load import Plan
from portal.bench.results import ack_ms, machine, print_result
from portal.core.db import Database
from portal.core.settings import Settings

_PROOFS = 2_000


def main(settings: Settings, *, orders: int) -> int:
    """Print a line a step; the exit code is 1 when the log is not in order."""
    with open_lab(settings, {}) as lab:
        _write(lab, orders)
        mine = settings.model_copy(update={"database_url": lab.database_url})
        database = Database(lab.database_url)
        with database.reader() as session:
            events = session.scalar(select(func.count()).select_from(AuditEvent)) or 0
        problems = _timed("checkpoint", events, lambda: _checkpoint(mine, database))
        with database.reader() as session:
            verifiers = signing(mine).verifiers
            problems += _timed("verify_events", events, lambda: list(chain_differences(session)))
            problems += _timed(
                "verify_tree", events, lambda: list(tree_differences(session, verifiers))
            )
        _prove(database)
        database.dispose()
    return 1 if problems else 0


def _write(lab: Lab, orders: int) -> None:
    engine = lab.start_engine()
    plan = Plan(0, "", "portal.bench.workloads.orders:Orders", 1, 0, options={"played": orders})
    prepare(engine, plan)
    engine.stop()


def _checkpoint(settings: Settings, database: Database) -> list[str]:
    made = checkpoint(settings, database)
    return [] if made else ["no checkpoint was made"]


def _timed(step: str, events: int, work: Callable[[], list[str]]) -> list[str]:
    """One step over all events; a second of one core is this process' alone."""
    wall, used = time.perf_counter(), time.process_time()
    problems = work()
    _tell(
        step,
        events=events,
        events_per_s=round(events / (time.perf_counter() - wall)),
        events_per_s_of_a_core=round(events / (time.process_time() - used)),
        problems=problems[:5],
    )
    return problems


def _prove(database: Database) -> None:
    rng = random.Random(1)  # noqa: S311
    took = []
    with database.reader() as session:
        ends = session.execute(
            select(AuditEvent.stream, func.max(AuditEvent.seq)).group_by(AuditEvent.stream)
        ).all()
    for _ in range(_PROOFS):
        stream, last = rng.choice(ends)
        begin = time.perf_counter_ns()
        with database.reader() as session:
            prove(session, stream, rng.randint(1, last))
        took.append((time.perf_counter_ns() - begin) // 1_000)
    _tell("prove", proofs=_PROOFS, ms=ack_ms(took))


def _tell(step: str, **figures: Any) -> None:
    print_result({"bench": "audit", "step": step, **figures, **machine()})
