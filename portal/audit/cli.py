"""The commands `portal audit …`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import orjson

from portal.audit import checkpoints, evidence, notes, proofs, tree
from portal.audit import verify as verifying
from portal.core.db import Database
from portal.core.errors import InvalidInput
from portal.core.logs import configure_logging
from portal.core.settings import Settings, load_settings


@click.command("verify")
def verify() -> None:
    """Walk ledger, journal, chain balances, audit log and its tree; exit 1 on any difference."""
    with _portal() as (settings, database):
        report = verifying.verify(settings, database)
    verifying.tell(report)
    sys.exit(0 if report.in_order else 1)


@click.command("checkpoint")
def checkpoint() -> None:
    """Take all events of this moment into the tree, sign it, and print the checkpoint."""
    with _portal() as (settings, database):
        made = checkpoints.checkpoint(settings, database)
    click.echo(made.note if made else "There are no events yet.", nl=made is None)


@click.command("key")
def key() -> None:
    """Print the key that checkpoints are checked with: publish it, and keep it elsewhere."""
    with _portal() as (settings, _):
        click.echo(str(checkpoints.signing(settings).verifier))


@click.command("prove")
@click.argument("event")
def prove(event: str) -> None:
    """Print as JSON what proves that EVENT (stream@number, like portal@17) is in the log."""
    stream, seq = proofs.parse_event(event)
    with _portal() as (_, database), database.reader() as session:
        found = proofs.prove(session, stream, seq)
    click.echo(orjson.dumps(found.as_dict(), option=orjson.OPT_INDENT_2).decode())


@click.command("grown")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
def grown(file: Path) -> None:
    """Is the checkpoint in FILE, kept from before, the beginning of the log? Exit 1 if not."""
    with _portal() as (settings, database), database.reader() as session:
        signing = checkpoints.signing(settings)
        try:
            old = notes.read(file.read_text(), *signing.verifiers)
        except (notes.BadNote, UnicodeDecodeError) as error:
            raise InvalidInput(f"{file} is no checkpoint of ours: {error}.", field="file") from None
        path, newest = proofs.consistency(session, old.size)
    now = notes.read(newest.note, *signing.verifiers)
    if not tree.is_consistent(old.size, now.size, old.root, now.root, proofs.read_path(path)):
        click.echo(f"The log of {old.size} events was changed since.")
        sys.exit(1)
    click.echo(f"The log grew from {old.size} to {now.size} events, and nothing in it changed.")


@click.command("bundle")
@click.argument("trade", type=int)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="The file; evidence-TRADE.zip."
)
def bundle(trade: int, out: Path | None) -> None:
    """Write the evidence of TRADE into a ZIP that others can check without the portal."""
    with _portal() as (settings, database):
        packed = evidence.export(settings, database, trade, "system")
    file = out or Path(f"evidence-{trade}.zip")
    file.write_bytes(packed.read())
    click.echo(f"{file} holds every event of trade {trade} with its proof.")


@contextmanager
def _portal() -> Iterator[tuple[Settings, Database]]:
    configure_logging()
    settings = load_settings()
    database = Database(settings.required_database_url)
    try:
        yield settings, database
    finally:
        database.dispose()


commands = {
    command.name or "": command for command in (verify, checkpoint, key, prove, grown, bundle)
}
