"""The relayer is killed at every step of an intent; its effect comes once, whatever the step.

Minting is the harder test of the two: the token would mint again, the escrow would not open twice.
"""

import os
import signal
import subprocess
import sys
from typing import Any

import pytest
from sqlalchemy import select

from portal.escrow import jobs
from portal.escrow.chain.agreed import nonce_of
from portal.escrow.chain.client import encode_call
from portal.escrow.chain.intents import queue_intent
from portal.escrow.contract import event_topic
from portal.escrow.models import ChainIntent
from tests.integration.escrow import conftest
from tests.integration.escrow.dying_sender import FINAL, REPLACING, STEPS
from tests.integration.escrow.world import DEAD, ESCROWED, World

pytestmark = [pytest.mark.postgres, pytest.mark.chain]


def run_and_die(world: World, step: str, **settings: Any) -> int:
    """Run the intents in a process that kills itself at a step. Two endpoints, one chain."""
    url = str(world.settings.chain_rpc_urls)
    environment = {
        **os.environ,
        "DATABASE_URL": str(world.settings.database_url),
        "CHAIN_RPC_URLS": f"{url},{url}",
        "ESCROW_GRACE_SECONDS": str(world.settings.escrow_grace_seconds),
        **{name.upper(): str(value) for name, value in settings.items()},
    }
    command = [sys.executable, "-m", "tests.integration.escrow.dying_sender", step]
    return subprocess.run(command, env=environment, check=False).returncode


def queue_mint(world: World, key: str = "mint") -> int:
    """An intent that mints one unit to an address that nobody else pays."""
    data = encode_call("TestUSDT", "mint", [DEAD, 1])
    token = world.deployment.token("USDT")
    with world.database.transaction() as session:
        queue_intent(session, key=key, kind="mint", to=token, data=data)
        return session.scalars(select(ChainIntent.id).where(ChainIntent.key == key)).one()


def status(world: World, intent_id: int) -> str:
    """Where an intent stands."""
    with world.database.reader() as session:
        return session.get_one(ChainIntent, intent_id).status


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_step_a_mint_comes_once(world: World, step: str) -> None:
    world.track()
    intent_id = queue_mint(world)
    assert run_and_die(world, step) == -signal.SIGKILL
    for _ in range(3):
        world.track()
    assert world.coins(DEAD) == 1
    assert status(world, intent_id) == "confirmed"
    (attempt,) = world.attempts(intent_id)
    assert attempt.status == "mined"
    assert nonce_of(world.client, attempt.sender) == attempt.nonce + 1


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_step_an_escrow_opens_once(world: World, step: str) -> None:
    world.track()
    trade_id = world.match()
    jobs.run_escrow_events(world.context)
    assert run_and_die(world, step) == -signal.SIGKILL
    world.work()
    world.work()
    head = world.client.block_number()
    opened = world.client.logs(world.deployment.escrow, [event_topic("Opened")], 0, head)
    assert len(opened) == 1
    assert world.coins(world.deployment.escrow) == ESCROWED
    assert world.trade(trade_id).state == "awaiting_payment"
    (attempt,) = world.attempts(world.intents(trade_id)["open"].id)
    assert attempt.status == "mined"


@pytest.mark.parametrize("step", REPLACING)
def test_killed_while_replacing_the_effect_comes_once(
    world: World, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is mined while the first attempt waits."""
    replaced_after_a_kill(world, monkeypatch, step, first_is_mined=False)


@pytest.mark.parametrize("step", ["nonce reserved", "stored", "sent"])
def test_killed_while_replacing_what_is_mined_meanwhile_the_effect_comes_once(
    world: World, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    replaced_after_a_kill(world, monkeypatch, step, first_is_mined=True)


def replaced_after_a_kill(
    world: World, monkeypatch: pytest.MonkeyPatch, step: str, *, first_is_mined: bool
) -> None:
    """A mint waits, a process dies while it replaces it, and the next one goes on."""
    monkeypatch.setattr(conftest, "MINED_SECONDS", 0)
    world.track()
    world.rpc("evm_setAutomine", False)
    intent_id = queue_mint(world)
    jobs.track_intents(world.context)
    assert run_and_die(world, step, chain_replace_seconds=0.001) == -signal.SIGKILL
    if first_is_mined:
        world.rpc("evm_mine")
    jobs.track_intents(world.context)
    world.rpc("evm_mine")
    for _ in range(3):
        jobs.track_intents(world.context)
        world.rpc("evm_mine")
    assert world.coins(DEAD) == 1
    assert status(world, intent_id) == "confirmed"
    attempts = world.attempts(intent_id)
    assert len({attempt.nonce for attempt in attempts}) == 1
    assert [attempt.status for attempt in attempts].count("mined") == 1
    assert {attempt.status for attempt in attempts} <= {"mined", "replaced"}
    assert nonce_of(world.client, attempts[0].sender) == attempts[0].nonce + 1


def test_killed_before_it_is_noted_as_final_it_still_becomes_so(world: World) -> None:
    intent_id = queue_mint(world)
    world.track()
    world.finalize()
    (step,) = FINAL
    assert run_and_die(world, step, chain_check_seconds=0.001) == -signal.SIGKILL
    settings = {"chain_check_seconds": 0.001}
    jobs.track_intents(world.with_settings(**settings))
    with world.database.reader() as session:
        assert session.get_one(ChainIntent, intent_id).final_at is not None
    assert world.coins(DEAD) == 1
