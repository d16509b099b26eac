"""The command line: no role comes up in a production that is not safe."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from portal.cli import main


@pytest.mark.parametrize(
    "command",
    ["run", "web", "engine", "scheduler", "stream", "replay", "db upgrade", "demo seed"],
)
def test_no_role_starts_in_an_unsafe_production(
    command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("DATABASE_URL", "CHAIN_RPC_URLS", "SECRET_KEY", "MASTER_KEY", "ENGINE_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PORTAL_ENV", "production")
    ended = CliRunner().invoke(main, command.split())
    assert ended.exit_code == 1
    assert "This production configuration is not safe to start" in ended.output
    assert "SECRET_KEY is the demo secret" in ended.output
    assert "TOTP" not in ended.output
