"""The commands `portal bench …`. Each imports its part only when it is called."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from portal.bench.options import Options, with_options
from portal.core.logs import configure_logging
from portal.core.settings import load_settings

commands: dict[str, click.Command] = {}


def _run(module: str, options: Options | None, **rest: Any) -> None:
    """Call `portal.bench.<module>.main`; its answer is the exit code."""
    configure_logging()
    given = {} if options is None else {"options": options}
    sys.exit(import_module(f"portal.bench.{module}").main(load_settings(), **given, **rest))


@click.command()
@with_options(rate=10_000)
@click.option("--old", default=0, type=click.IntRange(0), help="Old orders already there.")
@click.option(
    "--old-days",
    default=5,
    show_default=True,
    type=click.IntRange(1, 60),
    help="Days up to today over which the old orders lie.",
)
@click.option("--standby", is_flag=True, help="With a synchronous standby on this machine.")
def orders(options: Options, **rest: Any) -> None:
    """Durable orders with everything on: idempotency, indexes, balances, journal."""
    _run("orders", options, **rest)


@click.command()
@with_options(rate=8_000)
@click.option("--whole", is_flag=True, help="With clearing before and settlement behind.")
def lifecycle(options: Options, **rest: Any) -> None:
    """Trades a second through lock, paid and release, commands sent by clients."""
    _run("lifecycle", options, **rest)


@click.command()
@with_options(rate=1_000, seconds=5.0)
@click.option("--orders", default=1_000_000, show_default=True, type=click.IntRange(1))
def memory(options: Options, **rest: Any) -> None:
    """The engine's memory with a million open orders."""
    _run("memory", options, **rest)


@click.command()
@with_options(rate=100, seconds=2.0, warmup=2.0)
@click.option("--orders", default=1_000_000, show_default=True, type=click.IntRange(1))
@click.option(
    "--snapshot/--no-snapshot", default=True, help="A snapshot was written after the book filled."
)
@click.option("--takeover/--no-takeover", default=True, help="A hot standby's takeover too.")
def recovery(options: Options, **rest: Any) -> None:
    """kill -9 with a million open orders: until orders are acknowledged again."""
    _run("recovery", options, **rest)


@click.command()
@with_options(rate=10_000, seconds=600.0)
@click.option(
    "--report",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where the report goes (VAR_DIR/bench-stress.html).",
)
def stress(options: Options, **rest: Any) -> None:
    """Ten minutes of a busy desk: places, takes, cancels, index prices, whole trades, disputes."""
    _run("stress", options, **rest)


@click.command("http")
@with_options(rate=10_000, connections=256)
@click.option("--batch", is_flag=True, help="A hundred orders a request.")
@click.option("--people", default=200, show_default=True, type=click.IntRange(2, 10_000))
def http_orders(options: Options, **rest: Any) -> None:
    """Signed orders through the gateway, singly or in batches."""
    _run("gateway", options, **rest)


@click.command()
@click.option("--rate", default=0.0, type=click.FloatRange(min=0), help="0: as fast as it goes.")
@click.option("--seconds", default=10.0, show_default=True, help="At most, for each scenario.")
@click.option("--orders", default=400_000, show_default=True, type=click.IntRange(1_000))
@click.option(
    "--scenario",
    multiple=True,
    type=click.Choice(("normal", "hostile", "growth")),
    default=("normal", "hostile", "growth"),
    show_default=True,
)
@click.option(
    "--build",
    multiple=True,
    type=click.Choice(("plain", "compiled")),
    default=("plain", "compiled"),
    show_default=True,
)
@click.option("--peers", "with_peers", is_flag=True, help="Matchers from PyPI on the same stream.")
def match(**rest: Any) -> None:
    """The matcher alone, in memory, with all rules on."""
    _run("match", None, **rest)


@click.command()
@click.option("--trades", default=1_000, show_default=True, type=click.IntRange(1))
@click.option("--batch", default=100, show_default=True, type=click.IntRange(1, 300))
def chain(**rest: Any) -> None:
    """Settlement on a local chain through the intents, and off-chain checks of signatures."""
    _run("chain", None, **rest)


@click.command("audit")
@click.option("--orders", default=100_000, show_default=True, type=click.IntRange(1_000))
def audit_log(**rest: Any) -> None:
    """Checkpoints, proofs and verification of an audit log that the engine wrote."""
    _run("audit", None, **rest)


@click.command()
@click.option("--seconds", default=3.0, show_default=True, type=click.FloatRange(0.1))
def plugins(**rest: Any) -> None:
    """Bundled fee models, compliance rules and sanctions screening, on one core."""
    _run("plugins", None, **rest)


commands.update(plugins=plugins)
commands.update(audit=audit_log, chain=chain, http=http_orders, match=match)
commands.update(orders=orders, lifecycle=lifecycle, memory=memory, recovery=recovery, stress=stress)
