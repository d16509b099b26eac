"""Runs `portal …` under the standard profiler, every thread of it.

python -m portal.bench.profiled FILE engine
"""

import cProfile
import pstats
import sys
import threading
import time
from typing import Any

from portal.cli import main as portal

LINES = 25


class _Profiler:
    """One profile for each thread; a thread is profiled from its first call on."""

    def __init__(self) -> None:
        self.profiles: list[cProfile.Profile] = []

    def begin(self, *_: Any) -> None:
        """Profile the present thread."""
        # Processor time: waiting, for PostgreSQL or for a turn, is no work of ours.
        profile = cProfile.Profile(time.thread_time)
        self.profiles.append(profile)
        profile.enable()

    def save(self, path: str) -> None:
        """All threads together."""
        for profile in self.profiles:
            profile.create_stats()
        used = [profile for profile in self.profiles if profile.getstats()]
        if used:
            stats = pstats.Stats(used[0])
            for profile in used[1:]:
                stats.add(profile)
            stats.dump_stats(path)


def top_lines(path: str) -> str:
    """The functions with the most time of their own."""
    from io import StringIO

    text = StringIO()
    pstats.Stats(path, stream=text).strip_dirs().sort_stats("tottime").print_stats(LINES)
    return text.getvalue()


def main(path: str, *arguments: str) -> None:
    """Run the command line under the profiler."""
    profiler = _Profiler()
    threading.setprofile(profiler.begin)
    profiler.begin()
    try:
        portal.main(list(arguments), prog_name="portal")
    finally:
        threading.setprofile(None)
        profiler.save(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
