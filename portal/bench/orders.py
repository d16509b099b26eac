"""`portal bench orders`: orders through socket, matcher and one durable transaction a batch."""

from portal.bench.driving import drive, finish_profile, show
from portal.bench.lab import open_busy_lab
from portal.bench.old import fill
from portal.bench.options import Options
from portal.core.settings import Settings


def main(settings: Settings, options: Options, *, old: int, old_days: int, standby: bool) -> int:
    """Run it at every rate, over one database; returns the exit code."""
    failed = 0
    with open_busy_lab(settings, options) as lab:
        profile = lab.directory / "profile" if options.profile else None
        if old:
            fill(lab, old, old_days)
        if standby:
            most = max(options.rates) * (options.warmup + options.seconds)
            lab.postgres.make_log(int(most * len(options.rates)))
            lab.start_standby()
        engine = lab.start_engine(profile=profile)
        for rate in options.rates:
            plan = options.plan("portal.bench.workloads.orders:Orders", rate)
            result, _ = drive(lab, engine, "orders", plan)
            result |= {"old_orders": old, "standby": standby}
            failed |= show([result])
        finish_profile(engine, profile)
    return failed
