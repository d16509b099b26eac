"""What is started follows from the settings."""

from pathlib import Path

from portal.core.settings import Settings
from portal.run.plan import make_plan, put_aside


def settings(tmp_path: Path, **changes: object) -> Settings:
    return Settings(_env_file=None, **{"var_dir": tmp_path, "database_url": None, **changes})


def test_a_demo_brings_everything(tmp_path: Path) -> None:
    plan = make_plan(settings(tmp_path))
    assert [port.setting for port in plan.ports()] == [
        "WEB_PORT", "STREAM_PORT", "ENGINE_PORT", "GATEWAY_PORT", "POSTGRES_PORT", "CHAIN_PORT",
        "REPLAY_PORT",
    ]  # fmt: skip
    assert plan.environment["PRICE_REPLAY_URL"] == "http://127.0.0.1:8085"


def test_what_a_setting_names_is_not_started(tmp_path: Path) -> None:
    plan = make_plan(
        settings(
            tmp_path, database_url="postgresql://x@db/portal", chain_rpc_urls="https://rpc.example",
            demo_prices="live",
        )
    )  # fmt: skip
    assert plan.services() == []
    assert [port.setting for port in plan.ports()] == [
        "WEB_PORT", "STREAM_PORT", "ENGINE_PORT", "GATEWAY_PORT",
    ]  # fmt: skip
    assert plan.environment["DATABASE_URL"] == "postgresql://x@db/portal"


def test_the_database_password_is_made_once_and_for_us_only(tmp_path: Path) -> None:
    first = make_plan(settings(tmp_path)).environment["DATABASE_URL"]
    assert make_plan(settings(tmp_path)).environment["DATABASE_URL"] == first
    assert settings(tmp_path).required_database_url == first
    assert (tmp_path / "postgres.password").stat().st_mode & 0o777 == 0o600


def test_old_data_is_put_aside_never_deleted(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "PG_VERSION").write_text("18")
    var = tmp_path / "var"
    (var / "chain").mkdir(parents=True)
    (var / "chain" / "state.json").write_text("{}")
    (var / "postgres").symlink_to(elsewhere)
    old = put_aside(var)
    assert old is not None
    assert (old / "chain" / "state.json").read_text() == "{}"
    assert (old / "postgres" / "PG_VERSION").read_text() == "18"
    assert not elsewhere.exists()
    assert sorted(path.name for path in var.iterdir()) == ["old"]
    assert put_aside(var) is None
