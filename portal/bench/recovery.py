"""`portal bench recovery`: kill -9 of an engine with a full book, and how long nobody serves."""

import sys
import time
from typing import Any

import psycopg

from portal.bench.driving import prepare, show
from portal.bench.lab import Engine, Lab, open_lab
from portal.bench.load import Plan
from portal.bench.options import Options
from portal.bench.probe import Probe
from portal.bench.processes import free_port, memory_mb
from portal.bench.results import ack_ms, machine
from portal.core.errors import Unavailable
from portal.core.settings import Settings

_START_SECONDS = 300.0


def main(
    settings: Settings, options: Options, *, orders: int, snapshot: bool, takeover: bool
) -> int:
    """Restart and takeover, one result each; returns the exit code."""
    with open_lab(settings, options.tuning, options.directory) as lab:
        engine = lab.start_engine()
        plan = Plan(0, "", "portal.bench.workloads.orders:Orders", 1, 0)
        plan.options["resting"] = orders
        plan.per_frame = options.per_frame
        prepare(engine, plan)
        if snapshot:
            _write_snapshot(lab)
        ports = [engine.port, free_port()]
        results = []
        for how in ("restart", "takeover") if takeover else ("restart",):
            engine, result = _outage(lab, engine, ports, options, how)
            results.append(result | {"snapshot": snapshot})
            show(results[-1:])
    return int(any(result["problems"] for result in results))


def _outage(
    lab: Lab, engine: Engine, ports: list[int], options: Options, how: str
) -> tuple[Engine, dict[str, Any]]:
    """Kill the engine under orders; who serves then, and the result."""
    before = machine()
    heir = None
    if how == "takeover":
        heir = lab.start_engine(port=_other(ports, engine.port), wait=False)
        _wait_following(lab, heir)
    rate = options.rates[0]
    probe = Probe(ports, lab.engine_token, rate)
    began = time.monotonic()
    probe.start()
    try:
        probe.wait_acknowledged(began + options.warmup, _START_SECONDS)
        killed = time.monotonic()
        engine.kill()
        if heir is None:
            heir = lab.start_engine(port=engine.port, wait=False)
        served = probe.wait_acknowledged(killed, _START_SECONDS)
        probe.wait_acknowledged(served + options.seconds, _START_SECONDS)
    finally:
        probe.stop()
    passed = time.monotonic() - began
    acknowledged = len(probe.latencies)
    result = {
        "bench": "recovery",
        "how": how,
        "outage_seconds": round(served - killed, 3),
        "offered_per_s": rate,
        "achieved_per_s": round(acknowledged / passed, 1),
        "seconds": round(passed, 3),
        "ack_ms": ack_ms(probe.latencies),
        "asked_again": probe.refusals,
        "open_orders": lab.open_orders(),
        **before,
        "memory_mb": memory_mb(heir.process.pid),
        "durability": lab.postgres.durability(),
        "problems": _lost(acknowledged, lab.commands_of(probe.run)),
    }
    return heir, result


def _lost(acknowledged: int, committed: int) -> list[str]:
    """One order more may be committed than was acknowledged: the one that the end cut short."""
    if acknowledged <= committed <= acknowledged + 1:
        return []
    return [f"{acknowledged} were acknowledged, but {committed} are committed"]


def _other(ports: list[int], used: int) -> int:
    return next(port for port in ports if port != used)


def _write_snapshot(lab: Lab) -> None:
    """As a standby does from time to time, or `portal engine snapshot` by hand."""
    command = [sys.executable, "-m", "portal.cli", "engine", "snapshot"]
    server = lab.start_server("snapshot", command, lab.environment())
    if not server.exited(_START_SECONDS) or server.process.returncode:
        raise Unavailable("The snapshot was not written.", hint=server.last_words())


def _wait_following(lab: Lab, standby: Engine) -> None:
    """Return when a standby has all that is committed. Raises Unavailable."""
    query = (
        "SELECT 1 FROM engine_status e JOIN shard s ON s.name = e.shard"
        " WHERE e.role = 'standby' AND e.seq >= s.seq"
    )
    until = time.monotonic() + _START_SECONDS
    with psycopg.connect(lab.database_url, autocommit=True) as connection:
        while time.monotonic() < until:
            if connection.execute(query).fetchone():
                return
            if standby.exited(0.1):
                break
    raise Unavailable("The standby did not catch up.", hint=standby.last_words())
