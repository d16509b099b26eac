"""`portal audit verify`: walks event logs, ledger, journal and chain, and fails on a difference."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import click
import psycopg

from portal.audit.checkpoints import signing
from portal.audit.checks import chain_differences, journal_end_differences, ledger_differences
from portal.audit.tree_checks import tree_differences
from portal.core.db import Database, libpq_url
from portal.core.settings import Settings
from portal.engine import replay
from portal.escrow.reconcile import chain_balance_differences


@dataclass
class Report:
    """Differences by part; a part with an empty list is in order."""

    parts: dict[str, list[str]] = field(default_factory=dict)

    @property
    def in_order(self) -> bool:
        """No difference anywhere."""
        return not any(self.parts.values())


def verify(settings: Settings, database: Database) -> Report:
    """Check everything there is. Reads only."""
    report = Report()
    with database.reader() as session:
        checks: dict[str, Callable[[], Iterable[str]]] = {
            "event logs": lambda: chain_differences(session),
            "event tree": lambda: tree_differences(session, signing(settings).verifiers),
            "ledger": lambda: ledger_differences(session),
            "journal": lambda: [
                *journal_end_differences(session),
                *_journal_differences(settings),
            ],
            "chain": lambda: chain_balance_differences(settings, session),
        }
        for name, check in checks.items():
            report.parts[name] = list(check())
    return report


def tell(report: Report) -> None:
    """Print it, the first fifty differences of each part."""
    for name, differences in report.parts.items():
        click.echo(
            f"{name}: {'in order' if not differences else f'{len(differences)} differences'}"
        )
        for difference in differences[:50]:
            click.echo(f"  {difference}")


def _journal_differences(settings: Settings) -> list[str]:
    url = libpq_url(settings.required_database_url)
    with psycopg.connect(url) as connection:
        shards = [row[0] for row in connection.execute("SELECT name FROM shard ORDER BY name")]
        return [
            f"shard {shard}: {difference}"
            for shard in shards
            for difference in replay.differences(connection, shard)
        ]
