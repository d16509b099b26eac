"""`portal demo …`."""

import logging
import sys

import click
import orjson

from portal.core.db import Database
from portal.core.errors import PortalError
from portal.core.settings import Settings
from portal.demo import seeding, trade_run
from portal.engine.client import EngineClient


def seed(settings: Settings) -> None:
    """Put the demo people, markets and contracts in place."""
    database = Database(settings.required_database_url)
    try:
        seeding.seed(settings, database, EngineClient(settings))
    except PortalError as error:
        sys.exit(f"{error.message} {error.hint or ''}".rstrip())
    finally:
        database.dispose()


def trade(settings: Settings, *, as_json: bool) -> None:
    """One whole trade through the HTTP API of the running portal; exit 1 when it fails."""
    logging.getLogger("httpx").setLevel(logging.WARNING)
    say = (lambda line: None) if as_json else click.echo
    try:
        report = trade_run.run(settings, say)
    except PortalError as error:
        sys.exit(f"{error.message} {error.hint or ''}".rstrip())
    if as_json:
        click.echo(orjson.dumps(report).decode())
    else:
        click.echo(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode())
