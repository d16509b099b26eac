"""`portal bench lifecycle`: trades through lock, paid and release, commands sent by clients."""

from portal.bench.driving import drive, finish_profile, show
from portal.bench.lab import open_busy_lab
from portal.bench.options import Options
from portal.bench.workloads.lifecycle import SHORT, WHOLE
from portal.core.settings import Settings


def main(settings: Settings, options: Options, *, whole: bool) -> int:
    """Run it at every rate, in trades a second; returns the exit code."""
    failed = 0
    steps = WHOLE if whole else SHORT
    for rate in options.rates:
        with open_busy_lab(settings, options) as lab:
            profile = lab.directory / "profile" if options.profile else None
            engine = lab.start_engine(profile=profile)
            plan = options.plan(
                "portal.bench.workloads.lifecycle:Lifecycle",
                rate * len(steps),
                per_second=rate,
                seconds=options.seconds + options.warmup,
                whole=whole,
            )
            result, report = drive(lab, engine, "lifecycle", plan)
            result |= {
                "offered_per_s": round(rate),
                "achieved_per_s": round(report.answered / report.lasted / len(steps)),
                "steps": list(steps),
            }
            failed |= show([result])
            finish_profile(engine, profile)
    return failed
