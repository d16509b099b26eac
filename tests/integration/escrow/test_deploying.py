"""The contracts come into use on a real chain: deployed or recorded, and only the packaged ones."""

from typing import Any

import pytest
from click.testing import CliRunner
from eth_account import Account
from eth_utils.conversions import to_hex
from sqlalchemy import select

from portal.cli import main
from portal.core.db import Database
from portal.core.errors import Conflict, Forbidden, InvalidInput
from portal.core.settings import Settings
from portal.escrow.chain.agreed import nonce_of
from portal.escrow.chain.client import ChainClient
from portal.escrow.chain.intents import SENT, queue_intent
from portal.escrow.contracts import created_address
from portal.escrow.demo import DEV_DEPLOYER, _create
from portal.escrow.deployed_code import code_at, escrow_code_problems
from portal.escrow.deploying import deploy, record_deployed
from portal.escrow.deployment import find_deployment
from portal.escrow.models import ChainIntent
from portal.escrow.signers.chosen import relayer
from portal.markets.models import AssetRow
from portal.run.doctor_chain import check_contracts
from tests.integration.escrow.world import World

pytestmark = [pytest.mark.postgres, pytest.mark.chain]


def token_on(client: ChainClient) -> str:
    """A token with 6 decimals."""
    return _create(client, "TestUSDT", [])[0]


def escrow_by_hand(client: ChainClient, settings: Settings) -> tuple[str, int]:
    """An escrow that somebody else deployed for our relayer."""
    return _create(client, "Escrow", [relayer(settings).address])


def poke(client: ChainClient, address: str, code: bytes) -> None:
    """Put other code there."""
    client.call("anvil_setCode", address, to_hex(code))


def test_a_deployed_escrow_is_recorded_with_its_tokens(
    chain_settings: Settings, database: Database, client: ChainClient
) -> None:
    token, told = token_on(client), []
    made = deploy(chain_settings, database, {"USDT": token.lower()}, told.append)
    with database.reader() as session:
        assert find_deployment(session) == made
    assert made.tokens == {"USDT": token}
    assert client.read("Escrow", made.escrow, "vaultImplementation") != "0x" + "00" * 20
    assert made.escrow in told[0]
    assert check_contracts(chain_settings).said.startswith(f"Escrow {made.escrow} has the packaged")


def test_an_escrow_found_on_chain_is_recorded(
    chain_settings: Settings, database: Database, client: ChainClient
) -> None:
    escrow, block = escrow_by_hand(client, chain_settings)
    made = record_deployed(chain_settings, database, escrow, block, {})
    added = record_deployed(chain_settings, database, escrow, block, {"USDT": token_on(client)})
    assert (made.escrow, made.block, made.tokens) == (escrow, block, {})
    with database.reader() as session:
        assert find_deployment(session) == added


def test_an_address_without_code_is_refused(
    chain_settings: Settings, database: Database, client: ChainClient
) -> None:
    nobody = "0x" + "00" * 19 + "99"
    with pytest.raises(Conflict, match="there is no contract"):
        record_deployed(chain_settings, database, nobody, 0, {})
    with pytest.raises(InvalidInput, match=r"There is no contract at 0x.*99, the token of USDT"):
        deploy(chain_settings, database, {"USDT": nobody}, print)
    with pytest.raises(InvalidInput, match="address must be 0x and 40 digits"):
        record_deployed(chain_settings, database, "0x12", 0, {})
    assert nonce_of(client, relayer(chain_settings).address) == 0


def test_other_code_is_refused_whatever_it_is(
    chain_settings: Settings, database: Database, client: ChainClient
) -> None:
    escrow, block = escrow_by_hand(client, chain_settings)
    with pytest.raises(Conflict, match="is not that of the packaged Escrow"):
        record_deployed(chain_settings, database, token_on(client), block, {})
    right = code_at(client, escrow)
    middle = len(right) // 2
    poke(client, escrow, right[:middle] + bytes([right[middle] ^ 1]) + right[middle + 1 :])
    with pytest.raises(Conflict, match="is not that of the packaged Escrow"):
        record_deployed(chain_settings, database, escrow, block, {})
    own_word = bytes(12) + bytes.fromhex(str(client.read("Escrow", escrow, "vaultOf", escrow))[2:])
    vault = bytes(12) + bytes.fromhex(created_address(escrow, 1)[2:])
    poke(client, escrow, right.replace(vault, own_word))
    with pytest.raises(Conflict, match="was made with a value of its own"):
        record_deployed(chain_settings, database, escrow, block, {})
    poke(client, escrow, right + b"\0")
    with pytest.raises(Conflict, match="not that of the packaged Escrow"):
        record_deployed(chain_settings, database, escrow, block, {})
    poke(client, escrow, right)
    assert record_deployed(chain_settings, database, escrow, block, {}).escrow == escrow


def test_vaults_of_other_code_or_another_co_signer_are_refused(
    chain_settings: Settings, database: Database, client: ChainClient
) -> None:
    escrow, block = _create(client, "Escrow", [DEV_DEPLOYER])
    with pytest.raises(Conflict, match="was made with a value of its own"):
        record_deployed(chain_settings, database, escrow, block, {})
    assert escrow_code_problems(client, escrow, DEV_DEPLOYER) == []
    poke(client, created_address(escrow, 1), b"\xfe")
    (problem,) = escrow_code_problems(client, escrow, DEV_DEPLOYER)
    assert "is not that of the packaged Vault" in problem


def test_another_chain_is_refused(chain_settings: Settings, database: Database) -> None:
    elsewhere = chain_settings.model_copy(update={"chain_id": 5})
    with pytest.raises(Conflict, match="serves chain 31337, but CHAIN_ID is 5"):
        deploy(elsewhere, database, {}, print)
    with database.reader() as session:
        assert find_deployment(session) is None


def test_one_of_several_nodes_on_another_chain_is_enough(
    chain_settings: Settings, database: Database
) -> None:
    two = chain_settings.model_copy(
        update={"chain_rpc_urls": f"{chain_settings.chain_rpc_urls},http://127.0.0.1:1"}
    )
    with pytest.raises(Exception, match=r"127\.0\.0\.1:1"):
        deploy(two, database, {}, print)


def test_a_token_that_counts_otherwise_is_refused(
    chain_settings: Settings, database: Database, client: ChainClient
) -> None:
    with database.transaction() as session:
        session.merge(AssetRow(code="DAI", name="Dai", kind="coin", places=8))
    with pytest.raises(InvalidInput, match="has 6 decimals, the ledger 8 places"):
        deploy(chain_settings, database, {"DAI": token_on(client)}, print)
    assert nonce_of(client, relayer(chain_settings).address) == 0


def test_one_key_for_both_roles_deploys_nothing(
    chain_settings: Settings, database: Database
) -> None:
    same = chain_settings.model_copy(update={"arbiter_key": chain_settings.relayer_key})
    with pytest.raises(Conflict, match="use two keys"):
        deploy(same, database, {}, print)


def test_a_key_in_clear_deploys_nothing_in_production(
    chain_settings: Settings, database: Database
) -> None:
    production = chain_settings.model_copy(update={"portal_env": "production", "chain_id": 1})
    with pytest.raises(Forbidden, match="RELAYER_KEY is a public development key"):
        relayer(production)


def test_open_trades_keep_their_escrow(world: World) -> None:
    world.locked_trade()
    with pytest.raises(Conflict, match="still uses the present escrow"):
        deploy(world.settings, world.database, {}, print)
    known = world.deployment
    again = record_deployed(world.settings, world.database, known.escrow, known.block, known.tokens)
    assert again == known


def test_a_transaction_under_way_is_not_overtaken(
    chain_settings: Settings, database: Database
) -> None:
    with database.transaction() as session:
        queue_intent(session, key="k", kind="mint", to=DEV_DEPLOYER, data="0x")
        session.scalars(select(ChainIntent)).one().status = SENT
    with pytest.raises(Conflict, match="still under way"):
        deploy(chain_settings, database, {}, print)


@pytest.mark.parametrize("nonce", [0, 1, 127, 128, 255, 256, 70_000])
def test_the_address_is_known_before_the_contract(client: ChainClient, nonce: int) -> None:
    client.call("anvil_setNonce", DEV_DEPLOYER, hex(nonce))
    assert _create(client, "TestUSDT", [])[0] == created_address(DEV_DEPLOYER, nonce)


def test_the_commands_deploy_show_and_record(
    chain_settings: Settings, client: ChainClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", str(chain_settings.database_url))
    monkeypatch.setenv("CHAIN_RPC_URLS", str(chain_settings.chain_rpc_urls))
    run = CliRunner().invoke
    token = token_on(client)
    made = run(main, ["escrow", "deploy", "--token", f"USDT={token}"])
    assert made.exit_code == 0, made.output
    escrow = made.output.split("escrow ")[1][:42]
    assert f"USDT: {token}" in made.output
    again = run(main, ["escrow", "record", escrow, "--block", "1", "--token", f"USDT={token}"])
    assert f"escrow {escrow}, made in block 1" in again.output
    refused = run(main, ["escrow", "deploy", "--token", "USDT"])
    assert refused.exit_code == 1
    assert "--token must be ASSET=ADDRESS" in refused.output
    shown = run(main, ["escrow", "key", "show"]).output
    assert f"relayer  {relayer(chain_settings).address}  in clear, in the settings" in shown


def test_the_commands_make_keystores_and_print_addresses_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    key, password = "5a" * 32, "a long enough password"
    run = CliRunner().invoke
    typed = f"{key}\n{password}\n{password}\n"
    imported = run(main, ["escrow", "key", "import", "relayer.json"], input=typed)
    assert imported.output.strip().endswith(Account.from_key(key).address)
    assert key not in imported.output
    assert password not in imported.output
    (tmp_path / "password").write_text(password + "\n")
    made = run(main, ["escrow", "key", "new", "arbiter.json", "--password-file", "password"])
    assert made.output.startswith("0x")
    taken = run(main, ["escrow", "key", "new", "arbiter.json", "--password-file", "password"])
    assert "never overwritten" in taken.output
    for name in ("relayer", "arbiter"):
        monkeypatch.setenv(f"{name.upper()}_KEYSTORE", f"{name}.json")
        monkeypatch.setenv(f"{name.upper()}_PASSWORD", password)
    shown = run(main, ["escrow", "key", "show"]).output
    assert f"arbiter  {made.output.strip()}  in the keystore arbiter.json" in shown
