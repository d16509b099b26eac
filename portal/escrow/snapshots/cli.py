"""The commands `portal snapshot …`."""

import sys
from pathlib import Path

import click

from portal.core.db import Database
from portal.core.errors import NotFound
from portal.core.logs import configure_logging
from portal.core.settings import Settings, load_settings
from portal.escrow.snapshots import checking
from portal.escrow.snapshots.snapshot import Snapshot, create, directory, newest, prune, read

commands: dict[str, click.Command] = {}
_FILE = click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))


@click.command("create")
def create_snapshot() -> None:
    """Make a snapshot of the newest final block and the ledger now; prints its file."""
    configure_logging()
    settings = load_settings()
    database = Database(settings.required_database_url)
    click.echo(create(settings, database))
    database.dispose()


@click.command("verify")
@_FILE
def verify_snapshot(file: Path | None) -> None:
    """Work FILE (the newest) out anew from a node and the database; exit 1 if anything differs."""
    settings, snapshot = _given(file)
    database = Database(settings.required_database_url)
    problems = checking.verify(settings, database, snapshot)
    database.dispose()
    _tell(problems, "It is by us, and node and database say the same.")


@click.command("restore-check")
@_FILE
def restore_check(file: Path | None) -> None:
    """Does a restored database hold what FILE (the newest) says? Exit 1 if not; needs no node."""
    settings, snapshot = _given(file)
    database = Database(settings.required_database_url)
    problems = checking.database_problems(database, snapshot)
    database.dispose()
    _tell(problems, "The database holds everything up to the snapshot, as it was.")


@click.command("prune")
def prune_snapshots() -> None:
    """Delete snapshots older than CHAIN_SNAPSHOT_KEEP_DAYS; the newest is always kept."""
    configure_logging()
    settings = load_settings()
    gone = prune(settings)
    for file in gone:
        click.echo(file)
    click.echo(f"{len(gone)} deleted; those of {settings.chain_snapshot_keep_days} days are kept.")


def _given(file: Path | None) -> tuple[Settings, Snapshot]:
    configure_logging()
    settings = load_settings()
    chosen = file or newest(settings)
    if chosen is None:
        raise NotFound(
            f"There is no chain snapshot in {directory(settings)}.",
            hint="Make one with `portal snapshot create`.",
        )
    snapshot = read(chosen)
    block = snapshot["content"]["chain"]["block"]
    click.echo(
        f"{chosen}: made {snapshot['content']['made_at']}, block {block['number']} {block['hash']}"
    )
    return settings, snapshot


def _tell(problems: list[str], good: str) -> None:
    for problem in problems:
        click.echo(f"  {problem}")
    click.echo(f"{len(problems)} differences." if problems else good)
    sys.exit(1 if problems else 0)


commands.update(
    {
        "create": create_snapshot,
        "verify": verify_snapshot,
        "restore-check": restore_check,
        "prune": prune_snapshots,
    }
)
