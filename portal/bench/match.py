"""`portal bench match`: the matcher alone, in memory, beside other people's on the same stream."""

import os
import subprocess
import sys
from typing import Any

import msgspec

from portal.bench import peers
from portal.bench.matching import Outcome, Task
from portal.bench.results import machine, print_result
from portal.core.errors import Unavailable
from portal.core.settings import Settings

HOSTILE = 20_000
GROWTH = (1_000, 10_000, 100_000, 1_000_000)


def main(
    settings: Settings,
    *,
    rate: float,
    seconds: float,
    orders: int,
    scenario: tuple[str, ...],
    build: tuple[str, ...],
    with_peers: bool,
) -> int:
    """Run the scenarios with each build; returns the exit code."""
    problems: list[str] = []
    ours: dict[str, dict[str, Any]] = {}
    for compiled in [name == "compiled" for name in build]:
        results = {}
        for name, task in _tasks(scenario, Task(orders, seconds, rate)):
            results[name] = _measure(name, task, compiled)
            print_result(results[name])
        if "normal" in results:
            ours[results["normal"]["build"]] = results["normal"]
        if "growth" in scenario:
            print_result(_growth(results))
    if with_peers:
        for result in peers.measure(settings, orders, seconds, ours):
            print_result(result)
            problems += result["problems"]
    return int(bool(problems))


def _tasks(scenarios: tuple[str, ...], task: Task) -> list[tuple[str, Task]]:
    made = []
    for name in scenarios:
        if name == "growth":
            made += [
                (f"growth {size}", msgspec.structs.replace(task, resting=size)) for size in GROWTH
            ]
        elif name == "hostile":
            made.append((name, msgspec.structs.replace(task, hostile=HOSTILE)))
        else:
            made.append((name, task))
    return made


def _measure(scenario: str, task: Task, compiled: bool) -> dict[str, Any]:
    before = machine()
    done = _run(task, compiled)
    return {
        "bench": "match",
        "scenario": scenario,
        "build": "compiled" if done.compiled else "plain",
        "offered_per_s": round(task.rate) or None,
        "achieved_per_s": round(done.done / done.seconds),
        "with_building_per_s": round(done.done / (done.seconds + done.building_seconds)),
        "seconds": round(done.seconds, 3),
        "processor_seconds": round(done.processor_seconds, 3),
        "per_processor_s": round(done.done / done.processor_seconds),
        "ack_ms": done.ack_ms,
        "orders": done.done,
        "trades": done.trades,
        "resting": task.resting + task.hostile,
        **before,
        "memory_mb": done.memory_mb,
        "problems": [],
    }


def _growth(results: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """How much dearer an order is over the fullest book than over the emptiest, in processor time.

    That is what others on the machine disturb least.
    """
    first, last = (results[f"growth {size}"] for size in (GROWTH[0], GROWTH[-1]))
    costs = [result["processor_seconds"] / result["orders"] for result in (first, last)]
    return {
        "bench": "match",
        "scenario": "growth",
        "build": first["build"],
        "cost_ratio": round(costs[1] / costs[0], 2),
        "problems": [],
    }


def _run(task: Task, compiled: bool) -> Outcome:
    """The task in a fresh process. Raises Unavailable when the build is not to be had."""
    environment = {**os.environ, "PORTAL_PURE": "" if compiled else "1"}
    done = subprocess.run(
        [sys.executable, "-m", "portal.bench.matching"],
        input=msgspec.json.encode(task) + b"\n",
        env=environment,
        stdout=subprocess.PIPE,
        check=False,
    )
    if done.returncode:
        raise Unavailable("The matcher's process failed; what it said stands above.")
    outcome = msgspec.json.decode(done.stdout, type=Outcome)
    if outcome.compiled is not compiled:
        raise Unavailable(
            f"There is no {'compiled' if compiled else 'plain'} matcher to be run.",
            hint="`make setup` compiles it where a C compiler is; --build names what to run.",
        )
    return outcome
