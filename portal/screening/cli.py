"""The commands `portal screening …`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from portal.core.db import Database
from portal.core.errors import PortalError
from portal.core.logs import configure_logging
from portal.core.settings import Settings, load_settings
from portal.screening.service import READERS, Screener, import_list


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--list", "name", type=click.Choice(sorted(READERS)), default="ofac")
@click.option("--may-shrink", is_flag=True, help="Take a list with far fewer entries too.")
def import_file(file: Path, name: str, may_shrink: bool) -> None:
    """Put FILE (for `ofac`: SDN.XML) in the place of a list, whole or not at all."""
    with _portal() as (_, database), database.transaction() as session:
        stored = import_list(session, name, file, actor="system", may_shrink=may_shrink)
        told = f"{name} version {stored.version}: {stored.entries} entries."
    click.echo(told)


@click.command("check")
@click.argument("name")
def check(name: str) -> None:
    """Print the entries whose names are like NAME; exit 1 if there are any."""
    with _portal() as (settings, database), database.reader() as session:
        hits = Screener().names(session, name, settings.screening_threshold)
    for hit in hits:
        click.echo(f"{hit.score} {hit.list_name} {hit.uid} {hit.name}")
    sys.exit(1 if hits else 0)


commands = {"import": import_file, "check": check}


@contextmanager
def _portal() -> Iterator[tuple[Settings, Database]]:
    configure_logging()
    settings = load_settings()
    database = Database(settings.required_database_url)
    try:
        yield settings, database
    except PortalError as error:
        click.echo(f"{error.message} {error.hint or ''}".strip(), err=True)
        sys.exit(2)
    finally:
        database.dispose()
