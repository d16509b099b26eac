"""`portal engine failover-demo`: a failover on this machine, and proof that nothing was lost.

Two PostgreSQL servers, the second a synchronous standby; two engines, one leading, one following;
clients that place orders all the time. Then the leading engine is killed, and then the primary
server. Prints a JSON line for each event, and one with what was acknowledged and what is stored.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import orjson
import psycopg

from portal.core.errors import PortalError, Unavailable
from portal.core.settings import Settings
from portal.engine import replay
from portal.engine.client import EngineClient
from portal.migrations.runner import upgrade_database
from portal.run.child import die_with_parent
from portal.run.replicas import Replicas

WORKERS = 8
START_SECONDS = 60.0
RECOVER_SECONDS = 60.0
SELLER, BUYER = 1, 2
UNITS = 10**6


class Failed(Unavailable):
    """The demonstration did not show what it should."""


class Engines:
    """Two engine processes for one shard."""

    def __init__(self, directory: Path, url: str, ports: tuple[int, int]) -> None:
        self._directory = directory
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        token = secrets.token_hex(16)
        addresses = ",".join(f"127.0.0.1:{port}" for port in ports)
        self._environment = {
            **os.environ,
            "PORTAL_ENV": "demo",
            "DATABASE_URL": url,
            "ENGINE_ADDRESSES": addresses,
            "ENGINE_TOKEN": token,
            "ENGINE_SYNC_STANDBYS": "1",
            "VAR_DIR": str(directory),
        }
        self.settings = Settings(
            _env_file=None, database_url=url, engine_addresses=addresses, engine_token=token
        )

    def start(self, port: int) -> None:
        """Start the engine of that port; it leads, or follows."""
        with (self._directory / f"engine-{port}.log").open("ab") as log:
            self._processes[port] = subprocess.Popen(
                [sys.executable, "-m", "portal.cli", "engine", "run"],
                env={**self._environment, "ENGINE_PORT": str(port)},
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent(signal.SIGKILL),
            )

    def kill(self, port: int) -> None:
        """As a power cut does: no goodbye."""
        self._processes[port].kill()
        self._processes[port].wait()

    def stop(self) -> None:
        """End both."""
        for process in self._processes.values():
            process.kill()
            process.wait()


class Load:
    """Clients that place orders, each with a key, and ask again until they have an answer."""

    def __init__(self, settings: Settings, rate: int) -> None:
        self._client = EngineClient(settings)
        self._pause = WORKERS / rate
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, args=(number,)) for number in range(WORKERS)
        ]
        self.acknowledged: dict[str, int] = {}
        self._last = (0.0, 0.0)
        self.asked_again = 0

    def start(self) -> None:
        """Make a market and begin."""
        self._insist({"kind": "define_market", **_MARKET})
        coins = {"asset": "USDT", "units": 10**15, "reference": "demo"}
        self._insist({"kind": "deposit", "owner": SELLER, "key": "deposit", **coins})
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let each worker get the answer to what it asked for last, if there is one."""
        self._over.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    def wait_acknowledged(self, after: float) -> float:
        """When an order that was sent after `after` was answered first. Raises Failed."""
        for _ in range(int(RECOVER_SECONDS / 0.005)):
            sent, answered = self._last
            if sent > after:
                return answered
            self._over.wait(0.005)
        raise Failed("No order was acknowledged any more.")

    def _work(self, number: int) -> None:
        count = 0
        while not self._over.wait(self._pause):
            count += 1
            key, sells = f"worker{number}:{count}", (number + count) % 2
            try:
                answer, sent = self._insist({"key": key, **_ORDER, **(_SELL if sells else _BUY)})
            except Unavailable:
                return
            self.acknowledged[key] = int(answer["order_id"])
            self._last = (sent, time.monotonic())

    def _insist(self, command: dict[str, Any]) -> tuple[dict[str, Any], float]:
        """The answer, and when the asking that got it began."""
        until = time.monotonic() + RECOVER_SECONDS
        while True:
            sent = time.monotonic()
            try:
                return self._client.submit(command), sent
            except Unavailable:
                if self._over.is_set() or time.monotonic() > until:
                    raise
            self.asked_again += 1
            time.sleep(0.02)


_MARKET = {
    "id": "USDT-EUR", "base": "USDT", "quote": "EUR", "base_places": 6, "quote_places": 2,
    "price_places": 4, "lot": 10_000, "min_trade": UNITS, "max_trade": 50_000 * UNITS,
    "escrow": "ledger", "status": "open", "payment_seconds": 1800, "release_seconds": 3600,
    "protection_bps": 500, "max_fee_bps": 100, "methods": ["sepa"],
}  # fmt: skip
_ORDER = {
    "kind": "place_order", "market": "USDT-EUR", "order_type": "limit", "quantity": 10 * UNITS,
    "methods": ["sepa"], "accounts": {"sepa": 1}, "max_fee_bps": 100,
}  # fmt: skip
_SELL = {"owner": SELLER, "side": "sell", "price": 9200}
_BUY = {"owner": BUYER, "side": "buy", "price": 9200}


def main(*, rounds: int = 1, rate: int = 500) -> int:
    """Run it; 0 when everything that was acknowledged is stored, once, and adds up."""
    with ExitStack() as stack:
        directory = stack.enter_context(_directory())
        ports = _free_ports(4)
        replicas = stack.enter_context(
            Replicas(directory, (ports[0], ports[1]), secrets.token_hex(16))
        )
        replicas.start_primary()
        upgrade_database(replicas.url)
        replicas.start_standby()
        engines = Engines(directory, replicas.url, (ports[2], ports[3]))
        stack.callback(engines.stop)
        for port in ports[2:]:
            engines.start(port)
        load = Load(engines.settings, rate)
        stack.callback(load.stop)
        load.start()
        for _ in range(rounds):
            _kill_engine(replicas, engines, load)
            _kill_primary(replicas, load)
        load.stop()
        return _compare(replicas.url, load)


def _kill_engine(replicas: Replicas, engines: Engines, load: Load) -> None:
    """The leader dies; the follower takes over; the dead one comes back and follows."""
    port = _wait_for_two(replicas.url)
    _say("load runs", acknowledged=len(load.acknowledged), leader=port)
    killed = time.monotonic()
    engines.kill(port)
    served = load.wait_acknowledged(time.monotonic())
    _say("engine killed", port=port, seconds_until_served=_since(killed, served))
    engines.start(port)


def _kill_primary(replicas: Replicas, load: Load) -> None:
    """The primary dies; the standby is promoted, and gets a standby of its own."""
    _wait_for_two(replicas.url)
    acknowledged = len(load.acknowledged)
    killed = time.monotonic()
    dead = replicas.primary.port
    replicas.kill_primary()
    replicas.promote()
    promoted = time.monotonic()
    replicas.rejoin()
    joined = time.monotonic()
    served = load.wait_acknowledged(promoted)
    _say(
        "primary killed",
        port=dead,
        acknowledged_before=acknowledged,
        seconds_until_promoted=_since(killed, promoted),
        seconds_until_standby_again=_since(killed, joined),
        seconds_until_served=_since(killed, served),
    )


def _compare(url: str, load: Load) -> int:
    stored: dict[str, Any] = {}
    with psycopg.connect(url) as connection:
        for (answers,) in connection.execute("SELECT answers FROM journal", binary=True):
            stored |= orjson.loads(answers)
        keys = connection.execute("SELECT key, seq FROM command_key").fetchall()
        row = connection.execute('SELECT count(*) FROM "order"').fetchone()
        differences = replay.differences(connection, "main")
    placed = {key: stored[str(seq)]["order_id"] for key, seq in keys if ":" in key}
    lost = [key for key, order in load.acknowledged.items() if placed.get(key) != order]
    orders = int(row[0]) if row else 0
    good = not lost and orders == len(placed) and not differences
    _say(
        "compared",
        acknowledged=len(load.acknowledged),
        asked_again=load.asked_again,
        lost=len(lost),
        orders_stored=orders,
        keys_stored=len(placed),
        differences=differences,
        good=good,
    )
    return 0 if good else 1


def _wait_for_two(url: str) -> int:
    """Wait until one engine leads and another has followed to the end; the leader's port."""
    query = (
        "SELECT split_part(split_part(s.leader, ' ', 1), ':', 2)::int FROM shard s"
        " WHERE s.lease_until > clock_timestamp() AND EXISTS (SELECT FROM engine_status e"
        " WHERE e.role = 'standby' AND e.alarm IS NULL AND e.at > now() - interval '2 s'"
        " AND e.engine <> split_part(s.leader, ' ', 1) AND e.seq >= s.seq - 2000)"
    )
    with psycopg.connect(url, autocommit=True) as connection:
        for _ in range(int(START_SECONDS / 0.1)):
            row = connection.execute(query).fetchone()
            if row is not None:
                return int(row[0])
            time.sleep(0.1)
    raise Failed("No second engine follows the first.")


@contextmanager
def _directory() -> Iterator[Path]:
    """A place that PostgreSQL's user can reach; removed at the end, kept when something failed."""
    directory = Path(tempfile.mkdtemp(prefix="portal-failover-"))
    directory.chmod(0o755)
    try:
        yield directory
    except (PortalError, psycopg.Error):
        sys.stderr.write(f"The logs are in {directory}.\n")
        raise
    shutil.rmtree(directory)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def _since(began: float, ended: float) -> float:
    return round(ended - began, 3)


def _say(event: str, **facts: Any) -> None:
    sys.stdout.write(orjson.dumps({"demo": "failover", "event": event, **facts}).decode() + "\n")
    sys.stdout.flush()
