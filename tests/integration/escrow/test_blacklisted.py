"""A payout that the token refuses: the buyer has a credit in the contract, and the trade ends."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from eth_utils.conversions import to_hex
from eth_utils.crypto import keccak

from portal.escrow.contract import event_topic
from portal.escrow.deployment import fee_address
from tests.integration.escrow.world import ESCROWED, FEE, FUNDED, World

pytestmark = [pytest.mark.postgres, pytest.mark.chain]

SOURCE = Path(__file__).with_name("BlacklistingUSDT.sol")
CONTRACTS = Path(__file__).parents[3] / "contracts"


@pytest.fixture(scope="module")
def blacklisting_code() -> str:
    """Runtime code of the token, from the compiler that the contracts use."""
    wanted = {
        "language": "Solidity",
        "sources": {SOURCE.name: {"content": SOURCE.read_text()}},
        "settings": {"outputSelection": {"*": {"*": ["evm.deployedBytecode.object"]}}},
    }
    done = subprocess.run(
        ["node", "bin/solc", "--standard-json"],
        cwd=CONTRACTS,
        input=json.dumps(wanted),
        capture_output=True,
        text=True,
        check=True,
    )
    built: dict[str, Any] = json.loads(done.stdout)["contracts"][SOURCE.name]["BlacklistingUSDT"]
    return "0x" + str(built["evm"]["deployedBytecode"]["object"])


def put_on_the_list(world: World, who: str, code: str) -> None:
    """The demo's token gets a blacklist, with everybody's coins as they were."""
    token = world.deployment.token("USDT")
    world.rpc("anvil_setCode", token, code)
    call = keccak(text="setListed(address,bool)")[:4].hex() + who[2:].lower().rjust(64, "0")
    world.send_as(world.bob, f"0x{call}{1:064x}", token)


def test_a_blacklisted_buyer_is_credited_and_the_trade_ends(
    world: World, blacklisting_code: str
) -> None:
    trade_id = world.paid_trade()
    put_on_the_list(world, world.vault(world.bob), blacklisting_code)
    world.sign(trade_id, world.alice, "seller", "release")
    world.act("release", trade_id, world.alice)
    world.work()
    assert world.intents(trade_id)["settle"].status == "confirmed"
    assert world.trade(trade_id).state == "completed"
    assert world.record(trade_id).status == "closed"
    assert world.coins(world.vault(world.bob)) == 0
    assert world.coins(fee_address(world.settings)) == FEE
    # Nobody but the buyer can have what stays in the contract.
    assert world.coins(world.deployment.escrow) == ESCROWED - FEE
    assert credits(world) == {world.vault(world.bob).lower(): ESCROWED - FEE}
    assert world.coins(world.vault(world.alice)) == FUNDED - ESCROWED


def credits(world: World) -> dict[str, int]:
    """What the contract owes to whom, from its events."""
    head = world.client.block_number()
    logs = world.client.logs(world.deployment.escrow, [event_topic("Credited")], 0, head)
    return {to_hex(log["topics"][2][-20:]): int.from_bytes(log["data"], "big") for log in logs}
