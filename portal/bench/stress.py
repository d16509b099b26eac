"""`portal bench stress`: a busy desk for ten minutes, and a report with a chart."""

from pathlib import Path
from typing import Any

import click

from portal.bench.driving import drive, finish_profile, show
from portal.bench.lab import open_busy_lab
from portal.bench.load import Report
from portal.bench.options import Options
from portal.bench.report import page
from portal.bench.workloads.desk import ORDERS_SHARE
from portal.core.settings import Settings


def main(settings: Settings, options: Options, *, report: Path | None) -> int:
    """Run it at every rate, in orders a second; returns the exit code."""
    failed = 0
    runs: list[tuple[dict[str, Any], Report]] = []
    for rate in options.rates:
        with open_busy_lab(settings, options) as lab:
            profile = lab.directory / "profile" if options.profile else None
            engine = lab.start_engine(profile=profile)
            plan = options.plan("portal.bench.workloads.desk:Desk", rate / ORDERS_SHARE)
            result, told = drive(lab, engine, "stress", plan)
            result |= {
                "offered_per_s": round(rate),
                "achieved_per_s": round(result["achieved_per_s"] * ORDERS_SHARE),
                "commands_per_s": round(told.answered / told.lasted),
            }
            runs.append((result, told))
            failed |= show([result])
            finish_profile(engine, profile)
    path = report or settings.var_dir / "bench-stress.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page(runs))
    click.echo(f"The report is in {path}.", err=True)
    return failed
