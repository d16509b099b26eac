"""What a production configuration must not be: each rule by itself, on top of a good one."""

from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from portal.core.key_source import DEV_KEYS, DEV_RELAYER_KEY
from portal.core.settings import (
    DEMO_SECRET,
    BadSettings,
    Settings,
    UnsafeProduction,
    load_settings,
)

SAFE: dict[str, Any] = {
    "portal_env": "production",
    "secret_key": "s" * 32,
    "master_key": "m" * 32,
    "engine_token": "e" * 32,
    "database_url": "postgresql://portal@db.example/portal",
    "chain_rpc_urls": "https://rpc.example",
    "chain_id": 1,
    "public_url": "https://otc.example",
    "stream_url": "wss://otc.example/stream",
    "relayer_keystore": "/etc/otc-portal/relayer.json",
    "relayer_password_file": "/etc/otc-portal/relayer.password",
    "arbiter_signer_url": "https://signer.example",
    "arbiter_address": "0x" + "22" * 20,
    "trusted_proxies": 1,
    "chain_confirmations": 12,
}


def problems(**changes: Any) -> list[str]:
    return Settings(_env_file=None, **{**SAFE, **changes}).production_problems()


def test_a_safe_production_has_no_problems() -> None:
    assert problems() == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"secret_key": DEMO_SECRET}, "SECRET_KEY is the demo secret"),
        ({"master_key": DEMO_SECRET}, "MASTER_KEY is the demo secret"),
        ({"engine_token": DEMO_SECRET}, "ENGINE_TOKEN is the demo secret"),
        ({"secret_key": "short"}, "SECRET_KEY has 5 characters"),
        ({"secret_key": "m" * 32}, "must all differ"),
        ({"debug": True}, "DEBUG is on"),
        ({"public_url": None}, "PUBLIC_URL is not https"),
        ({"public_url": "http://otc.example"}, "PUBLIC_URL is not https"),
        ({"stream_url": "ws://otc.example"}, "STREAM_URL is not wss"),
        ({"database_url": None}, "DATABASE_URL is not set"),
        ({"chain_rpc_urls": None}, "CHAIN_RPC_URLS is not set"),
        ({"chain_id": 31337}, "CHAIN_ID is 31337"),
        ({"chain_confirmations": 1}, "CHAIN_CONFIRMATIONS is 1"),
        ({"relayer_keystore": None}, "RELAYER_KEY is a public development key"),
        ({"arbiter_signer_url": None}, "ARBITER_KEY is a public development key"),
        (
            {"arbiter_signer_url": None, "arbiter_key": DEV_RELAYER_KEY[2:].upper()},
            "ARBITER_KEY is a public development key",
        ),
        (
            {"arbiter_signer_url": None, "arbiter_key": "0x" + "ab" * 32},
            "ARBITER_KEY is in clear, where every copy of the settings holds it",
        ),
        ({"relayer_password_file": None}, "RELAYER_KEYSTORE needs RELAYER_PASSWORD_FILE"),
        ({"arbiter_address": None}, "ARBITER_SIGNER_URL needs ARBITER_ADDRESS"),
        ({"arbiter_keystore": "/a.json"}, "ARBITER_KEYSTORE and ARBITER_SIGNER_URL are both set"),
        ({"relayer_address": "0x" + "22" * 20}, "Relayer and arbiter have the same key"),
        ({"trusted_proxies": 0}, "TRUSTED_PROXIES is 0"),
        ({"price_replay_url": "http://127.0.0.1:8085"}, "PRICE_REPLAY_URL is set"),
    ],
)
def test_one_unsafe_setting_is_one_problem(changes: dict[str, Any], said: str) -> None:
    (problem,) = problems(**changes)
    assert said in problem


def test_one_key_for_both_roles_is_a_problem() -> None:
    clear = {"relayer_keystore": None, "arbiter_signer_url": None}
    said = problems(**clear, relayer_key="0x" + "AB" * 32, arbiter_key="ab" * 32)
    assert "Relayer and arbiter have the same key: one decides, one only pays." in said
    both = {"arbiter_signer_url": None, "arbiter_address": None, "arbiter_password": "x"}
    (said_of_files,) = problems(**both, arbiter_keystore="/etc/otc-portal/relayer.json")
    assert "have the same key" in said_of_files


def test_no_problem_ever_holds_a_key_or_a_password() -> None:
    key, password = "0x" + "ab" * 32, "a password in the environment"
    clear = {"relayer_keystore": None, "relayer_key": key, "arbiter_password": password}
    said = problems(**clear, arbiter_keystore="/a.json")
    assert len(said) == 2
    assert not any("ab" * 32 in problem or password in problem for problem in said)


def test_all_ten_development_keys_are_known() -> None:
    Account.enable_unaudited_hdwallet_features()
    phrase = "test test test test test test test test test test test junk"
    derived = {
        Account.from_mnemonic(phrase, account_path=f"m/44'/60'/0'/0/{n}").key.hex().lower()
        for n in range(10)
    }
    assert {key.removeprefix("0x") for key in derived} == DEV_KEYS


def test_an_unsafe_production_does_not_load(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("DATABASE_URL", "CHAIN_RPC_URLS", "SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PORTAL_ENV", "production")
    with pytest.raises(UnsafeProduction, match="SECRET_KEY is the demo secret") as refused:
        load_settings()
    assert "DATABASE_URL is not set" in str(refused.value)


def test_the_password_file_is_part_of_the_embedded_address(tmp_path: Any) -> None:
    settings = Settings(_env_file=None, var_dir=tmp_path, database_url=None)
    settings.postgres_password_file.write_text("s3cret\n")
    assert settings.required_database_url == "postgresql://portal:s3cret@127.0.0.1:8083/portal"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("WEB_PORT", "eighty", "WEB_PORT is 'eighty': Input should be a valid integer"),
        ("WEB_PORT", "70000", "WEB_PORT is '70000': Input should be less than or equal to 65535"),
        ("SWEEP_SECONDS", "0", "SWEEP_SECONDS is '0': Input should be greater than 0"),
        ("TRUSTED_PROXIES", "-1", "TRUSTED_PROXIES is '-1': Input should be greater than or"),
        ("PORTAL_ENV", "prod", "PORTAL_ENV is 'prod': Input should be 'demo' or 'production'"),
    ],
)
def test_a_setting_that_cannot_be_read_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any, name: str, value: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(name, value)
    with pytest.raises(BadSettings) as refused:
        load_settings()
    assert said in str(refused.value)


def test_an_empty_variable_is_as_good_as_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", "")
    monkeypatch.setenv("WEB_PORT", "")
    settings = load_settings()
    assert (settings.database_url, settings.web_port) == (None, 8080)


def test_a_demo_that_nobody_asked_for_is_not_opened_to_the_network(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BIND_HOST", "0.0.0.0")
    monkeypatch.delenv("PORTAL_ENV", raising=False)
    with pytest.raises(BadSettings, match="PORTAL_ENV is not set"):
        load_settings()
    monkeypatch.setenv("PORTAL_ENV", "demo")
    assert load_settings().bind_host == "0.0.0.0"
