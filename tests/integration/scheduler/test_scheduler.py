"""One leader, every run recorded, a clean end: against a real PostgreSQL."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import psycopg
import pytest
from sqlalchemy import select

from portal import scheduler as role
from portal.core.clock import utc_now
from portal.core.db import Database, libpq_url
from portal.core.jobs import JobContext
from portal.job_runs import close_lost_runs, prune_runs, recorded, run_prune
from portal.markets.models import JobRun
from portal.scheduler import Job, Scheduler
from tests.integration.scheduler import jobs

pytestmark = pytest.mark.postgres


class NoEngine:
    """The test's jobs submit nothing."""

    def submit(self, command):
        raise AssertionError(command)


@pytest.fixture
def context(settings, database) -> JobContext:
    return JobContext(settings, database, NoEngine(), None)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(role, "STANDBY_SECONDS", 0.1)
    monkeypatch.setattr(role, "LEADER_CHECK_SECONDS", 0.1)
    jobs.entered.clear()
    jobs.go_on.clear()


@pytest.fixture
def start(context) -> Iterator[Callable[..., tuple[Scheduler, threading.Thread]]]:
    started: list[tuple[Scheduler, threading.Thread]] = []

    def begin(*registry: Job) -> tuple[Scheduler, threading.Thread]:
        scheduler = Scheduler(context, registry)
        thread = threading.Thread(target=scheduler.run)
        thread.start()
        started.append((scheduler, thread))
        return started[-1]

    yield begin
    jobs.go_on.set()
    for scheduler, thread in started:
        scheduler.stop()
        thread.join(10)


def runs(database: Database, job: str) -> list[JobRun]:
    with database.reader() as session:
        return list(session.scalars(select(JobRun).where(JobRun.job == job).order_by(JobRun.id)))


def eventually(what: Callable[[], object], seconds: float = 8) -> object:
    end = time.monotonic() + seconds
    while not (answer := what()) and time.monotonic() < end:
        time.sleep(0.05)
    assert answer, "it never happened"
    return answer


def ended(database: Database, job: str, outcome: str) -> Callable[[], list[JobRun]]:
    return lambda: [run for run in runs(database, job) if run.outcome == outcome]


def test_jobs_run_again_and_again_and_each_run_is_recorded(start, database):
    start(jobs.every("works"))
    eventually(lambda: len(ended(database, "works", "ok")()) >= 3)
    run = runs(database, "works")[0]
    assert run.message == "swept for OTC Portal"
    assert run.started_at <= run.finished_at


def test_a_crashing_job_is_recorded_and_neither_it_nor_the_others_stop(start, database):
    start(jobs.every("crashes"), jobs.every("is_refused"), jobs.every("works"))
    for job, outcome in (("crashes", "failed"), ("is_refused", "failed"), ("works", "ok")):
        eventually(lambda j=job, o=outcome: len(ended(database, j, o)()) >= 2)
    assert runs(database, "crashes")[0].message == "ZeroDivisionError: the sky is falling"
    assert runs(database, "is_refused")[0].message == "The trading engine does not answer just now."


def test_a_jobs_count_is_told_as_a_line_and_silence_as_none(database, context):
    recorded("counts", lambda context: 3, context)
    recorded("counts", lambda context: None, context)
    assert [run.message for run in runs(database, "counts")] == ["3 done", None]


def test_a_slow_job_never_runs_beside_itself(start, database):
    start(jobs.every("takes_long", 0.05), jobs.every("works"))
    assert jobs.entered.wait(5)
    eventually(lambda: len(ended(database, "works", "ok")()) >= 3)
    assert [run.outcome for run in runs(database, "takes_long")] == ["running"]


def test_a_loop_runs_while_the_scheduler_leads_and_is_told_when_it_ends(context):
    started, ended = threading.Event(), threading.Event()

    def loop(_: JobContext, stop: threading.Event) -> None:
        started.set()
        stop.wait()
        ended.set()

    scheduler = Scheduler(context, (), (loop,))
    thread = threading.Thread(target=scheduler.run)
    thread.start()
    assert started.wait(10)
    assert not ended.is_set()
    scheduler.stop()
    thread.join(10)
    assert ended.is_set()


def test_only_one_scheduler_leads_and_the_other_takes_over(start, database):
    first, _ = start(jobs.every("works"))
    assert first.leading.wait(5)
    second, _ = start(jobs.every("works"))
    assert not second.leading.wait(0.6)
    first.stop()
    assert second.leading.wait(5)
    assert not first.leading.is_set()


def test_a_leader_that_loses_its_connection_stops_its_jobs(start, database, database_url):
    leader, _ = start(jobs.every("works"))
    assert leader.leading.wait(5)
    rival = role.Leadership(database_url)
    with psycopg.connect(libpq_url(database_url), autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_stat_activity USING (pid) "
            "WHERE locktype = 'advisory' AND application_name = 'portal scheduler'"
        )
    eventually(rival.acquire)
    eventually(lambda: not leader.leading.is_set())
    before = len(runs(database, "works"))
    time.sleep(0.5)
    assert len(runs(database, "works")) == before
    rival.release()
    assert leader.leading.wait(5)


def test_stopping_waits_for_the_job_under_way(start, database):
    scheduler, thread = start(jobs.every("takes_long"))
    assert jobs.entered.wait(5)
    scheduler.stop()
    thread.join(0.5)
    assert thread.is_alive()
    jobs.go_on.set()
    thread.join(5)
    assert not thread.is_alive()
    assert [run.message for run in runs(database, "takes_long")] == ["done at last"]


def test_runs_that_a_dead_leader_left_open_are_closed_as_lost(database):
    with database.transaction() as session:
        session.add(JobRun(job="works", started_at=utc_now(), outcome="running"))
    assert close_lost_runs(database) == 1
    (run,) = runs(database, "works")
    assert (run.outcome, run.finished_at is not None) == ("lost", True)
    assert close_lost_runs(database) == 0


def test_the_record_keeps_the_newest_runs_of_each_job(database, context):
    with database.transaction() as session:
        for number in range(60):
            for job in ("a", "b"):
                message = str(number)
                session.add(JobRun(job=job, started_at=utc_now(), outcome="ok", message=message))
    assert run_prune(context) == "20 old runs forgotten"
    assert [run.message for run in runs(database, "a")] == [str(n) for n in range(10, 60)]
    assert prune_runs(database) == 0


def test_a_job_runs_even_when_its_run_can_not_be_recorded(settings):
    away = Database("postgresql://postgres@127.0.0.1:1/none")
    done = []
    recorded("works", lambda context: done.append(1), JobContext(settings, away, NoEngine(), None))
    assert done == [1]
    away.dispose()


def test_sigterm_ends_the_process_cleanly(database, database_url):
    program = (
        "from portal.core.settings import Settings; from portal.scheduler import main;"
        "from tests.integration.scheduler.jobs import every;"
        "main(Settings(_env_file=None), (every('works'),))"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program], env={**os.environ, "DATABASE_URL": database_url}
    )
    try:
        eventually(ended(database, "works", "ok"), 20)
        child.send_signal(signal.SIGTERM)
        assert child.wait(10) == 0
    finally:
        child.kill()
    assert all(run.outcome == "ok" for run in runs(database, "works"))
