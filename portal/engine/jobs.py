"""What the scheduler does for the engines."""

import os
import subprocess
import sys

from portal.core.errors import Unavailable
from portal.core.jobs import JobContext
from portal.engine.maintenance import keep_partitions

_LONGEST_SECONDS = 600


def run_snapshot(context: JobContext) -> str:
    """Store a snapshot of the shard, in a process of its own: it takes memory and a processor.

    Raises Unavailable when that fails.
    """
    command = [sys.executable, "-m", "portal.cli", "engine", "snapshot", "--if-worth-it"]
    environment = {**os.environ, "DATABASE_URL": context.settings.required_database_url}
    done = subprocess.run(  # noqa: S603
        command, env=environment, capture_output=True, text=True, timeout=_LONGEST_SECONDS
    )
    if done.returncode:
        raise Unavailable(f"The snapshot was not written: {done.stderr.strip()[-500:]}")
    return done.stdout.strip()


def run_partitions(context: JobContext) -> str:
    """Have the tables ready for the days to come, and drop the keys of days gone by."""
    return keep_partitions(context.settings)
