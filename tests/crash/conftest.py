"""The PostgreSQL server of the crash tests, and what every world starts from."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.disk import DatabaseOnDisk
from tests.crash.world import make_template


@pytest.fixture(scope="session")
def disk() -> Iterator[DatabaseOnDisk]:
    """A server of this worker's own, on disk. `CRASH_KEEP` leaves its files and logs there."""
    home = Path(tempfile.mkdtemp(prefix="otc-portal-crash-"))
    home.chmod(0o755)
    disk = make_template(home)
    yield disk
    disk.kill_everything()
    if not os.environ.get("CRASH_KEEP"):
        shutil.rmtree(home)
