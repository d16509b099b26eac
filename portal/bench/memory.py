"""`portal bench memory`: what the engine needs with a full book."""

from portal.bench.driving import drive, show
from portal.bench.lab import open_lab
from portal.bench.options import Options
from portal.bench.processes import memory_mb
from portal.core.settings import Settings


def main(settings: Settings, options: Options, *, orders: int) -> int:
    """Fill the book, then let the usual stream run beside it; returns the exit code."""
    with open_lab(settings, options.tuning, options.directory) as lab:
        engine = lab.start_engine()
        empty = memory_mb(engine.process.pid)
        failed = 0
        for rate in options.rates:
            plan = options.plan("portal.bench.workloads.orders:Orders", rate, resting=orders)
            result, _ = drive(lab, engine, "memory", plan)
            result |= {"open_orders": lab.open_orders(), "memory_mb_empty": empty}
            failed |= show([result])
            orders = 0
        return failed
