"""Running a load against an engine, and judging its answers."""

import signal
import subprocess
import sys
import uuid
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
import msgspec

from portal.bench import write_back
from portal.bench.lab import Engine, Lab
from portal.bench.load import Plan, Report
from portal.bench.processes import CpuMeter, Server, memory_mb
from portal.bench.profiled import top_lines
from portal.bench.results import machine, print_result
from portal.core.errors import Unavailable
from portal.run.child import die_with_parent


class Generator:
    """The load's process: set up once it exists, started by `go`, judged by its report."""

    def __init__(self, plan: Plan, stack: ExitStack, module: str = "portal.bench.load") -> None:
        self.process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGKILL),
        )
        stack.callback(self._end)
        self._say(msgspec.json.encode(plan))
        if self._hear() != b"ready":
            raise Unavailable("The load could not be set up; see above.")

    def go(self) -> Report:
        """Run it; blocks until the last answer."""
        self._say(b"go")
        return msgspec.json.decode(self._hear(), type=Report)

    def _say(self, line: bytes) -> None:
        if self.process.stdin is not None:
            self.process.stdin.write(line + b"\n")
            self.process.stdin.flush()

    def _hear(self) -> bytes:
        line = self.process.stdout.readline() if self.process.stdout else b""
        if not line:
            raise Unavailable("The load ended early; what it said stands above.")
        return line.strip()

    def _end(self) -> None:
        self.process.kill()
        self.process.wait()


def prepare(engine: Engine, plan: Plan) -> None:
    """Only the setup of a workload."""
    with ExitStack() as stack:
        Generator(_addressed(plan, engine), stack)


def _addressed(plan: Plan, engine: Engine) -> Plan:
    """The plan for an engine, its keys unlike those of any other run."""
    run = f"{plan.run}-{uuid.uuid4().hex[:8]}"
    return msgspec.structs.replace(plan, port=engine.port, token=engine.token, run=run)


def drive(
    lab: Lab,
    engine: Engine,
    bench: str,
    plan: Plan,
    gateway: tuple[Server, int] | None = None,
) -> tuple[dict[str, Any], Report]:
    """Run a plan; returns the result as a line shows it, with `problems` where there are any.

    `gateway` and its port: the load goes there by HTTP instead of to the engine.
    """
    before = machine()
    plan = _addressed(plan, engine)
    servers = {"engine": engine.process.pid, **lab.postgres_pids()}
    module = "portal.bench.load"
    if gateway is not None:
        servers["gateway"] = gateway[0].process.pid
        module, plan.port = "portal.bench.http_load", gateway[1]
    with ExitStack() as stack:
        generator = Generator(plan, stack, module)
        if lab.standby is None:  # A standby would miss the files that are used again.
            lab.postgres.make_log(int(plan.rate * (plan.warmup + plan.seconds)))
        meter = CpuMeter(servers | {"load": generator.process.pid})
        report = generator.go()
        cpu = meter.cores()
    result = {
        "bench": bench,
        "offered_per_s": round(plan.rate),
        **figures(report),
        **before,
        "memory_mb": memory_mb(engine.process.pid),
        "busy_cores": cpu,
        "warmup_seconds": plan.warmup,
        "per_frame": plan.per_frame,
        "durability": lab.postgres.durability(),
        "write_back": write_back.settings(),
        "problems": problems(report, lab.commands_of(plan.run)),
    }
    if result["problems"]:
        lab.tell_logs()
    return result, report


def figures(report: Report) -> dict[str, Any]:
    """A report's part of the line."""
    done = report.answered - sum(report.refused.values())
    return {
        "achieved_per_s": round(done / report.lasted),
        "seconds": report.lasted,
        "ack_ms": report.ack_ms,
        "commands": report.commands,
        "refused": report.refused,
        "unanswered": report.unanswered,
        **report.figures,
    }


def problems(report: Report, committed: int) -> list[str]:
    """Why the run is not to be believed: empty when every answer was as it must be."""
    found = [f"refused: {code}: {said}" for code, said in report.unexpected.items()]
    if report.unanswered:
        found.append(f"{report.unanswered} commands had no answer in time")
    elif committed != report.accepted:
        found.append(f"{report.accepted} were acknowledged, but {committed} are committed")
    return found


def show(results: list[dict[str, Any]]) -> int:
    """Print results; 1 when any has problems, else 0."""
    for result in results:
        print_result(result)
        for problem in result["problems"]:
            click.echo(f"{result['bench']}: {problem}", err=True)
    return int(any(result["problems"] for result in results))


def finish_profile(engine: Engine, profile: Path | None) -> None:
    """Stop a profiled engine and print where its time went."""
    engine.stop()
    if profile is not None and profile.exists():
        click.echo(top_lines(str(profile)), err=True)
