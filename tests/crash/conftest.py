"""The PostgreSQL server of the crash tests, and what every world starts from."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.world import Template, make_template


@pytest.fixture(scope="session")
def template() -> Iterator[Template]:
    """A server of this worker's own, on disk. `CRASH_KEEP` leaves its files and logs there."""
    home = Path(tempfile.mkdtemp(prefix="otc-portal-crash-"))
    home.chmod(0o755)
    template = make_template(home)
    yield template
    template.disk.kill_everything()
    if not os.environ.get("CRASH_KEEP"):
        shutil.rmtree(home)
