"""Keystores: made once, opened with their password only, and silent about the key."""

import json
from pathlib import Path

import pytest
from eth_account import Account

from portal.core.errors import Conflict, Forbidden, InvalidInput, PortalError, Unavailable
from portal.core.settings import Settings
from portal.escrow import typed_data
from portal.escrow.signers.chosen import arbiter, relayer
from portal.escrow.signers.keystore import KeystoreSigner, write_keystore
from portal.escrow.signers.local import LocalSigner

KEY = "0x" + "5a" * 32
PASSWORD = "correct horse battery"
ADDRESS = Account.from_key(KEY).address
DOMAIN = typed_data.Domain(1, "0x" + "00" * 19 + "01")
DATA = typed_data.wallet_binding(DOMAIN, 7, ADDRESS, 99)


def quick_keystore(path: Path, key: str = KEY, **changes: object) -> Path:
    """A keystore as other software writes it, cheap to open."""
    content = Account.encrypt(key, PASSWORD, kdf="pbkdf2", iterations=2)
    path.write_text(json.dumps(content | changes))
    return path


def test_a_written_keystore_opens_to_the_same_key(tmp_path: Path) -> None:
    path = tmp_path / "relayer.json"
    assert write_keystore(path, KEY, PASSWORD) == ADDRESS
    signer = KeystoreSigner(path, lambda: PASSWORD, "RELAYER_KEYSTORE")
    assert signer.address == ADDRESS
    assert typed_data.recover(DATA, signer.sign_typed(DATA)) == ADDRESS
    assert path.stat().st_mode & 0o077 == 0
    assert "5a" * 32 not in path.read_text()


def test_a_keystore_is_never_overwritten(tmp_path: Path) -> None:
    path = quick_keystore(tmp_path / "a.json")
    before = path.read_bytes()
    with pytest.raises(Conflict, match="never overwritten"):
        write_keystore(path, "0x" + "11" * 32, PASSWORD)
    assert path.read_bytes() == before


def test_a_short_password_makes_no_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="has 5 characters"):
        write_keystore(tmp_path / "a.json", KEY, "short")
    assert list(tmp_path.iterdir()) == []


def test_the_address_needs_no_password(tmp_path: Path) -> None:
    def nobody_asks() -> str:
        raise AssertionError("the password was asked for")

    path = quick_keystore(tmp_path / "a.json")
    assert KeystoreSigner(path, nobody_asks, "RELAYER_KEYSTORE").address == ADDRESS


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "can't be read: No such file"),
        ("{", "is not JSON"),
        ("[]", "is not a keystore of version 3"),
        ('{"version": 4}', "is not a keystore of version 3"),
    ],
)
def test_what_is_no_keystore_is_named(tmp_path: Path, content: str | None, said: str) -> None:
    path = tmp_path / "a.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(Unavailable, match=said) as refused:
        KeystoreSigner(path, lambda: PASSWORD, "RELAYER_KEYSTORE")
    assert refused.value.field == "RELAYER_KEYSTORE"


def test_a_wrong_password_says_so_and_nothing_else(tmp_path: Path) -> None:
    path = quick_keystore(tmp_path / "a.json")
    signer = KeystoreSigner(path, lambda: "something else entirely", "RELAYER_KEYSTORE")
    with pytest.raises(Unavailable, match="does not open: the password is wrong") as refused:
        signer.sign_typed(DATA)
    assert "something else" not in str(refused.value.as_dict())
    assert refused.value.__cause__ is None


def test_a_keystore_that_names_another_address_is_refused(tmp_path: Path) -> None:
    path = quick_keystore(tmp_path / "a.json", address="00" * 19 + "01")
    with pytest.raises(Unavailable, match="names 0x0000000000000000000000000000000000000001"):
        KeystoreSigner(path, lambda: PASSWORD, "RELAYER_KEYSTORE").sign_typed(DATA)


def test_a_keystore_without_an_address_is_opened_for_it(tmp_path: Path) -> None:
    path = quick_keystore(tmp_path / "a.json")
    content = json.loads(path.read_text())
    del content["address"]
    path.write_text(json.dumps(content))
    assert KeystoreSigner(path, lambda: PASSWORD, "RELAYER_KEYSTORE").address == ADDRESS


def settings(tmp_path: Path, **changes: object) -> Settings:
    """A production whose relayer has a keystore."""
    keystore, password = tmp_path / "relayer.json", tmp_path / "password"
    if not keystore.exists():
        quick_keystore(keystore)
        password.write_text(PASSWORD + "\n")
    files = {"relayer_keystore": keystore, "relayer_password_file": password}
    return Settings(_env_file=None, portal_env="production", chain_id=1, **(files | changes))


def test_the_settings_name_the_relayer(tmp_path: Path) -> None:
    signer = relayer(settings(tmp_path))
    assert signer.address == ADDRESS
    assert typed_data.recover(DATA, signer.sign_typed(DATA)) == ADDRESS
    in_the_environment = {"relayer_password_file": None, "relayer_password": PASSWORD}
    again = relayer(settings(tmp_path, **in_the_environment))
    assert typed_data.recover(DATA, again.sign_typed(DATA)) == ADDRESS


def test_a_key_in_clear_works_on_a_development_chain_only() -> None:
    clear = {"relayer_key": KEY, "arbiter_key": "0x" + "77" * 32}
    demo = Settings(_env_file=None, **clear)
    assert relayer(demo).address == ADDRESS
    assert arbiter(demo).address != ADDRESS
    production = Settings(_env_file=None, portal_env="production", chain_id=1, **clear)
    for choose, name in ((relayer, "RELAYER_KEY"), (arbiter, "ARBITER_KEY")):
        with pytest.raises(Forbidden, match=f"{name} is in clear") as refused:
            choose(production)
        assert "5a" * 32 not in str(refused.value)
    defaults = Settings(_env_file=None, portal_env="production", chain_id=1)
    with pytest.raises(Forbidden, match="RELAYER_KEY is a public development key"):
        relayer(defaults)


def test_an_address_that_does_not_fit_the_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Conflict, match=f"its key is that of {ADDRESS}"):
        relayer(settings(tmp_path, relayer_address="0x" + "22" * 20))


def test_a_missing_password_file_is_named(tmp_path: Path) -> None:
    signer = relayer(settings(tmp_path, relayer_password_file=tmp_path / "gone"))
    with pytest.raises(Unavailable, match="RELAYER_PASSWORD_FILE is"):
        signer.sign_typed(DATA)


@pytest.mark.parametrize("key", ["0x12", "5a" * 33, "not a key at all", "0x" + "00" * 32, ""])
def test_no_error_and_no_view_of_a_signer_shows_the_key(key: str) -> None:
    with pytest.raises(PortalError) as refused:
        LocalSigner(key, "RELAYER_KEY")
    assert not key or key not in str(refused.value.as_dict())
    assert refused.value.__cause__ is None
    signer = LocalSigner(KEY)
    assert "5a" * 32 not in f"{signer!r} {signer} {vars(signer)}"
