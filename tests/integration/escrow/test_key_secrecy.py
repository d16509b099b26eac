"""A key is in its keystore and nowhere else: not in the database, logs, errors or the doctor."""

import base64
import json
import logging
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from eth_account import Account
from sqlalchemy import text

from portal.core.db import Database
from portal.core.errors import PortalError
from portal.core.logs import configure_logging
from portal.core.settings import Settings
from portal.escrow.chain.client import ChainClient
from portal.escrow.signers.chosen import arbiter, relayer
from portal.run.doctor import examine
from tests.integration.escrow.test_trade_on_chain import dispute
from tests.integration.escrow.world import World
from tests.services.web3signer import FakeWeb3Signer, serving

pytestmark = [pytest.mark.postgres, pytest.mark.chain]

PASSWORD = "a password that is nowhere else"


class Keys:
    """Two fresh keys, and whether a text gives one of them away."""

    def __init__(self) -> None:
        self.relayer, self.arbiter = secrets.token_bytes(32), secrets.token_bytes(32)

    def given_away_in(self, text: str) -> list[str]:
        """What of the keys and the password stands in a text, in whatever spelling."""
        spellings = [PASSWORD]
        for key in (self.relayer, self.arbiter):
            spellings += [key.hex(), str(int.from_bytes(key, "big"))]
            spellings += [base64.b64encode(key).decode(), repr(key)[2:-1]]
        return [spelling for spelling in spellings if spelling.lower() in text.lower()]


@pytest.fixture
def keys() -> Keys:
    return Keys()


def keystore(path: Path, key: bytes) -> Path:
    """A keystore that is cheap to open."""
    path.write_text(json.dumps(Account.encrypt(key, PASSWORD, kdf="pbkdf2", iterations=2)))
    return path


@pytest.fixture
def guarded(chain_settings: Settings, keys: Keys, tmp_path: Path) -> Settings:
    """Both keys in keystores; the relayer can pay gas."""
    password = tmp_path / "password"
    password.write_text(PASSWORD + "\n")
    found = chain_settings.model_copy(
        update={
            "relayer_keystore": keystore(tmp_path / "relayer.json", keys.relayer),
            "relayer_password_file": password,
            "arbiter_keystore": keystore(tmp_path / "arbiter.json", keys.arbiter),
            "arbiter_password_file": password,
        }
    )
    fund(found)
    return found


def fund(settings: Settings) -> None:
    """Give the relayer gas."""
    client = ChainClient(settings.rpc_urls)
    client.call("anvil_setBalance", relayer(settings).address, hex(10**20))


@pytest.fixture
def guarded_world(guarded: Settings, database: Database) -> Iterator[World]:
    world = World(guarded, database)
    yield world
    world.close()


def everything_in(database: Database) -> str:
    """Every row of every table as text; binary columns as hexadecimal."""
    names = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
    with database.reader() as session:
        return "\n".join(
            str(row)
            for table in session.scalars(text(names)).all()
            for row in session.scalars(text(f'SELECT t::text FROM "{table}" t'))
        )


def test_a_trade_and_a_dispute_by_guarded_keys_give_none_away(
    guarded_world: World, keys: Keys, capfd: pytest.CaptureFixture[str]
) -> None:
    configure_logging(logging.DEBUG)
    world = guarded_world
    trade_id = world.paid_trade()
    dispute(world, trade_id, outcome="buyer")
    assert world.trade(trade_id).settled
    sent = world.rpc("eth_getTransactionByHash", world.intents(trade_id)["settle"].tx_hash)
    assert sent["from"].lower() == relayer(world.settings).address.lower()
    assert world.record(trade_id).terms["arbiter"] == arbiter(world.settings).address
    stored = everything_in(world.database)
    assert relayer(world.settings).address in stored
    assert keys.given_away_in(stored) == []
    logged = capfd.readouterr()
    assert keys.given_away_in(logged.out + logged.err) == []


def test_the_doctor_tells_addresses_and_places(guarded: Settings, keys: Keys) -> None:
    said = {check.about: check for check in examine(guarded)}
    assert said["relayer key"].good
    assert said["relayer key"].said == (
        f"{relayer(guarded).address}, in the keystore {guarded.relayer_keystore}."
    )
    assert said["arbiter key"].good
    assert keys.given_away_in(str(said)) == []


def test_the_doctor_finds_a_key_that_does_not_open(guarded: Settings, keys: Keys) -> None:
    wrong = guarded.model_copy(
        update={"relayer_password_file": None, "relayer_password": guarded.secret_key}
    )
    said = {check.about: check for check in examine(wrong)}
    assert not said["relayer key"].good
    assert "does not open: the password is wrong" in said["relayer key"].said
    assert keys.given_away_in(str(said)) == []
    assert guarded.secret_key.get_secret_value() not in str(said)


def test_the_doctor_finds_one_key_in_two_roles(guarded: Settings) -> None:
    same = guarded.model_copy(update={"arbiter_keystore": guarded.relayer_keystore})
    assert "Relayer and arbiter have the same key: use two." in [
        check.said for check in examine(same) if not check.good
    ]


def test_an_error_while_signing_holds_no_key(guarded: Settings, keys: Keys) -> None:
    damaged = guarded.model_copy(update={"relayer_password_file": Path("/nowhere/at/all")})
    with pytest.raises(PortalError) as refused:
        relayer(damaged).sign_transaction({})
    assert "RELAYER_PASSWORD_FILE is /nowhere/at/all" in refused.value.message
    with pytest.raises(Exception) as broken:  # noqa: PT011
        relayer(guarded).sign_transaction({"type": 2, "nonce": "nonsense"})
    assert keys.given_away_in(f"{broken.value!r} {broken.value.__context__!r}") == []


def test_a_whole_trade_by_remote_signers(
    chain_settings: Settings, database: Database, keys: Keys
) -> None:
    paying = FakeWeb3Signer(keys.relayer.hex(), chain_id=31337)
    deciding = FakeWeb3Signer(keys.arbiter.hex(), chain_id=31337)
    with serving(paying), serving(deciding):
        settings = chain_settings.model_copy(
            update={
                "relayer_signer_url": paying.url,
                "relayer_address": Account.from_key(keys.relayer).address,
                "arbiter_signer_url": deciding.url,
                "arbiter_address": Account.from_key(keys.arbiter).address,
            }
        )
        fund(settings)
        world = World(settings, database)
        trade_id = world.paid_trade()
        paying.status = 503
        dispute(world, trade_id, outcome="buyer")
        waiting = world.intents(trade_id)["settle"]
        assert (waiting.status, waiting.tx_hash) == ("new", None)
        assert "answered POST with HTTP 503" in str(waiting.error)
        paying.status = 200
        world.work()
        assert world.trade(trade_id).settled
        assert any(path.startswith("/api/v1/eth1/sign/") for path in deciding.seen)
        world.close()
    assert keys.given_away_in(everything_in(database)) == []
