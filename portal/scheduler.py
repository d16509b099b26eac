"""The scheduler role: the portal's recurring work, done by one leader.

Any number of schedulers may run; the one that holds a PostgreSQL advisory lock works, the others
stand by and take over when its connection ends. Between a leader losing its connection and
stopping, a run may overlap with the next leader's: jobs submit keyed commands and persisted
intents, so doing one twice changes nothing.
"""

import logging
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from portal.audit.jobs import make_checkpoint
from portal.board.service import keep as keep_board
from portal.core.clock import utc_now
from portal.core.db import Database, libpq_url
from portal.core.jobs import JobContext
from portal.core.settings import Settings
from portal.engine.client import EngineClient
from portal.engine.jobs import run_partitions, run_snapshot
from portal.escrow.jobs import (
    run_escrow_events,
    scan_deposits,
    sweep_escrows,
    track_intents,
    watch_endpoints,
)
from portal.escrow.payouts.jobs import reconcile_payouts
from portal.escrow.snapshots.jobs import take_chain_snapshot
from portal.job_runs import close_lost_runs, recorded, run_prune
from portal.markets.jobs import run_market_sync, run_price_sweep, run_quote_prune
from portal.payments.verifying import run_verifying
from portal.plugin_host.host import PluginHost
from portal.trades.jobs import run_clearing, run_timers
from portal.trades.tickets import run_tickets
from portal.users.jobs import run_prune as prune_users

log = logging.getLogger(__name__)

LEADER_LOCK = int.from_bytes(b"otcsched")
STANDBY_SECONDS = 2.0
LEADER_CHECK_SECONDS = 1.0

JobFunction = Callable[[JobContext], object]
# Works until the event is set.
LoopFunction = Callable[[JobContext, threading.Event], None]


@dataclass(frozen=True)
class Job:
    """A function of a JobContext, run every so many seconds; its answer is the run's message."""

    name: str
    function: JobFunction
    every: Callable[[Settings], float]


def _sweep(settings: Settings) -> float:
    return settings.sweep_seconds


# Everything that runs by itself.
JOBS = (
    Job("prices.sweep", run_price_sweep, lambda settings: settings.price_sweep_seconds),
    Job("prices.prune", run_quote_prune, lambda settings: 3600.0),
    Job("markets.sync", run_market_sync, lambda settings: 30.0),
    Job("trades.clearing", run_clearing, _sweep),
    Job("trades.timers", run_timers, _sweep),
    Job("trades.tickets", run_tickets, _sweep),
    Job("payments.verifying", run_verifying, _sweep),
    Job("escrow.events", run_escrow_events, _sweep),
    Job("escrow.sweep", sweep_escrows, lambda settings: 30.0),
    Job("escrow.intents", track_intents, _sweep),
    Job("escrow.deposits", scan_deposits, _sweep),
    Job("escrow.endpoints", watch_endpoints, lambda settings: 5.0),
    Job("escrow.reconcile", reconcile_payouts, lambda settings: settings.reconcile_seconds),
    Job("escrow.chain_snapshot", take_chain_snapshot, lambda settings: 3600.0),
    Job("engine.snapshot", run_snapshot, lambda settings: 300.0),
    Job("engine.partitions", run_partitions, lambda settings: 3600.0),
    Job("audit.checkpoint", make_checkpoint, lambda settings: 60.0),
    Job("jobs.prune", run_prune, lambda settings: 60.0),
    Job("users.prune", prune_users, lambda settings: 3600.0),
)


# What never rests while the scheduler leads; each has a thread of its own.
LOOPS: tuple[LoopFunction, ...] = (keep_board,)


class Leadership:
    """The advisory lock of the one working scheduler, on a connection of its own."""

    def __init__(self, database_url: str, *, lock: int = LEADER_LOCK) -> None:
        self._url = libpq_url(database_url)
        self._lock = lock
        self._connection: psycopg.Connection[Any] | None = None

    def acquire(self) -> bool:
        """Try to become the leader; False while another is, or the database is away."""
        try:
            connection = self._connection or psycopg.connect(
                self._url, autocommit=True, connect_timeout=5, application_name="portal scheduler"
            )
            self._connection = connection
            row = connection.execute("SELECT pg_try_advisory_lock(%s)", (self._lock,)).fetchone()
        except psycopg.Error as error:
            log.warning("scheduler: no database: %s", error)
            self.release()
            return False
        return bool(row and row[0])

    def held(self) -> bool:
        """Whether the lock is still ours: it ends with the connection."""
        if self._connection is None:
            return False
        try:
            self._connection.execute("SELECT 1")
        except psycopg.Error as error:
            log.warning("scheduler: leadership lost: %s", error)
            self.release()
            return False
        return True

    def release(self) -> None:
        """Close the connection, and the lock with it."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Scheduler:
    """Runs the jobs while it leads.

    Args:
        jobs, loops: the registries; a test may give its own.
    """

    def __init__(
        self,
        context: JobContext,
        jobs: tuple[Job, ...] = JOBS,
        loops: tuple[LoopFunction, ...] = (),
    ) -> None:
        self._context = context
        self._jobs = jobs
        self._loops = loops
        self._leadership = Leadership(context.database.url)
        self._stop = threading.Event()
        self.leading = threading.Event()

    def run(self) -> None:
        """Stand by, lead, stand by again…, until `stop` is called."""
        while not self._stop.is_set():
            if self._leadership.acquire():
                self._lead()
            self._stop.wait(STANDBY_SECONDS)
        self._leadership.release()

    def stop(self) -> None:
        """Let running jobs end, start no more, give the lead away."""
        self._stop.set()

    def _lead(self) -> None:
        log.info("scheduler: leading")
        close_lost_runs(self._context.database)
        clockwork = self._clockwork()
        clockwork.start()
        end, threads = threading.Event(), []
        for loop in self._loops:
            threads.append(threading.Thread(target=loop, args=(self._context, end), daemon=True))
            threads[-1].start()
        self.leading.set()
        try:
            while not self._stop.wait(LEADER_CHECK_SECONDS) and self._leadership.held():
                pass
        finally:
            self.leading.clear()
            end.set()
            clockwork.shutdown(wait=True)
            for thread in threads:
                thread.join()
            self._leadership.release()
            log.info("scheduler: no longer leading")

    def _clockwork(self) -> BackgroundScheduler:
        clockwork = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(len(self._jobs) or 1)},
            # A late run is done once, not once per missed time, and never beside itself.
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone="UTC",
        )
        for job in self._jobs:
            clockwork.add_job(
                recorded,
                "interval",
                args=(job.name, job.function, self._context),
                seconds=job.every(self._context.settings),
                id=job.name,
                next_run_time=utc_now(),
            )
        return clockwork


def main(settings: Settings, jobs: tuple[Job, ...] = JOBS) -> None:
    """`portal scheduler`: until SIGTERM or Ctrl-C."""
    # APScheduler reports every run it skips because the last one still goes on.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    database = Database(settings.required_database_url, pool_size=len(jobs))
    plugins = PluginHost(settings, database)
    context = JobContext(settings, database, EngineClient(settings), plugins)
    scheduler = Scheduler(context, jobs, LOOPS)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: scheduler.stop())
    scheduler.run()
    database.dispose()
