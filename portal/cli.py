"""The command `portal`. Each subcommand imports its part only when it is called."""

import os
import sys
from collections.abc import Callable
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from portal.core.errors import PortalError
from portal.core.settings import load_settings


class PortalGroup(click.Group):
    """A group that prints a PortalError as a sentence and exits 1, without a stack trace."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the subcommand."""
        try:
            return super().invoke(ctx)
        except PortalError as error:
            hint = f" {error.hint}" if error.hint else ""
            raise click.ClickException(f"{error.message}{hint}") from error


class LazyGroup(PortalGroup):
    """A group whose commands stand in the `commands` of another module, read when needed."""

    def __init__(self, *args: Any, source: str, **options: Any) -> None:
        super().__init__(*args, **options)
        self._source = source

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names."""
        return sorted(import_module(self._source).commands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        found: click.Command | None = import_module(self._source).commands.get(cmd_name)
        return found


def _call(module: str, function: str, *arguments: object, **options: object) -> None:
    """Call `module.function(settings, …)`; a whole number it returns is the exit code."""
    import_module("portal.core.logs").configure_logging()
    settings = load_settings()
    target: Callable[..., object] = getattr(import_module(module), function)
    result = target(settings, *arguments, **options)
    if isinstance(result, int) and result:
        sys.exit(result)


@click.group(cls=PortalGroup)
@click.version_option(package_name="otc-portal", prog_name="portal")
def main() -> None:
    """OTC Portal: a self-hosted platform for trading coins against local money."""


@main.command()
@click.option("--verbose", is_flag=True, help="Show the database's and the chain's log too.")
@click.option("--fresh", is_flag=True, help="Put the data of earlier runs aside and start anew.")
@click.option("--safe-mode", is_flag=True, help="Load the bundled plugins alone.")
def run(verbose: bool, fresh: bool, safe_mode: bool) -> None:
    """Start everything on this machine: database, chain, prices and every role."""
    if safe_mode:  # Every role is a process of its own, and reads its settings by itself.
        os.environ["PLUGINS_SAFE_MODE"] = "1"
    settings = load_settings()
    sys.exit(import_module("portal.run.main").main(settings, verbose=verbose, fresh=fresh))


@main.command()
def web() -> None:
    """Serve the back office, the H5 client and the API."""
    _call("portal.run.web", "main")


@main.group(cls=PortalGroup, invoke_without_command=True)
@click.pass_context
def engine(context: click.Context) -> None:
    """The engine: the only writer of orders, trades and balances. Runs it when called alone."""
    if context.invoked_subcommand is None:
        _call("portal.engine.server", "main")


@engine.command("run")
def engine_run() -> None:
    """Run an engine: it leads the shard, or follows the one that does and takes over."""
    _call("portal.engine.server", "main")


@engine.command("snapshot")
@click.option("--if-worth-it", is_flag=True, help="Not after only a few commands.")
def engine_snapshot(if_worth_it: bool) -> None:
    """Store what an engine needs for a quick start; the engines go on meanwhile."""
    _call("portal.engine.maintenance", "write_snapshot", only_if_worth=if_worth_it)


@engine.command("verify")
def engine_verify() -> None:
    """Replay the journal and compare it with every table; exit 1 on any difference."""
    _call("portal.engine.maintenance", "verify")


@engine.command("partitions")
@click.option("--detach-before", type=click.DateTime(["%Y-%m-%d"]), help="UTC day to keep from.")
def engine_partitions(detach_before: datetime | None) -> None:
    """Make the next days' partitions, drop old keys, and detach old days where asked for."""
    _call("portal.engine.maintenance", "print_partitions", detach_before=detach_before)


@engine.command("failover-demo")
@click.option("--rounds", default=1, show_default=True, help="How often each part is killed.")
@click.option("--rate", default=500, show_default=True, help="Orders a second meanwhile.")
def engine_failover_demo(rounds: int, rate: int) -> None:
    """Show a failover here: two PostgreSQL servers, two engines, and one of each killed."""
    import_module("portal.core.logs").configure_logging()
    sys.exit(import_module("portal.run.failover").main(rounds=rounds, rate=rate))


@main.command()
def scheduler() -> None:
    """Run clearing, escrow, timers, prices and sweeps."""
    _call("portal.scheduler", "main")


@main.command()
def stream() -> None:
    """Serve live updates."""
    _call("portal.stream.server", "main")


@main.command()
def gateway() -> None:
    """Serve orders of machines: single ones and batches, signed with API keys."""
    _call("portal.gateway.main", "main")


@main.command()
def replay() -> None:
    """Serve recorded exchange prices (demo and tests)."""
    _call("portal.markets.replay", "main")


@main.group()
def db() -> None:
    """The database schema."""


@db.command("upgrade")
def db_upgrade() -> None:
    """Bring the schema and the back-office permissions to this version."""
    _call("portal.migrations.runner", "upgrade")


@main.group()
def board() -> None:
    """What offer lists, books and track records are read from, a moment behind the engine."""


@board.command("rebuild")
def board_rebuild() -> None:
    """Make the board what the engine's tables say; everything goes on meanwhile."""
    _call("portal.board.service", "rebuild")


@board.command("check")
def board_check() -> None:
    """Let the board catch up and compare it with the engine's tables; exit 1 on a difference."""
    _call("portal.board.service", "check")


@main.group(cls=LazyGroup, source="portal.audit.cli")
def audit() -> None:
    """The audit log: checking it, and proving to others what is in it."""


@main.group(cls=LazyGroup, source="portal.payments.cli")
def trading() -> None:
    """Past trades under other fees and under the rules of another day."""


@main.group(cls=LazyGroup, source="portal.screening.cli")
def screening() -> None:
    """Sanctions lists of governments: importing them, asking them."""


@main.group(cls=LazyGroup, source="portal.escrow.cli")
def escrow() -> None:
    """The escrow contracts, and the keys that work them."""


@main.group(cls=LazyGroup, source="portal.escrow.snapshots.cli")
def snapshot() -> None:
    """Signed snapshots of chain and ledger: one a day, checked against a node and a database."""


@main.group()
def plugins() -> None:
    """Payment gateways, fee models and compliance rules."""


@plugins.command("list")
def plugins_list() -> None:
    """Show which plugins are installed, allowed and switched on."""
    _call("portal.plugin_host.cli", "list_plugins")


@plugins.command("new")
@click.argument("kind", type=click.Choice(("gateway", "fee-model", "compliance")))
@click.argument("name")
@click.option(
    "--into",
    default=".",
    type=click.Path(path_type=Path, file_okay=False),
    help="The directory that gets it (this one).",
)
def plugins_new(kind: str, name: str, into: Path) -> None:
    """Write the package of a new plugin: code, tests that pass, what builds and checks it."""
    for file in import_module("portal.plugin_kit.making").make(kind, name, into):
        click.echo(file)


@plugins.command("check")
@click.argument("name")
def plugins_check(name: str) -> None:
    """Is the installed plugin NAME in order? Prints a report; exit 1 when it is not."""
    report = import_module("portal.plugin_kit.checking").check(name)
    for line in report.lines:
        click.echo(line)
    for problem in report.problems:
        click.echo(f"PROBLEM  {problem}")
    click.echo("In order." if not report.problems else f"{len(report.problems)} problems.")
    sys.exit(1 if report.problems else 0)


@main.group()
def backoffice() -> None:
    """The back office."""


@backoffice.command("sync-permissions")
def sync_permissions() -> None:
    """Write the back office's roles and permissions to the database."""
    _call("portal.backoffice.permissions", "sync")


@main.group()
def demo() -> None:
    """Demo data; refused in production."""


@demo.command("seed")
def demo_seed() -> None:
    """Put the demo people, markets and contracts in place; does nothing the second time."""
    _call("portal.demo.cli", "seed")


@demo.command("trade")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")
def demo_trade(as_json: bool) -> None:
    """Do one whole trade through the HTTP API of the running portal."""
    _call("portal.demo.cli", "trade", as_json=as_json)


@main.group()
def api() -> None:
    """The HTTP API."""


@api.command("openapi")
def api_openapi() -> None:
    """Write the OpenAPI document to h5_client/openapi.json, from which the client's types come."""
    _call("portal.api.register", "dump")


@main.group(cls=LazyGroup, source="portal.bench.cli")
def bench() -> None:
    """Measure this machine, with a database of its own; leaves nothing behind."""


@main.command()
def doctor() -> None:
    """Check the configuration and every part it names; exit 1 when something is wrong."""
    sys.exit(import_module("portal.run.doctor").main())


@main.command("settings")
def show_settings() -> None:
    """List every setting with its default and meaning, as Markdown."""
    click.echo(import_module("portal.core.settings_table").markdown(), nl=False)


if __name__ == "__main__":
    main()
