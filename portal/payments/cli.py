"""The commands `portal fees …`."""

import sys

import click

from portal.core.db import Database
from portal.core.errors import PortalError
from portal.core.logs import configure_logging
from portal.core.settings import load_settings
from portal.payments.fee_preview import compare, past_trades, preview_csv, totals
from portal.plugin_host.host import PluginHost


@click.command("preview")
@click.argument("model")
@click.option("--market", help="Trades of this market only.")
def preview(model: str, market: str | None) -> None:
    """The newest 500 charged trades under MODEL and its settings: CSV, and totals behind it."""
    configure_logging()
    settings = load_settings()
    database = Database(settings.required_database_url)
    try:
        host = PluginHost(settings, database)
        host.fee_model(model)
        with database.reader() as session:
            rows = compare(
                past_trades(session, market), lambda facts: host.quote_fees(facts, model)
            )
    except PortalError as error:
        click.echo(f"{error.message} {error.hint or ''}".strip(), err=True)
        sys.exit(2)
    finally:
        database.dispose()
    click.echo(preview_csv(rows), nl=False)
    for one in totals(rows):
        click.echo(f"{one.trades} trades: {one.old} so far, {one.new} under {model}.", err=True)
    if unknown := sum(row.new is None for row in rows):
        click.echo(f"{unknown} trades whose fee can't be computed are in no total.", err=True)


commands = {"preview": preview}
