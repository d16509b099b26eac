"""The commands `portal trading …`."""

import csv
import sys
from datetime import datetime

import click

from portal.core.db import Database
from portal.core.errors import PortalError
from portal.core.logs import configure_logging
from portal.core.settings import load_settings
from portal.payments.fee_preview import compare, past_trades, preview_csv, totals
from portal.payments.rules_preview import newest_trades, simulate
from portal.plugin_host.host import PluginHost


@click.command("preview-fees")
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


@click.command("simulate-rules")
@click.argument("day", type=click.DateTime(["%Y-%m-%d"]))
def simulate_rules(day: datetime) -> None:
    """The newest 500 trades under the compliance rules of DAY: number, market, answer, reason."""
    configure_logging()
    settings = load_settings()
    database = Database(settings.required_database_url)
    try:
        host = PluginHost(settings, database)
        with database.reader() as session:
            rows = simulate(newest_trades(session), day.date(), host.check_trade)
    finally:
        database.dispose()
    table = csv.writer(sys.stdout)
    table.writerow(("trade", "market", "answer", "reason"))
    for row in rows:
        table.writerow((row.trade_id, row.market, row.decision.verdict.value, row.decision.reason))


commands = {"preview-fees": preview, "simulate-rules": simulate_rules}
