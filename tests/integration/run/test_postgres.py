"""The bundled PostgreSQL as `portal run` uses it."""

import os
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from portal.run.leftovers import clear_postgres
from portal.run.postgres import EmbeddedPostgres

pytestmark = pytest.mark.postgres


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def shared_root(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Stands in for /var/lib/otc-portal, where root keeps what `tmp_path` can't hold."""
    with tempfile.TemporaryDirectory(prefix="otc-portal-shared-", dir="/tmp") as name:
        Path(name).chmod(0o755)
        monkeypatch.setattr("portal.run.postgres.SHARED_ROOT", Path(name))
        yield Path(name)


@pytest.fixture
def server(tmp_path: Path, shared_root: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(tmp_path / "data", free_port(), "p@ss/word", durable=False)
    server.initialise()
    server.spawn(subprocess.DEVNULL)
    server.wait_ready()
    yield server
    if server.process is not None and server.process.poll() is None:
        server.process.send_signal(signal.SIGINT)
        server.process.wait(20)


def test_the_portal_gets_a_role_and_database_of_its_own(server: EmbeddedPostgres) -> None:
    server.ensure_database("portal")
    server.ensure_database("portal")
    with psycopg.connect(server.url("portal", role="portal")) as connection:
        row = connection.execute(
            "SELECT current_user, rolsuper FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
    assert row == ("portal", False)


def test_its_files_are_found_where_they_were_asked_for(
    server: EmbeddedPostgres, tmp_path: Path, shared_root: Path
) -> None:
    assert (tmp_path / "data" / "PG_VERSION").read_text().strip() == "18"
    if os.geteuid() == 0:  # pytest's own directory is closed to the account root drops to.
        assert server.data.is_relative_to(shared_root)


def test_it_lets_nobody_in_without_the_password(server: EmbeddedPostgres) -> None:
    url = f"postgresql://postgres:wrong@127.0.0.1:{server.port}/postgres"
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url)


def test_a_server_left_over_from_a_killed_run_is_stopped(server: EmbeddedPostgres) -> None:
    assert clear_postgres(server.data) is True
    assert server.process is not None
    assert server.process.wait(10) is not None
    assert clear_postgres(server.data) is False


def test_a_note_whose_number_belongs_to_a_stranger_is_removed(tmp_path: Path) -> None:
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        note = tmp_path / "postmaster.pid"
        note.write_text(f"{stranger.pid}\n{tmp_path}\n")
        assert clear_postgres(tmp_path) is False
        assert not note.exists()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()
