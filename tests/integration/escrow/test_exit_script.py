"""The way out with the operator gone: the script, a node, the terms and the parties' keys."""

import json
import subprocess
import sys
from pathlib import Path

from tests.integration.escrow.world import DEAD, ESCROWED, FEE, FUNDED, Person, World

SCRIPT = Path(__file__).parents[3] / "contracts" / "script" / "exit.py"
DAY = 86_400


class Exit:
    """Runs the script as a trader would, in a process that knows nothing of the portal."""

    def __init__(self, world: World, trade_id: int, folder: Path) -> None:
        self.world, self.path = world, folder / "case.json"
        case = {
            "rpc": world.settings.rpc_urls[0],
            "chainId": world.client.chain_id,
            "escrow": world.deployment.escrow,
            "terms": world.record(trade_id).terms,
        }
        self.path.write_text(json.dumps(case))

    def run(self, person: Person, command: str, *rest: str) -> str:
        """What the script printed; fails with what it complained about."""
        self.world.rpc("anvil_setBalance", person.account.address, hex(10**18))
        done = subprocess.run(
            [sys.executable, "-I", str(SCRIPT), command, str(self.path), *rest],
            env={"KEY": person.account.key.hex()},
            cwd=self.path.parent,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()


def test_two_parties_settle_and_leave_without_the_operator(world: World, tmp_path: Path) -> None:
    trade_id = world.paid_trade()
    way = Exit(world, trade_id, tmp_path)
    assert ": paid" in way.run(world.bob, "status")
    assert way.run(world.bob, "sign", str(ESCROWED)) == "signed as buyer"
    way.run(world.alice, "settle")
    assert world.chain_status(trade_id) == "closed"
    assert world.coins(world.vault(world.bob)) == ESCROWED - FEE
    assert way.run(world.bob, "vault") == world.vault(world.bob)

    token = world.deployment.token("USDT")
    request = way.run(world.bob, "leave", token, DEAD, str(2**255))
    world.warp(2 * DAY)
    way.run(world.bob, "take", request)
    assert world.coins(DEAD) == ESCROWED - FEE


def test_a_buyer_gives_an_unwanted_trade_back(world: World, tmp_path: Path) -> None:
    trade_id = world.locked_trade()
    Exit(world, trade_id, tmp_path).run(world.bob, "cancel")
    assert world.coins(world.vault(world.alice)) == FUNDED


def test_anybody_ends_an_unpaid_trade(world: World, tmp_path: Path) -> None:
    trade_id = world.locked_trade()
    world.warp(DAY)
    Exit(world, trade_id, tmp_path).run(Person("stranger"), "expire")
    assert world.coins(world.vault(world.alice)) == FUNDED


def test_a_paid_trade_that_nobody_decides_ends_at_its_sunset(world: World, tmp_path: Path) -> None:
    trade_id = world.paid_trade()
    way = Exit(world, trade_id, tmp_path)
    world.warp(181 * DAY)
    way.run(Person("stranger"), "sunset")
    half = ESCROWED // 2
    assert world.coins(world.vault(world.bob)) == half - FEE * half // ESCROWED
    assert world.coins(world.deployment.escrow) == 0


def test_a_wrong_command_prints_what_there_is(world: World, tmp_path: Path) -> None:
    del world
    done = subprocess.run(
        [sys.executable, "-I", str(SCRIPT), "steal", str(tmp_path)],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1
    assert b"exit.py settle CASE" in done.stderr
