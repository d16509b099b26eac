"""`portal bench http`: signed orders through the gateway, singly or in batches."""

import sys

from portal.bench.commands import USDT, define_market, deposit
from portal.bench.driving import drive, finish_profile, prepare, show
from portal.bench.lab import Lab, open_busy_lab
from portal.bench.load import Plan
from portal.bench.options import Options
from portal.bench.people import METHOD, add_market, add_people
from portal.bench.processes import Server, free_port, memory_mb
from portal.bench.workloads import Answer, Setup
from portal.core.settings import Settings

_FUNDS = 10**9 * USDT
_BATCH = 100


class Funds:
    """Only a setup: the market in the engine, and coins for everybody."""

    expected: frozenset[str] = frozenset()

    def __init__(self, owners: list[int]) -> None:
        self._owners = owners

    def setup(self) -> Setup:
        """A market and rich owners."""
        yield [define_market(methods=[METHOD])]
        yield [deposit(owner, _FUNDS) for owner in self._owners]

    def command(self, number: int) -> bytes:
        """There is none."""
        raise IndexError(number)

    def answered(self, number: int, answer: Answer) -> None:
        """Nothing comes."""

    def refused(self, number: int) -> None:
        """Nothing comes."""

    def figures(self) -> dict[str, object]:
        """None."""
        return {}


def main(settings: Settings, options: Options, *, people: int, batch: bool) -> int:
    """Run it at every rate, in orders a second; returns the exit code."""
    failed = 0
    per_frame = _BATCH if batch else 1
    with open_busy_lab(settings, options) as lab:
        profile = lab.directory / "profile" if options.profile else None
        engine = lab.start_engine(profile=profile)
        add_market(lab)
        traders = add_people(lab, people)
        funds = Plan(0, "", "portal.bench.gateway:Funds", 1, 0)
        funds.options["owners"] = [user for _, _, user, _ in traders]
        prepare(engine, funds)
        gateway, port = _start_gateway(lab, engine.port)
        for rate in options.rates:
            plan = options.plan("", rate, people=traders)
            plan.per_frame = per_frame
            result, _ = drive(lab, engine, "http", plan, gateway=(gateway, port))
            result |= {
                "batch": per_frame,
                "connections": plan.connections,
                "gateway_mb": memory_mb(gateway.process.pid),
            }
            failed |= show([result])
        finish_profile(engine, profile)
    return failed


def _start_gateway(lab: Lab, engine_port: int) -> tuple[Server, int]:
    port = free_port()
    environment = lab.environment(
        engine_host="127.0.0.1",
        engine_port=engine_port,
        gateway_host="127.0.0.1",
        gateway_port=port,
    )
    command = [sys.executable, "-m", "portal.cli", "gateway"]
    server = lab.start_server("gateway", command, environment)
    server.wait_listening(port)
    return server, port
