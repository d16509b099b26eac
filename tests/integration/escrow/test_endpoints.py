"""Three RPC endpoints of which one lies, one lags, one dies: what a quorum says counts."""

import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from portal.core.db import Database
from portal.core.errors import InvalidInput, Unavailable
from portal.core.settings import Settings
from portal.escrow import jobs
from portal.escrow.chain import asking
from portal.escrow.chain import endpoint as endpoint_module
from portal.escrow.chain.agreed import nonce_of
from portal.escrow.chain.blocks import ChainEndpoint
from portal.escrow.chain.client import ChainClient, chain_client
from portal.escrow.chain.endpoint import State
from portal.escrow.demo import DEV_DEPLOYER, mint_demo_coins
from portal.run.doctor import check_chain, check_endpoints
from tests.factories.engine import USDT
from tests.integration.escrow.test_deposits import available
from tests.integration.escrow.world import ESCROWED, FEE, FUNDED, World
from tests.services.rpc_proxy import RpcProxy

pytestmark = [pytest.mark.postgres, pytest.mark.chain]

_ZEROS, _MANY = "0x" + "0" * 64, "0x" + "0" * 48 + "f" * 15 + "0"


def lie(method: str, parameters: list[Any], answer: dict[str, Any]) -> dict[str, Any]:
    """Wrong about everything that a portal asks, in the most harmful way."""
    found = answer.get("result")
    if method == "eth_blockNumber":
        return {"result": hex(int(found, 16) + 1_000_000)}
    if method == "eth_getBlockByNumber" and found:
        far = int(found["number"], 16) + (1_000_000 if parameters[0] == "latest" else 0)
        return {"result": {**found, "number": hex(far), "hash": "0x" + "13" * 32}}
    if method == "eth_getTransactionReceipt" and found:
        return {"result": {**found, "status": "0x0" if found["status"] == "0x1" else "0x1"}}
    if method == "eth_getTransactionCount":
        return {"result": hex(int(found, 16) + 7)}
    if method == "eth_getLogs":
        return {"result": [{**entry, "data": _MANY} for entry in found]}
    if method == "eth_call":
        return {"result": _ZEROS[:-1] + "3"}
    if method == "eth_estimateGas":
        refusal = {"code": 3, "message": "execution reverted", "data": "0x"}
        return {"error": refusal}
    return answer


@pytest.fixture
def proxies(rpc_url: str) -> Iterator[list[RpcProxy]]:
    """Three endpoints of one chain."""
    made = [RpcProxy(rpc_url) for _ in range(3)]
    yield made
    for proxy in made:
        proxy.close()


@pytest.fixture
def chain_settings(settings: Settings, proxies: list[RpcProxy]) -> Settings:
    """Settings that name all three."""
    urls = ",".join(proxy.url for proxy in proxies)
    return settings.model_copy(update={"chain_rpc_urls": urls, "escrow_grace_seconds": 60})


@pytest.fixture
def world(chain_settings: Settings, database: Database, client: ChainClient) -> Iterator[World]:
    """A world whose people and onlookers reach the node itself; the portal has the three."""
    world = World(chain_settings, database)
    world.client = client
    yield world
    world.close()


@pytest.fixture
def three(chain_settings: Settings) -> ChainClient:
    """The client that the settings make: two of three must agree."""
    return chain_client(chain_settings)


def states(client: ChainClient) -> list[str]:
    """What the client thinks of each endpoint."""
    return [endpoint.state for endpoint in client.pool.endpoints]


def whole_trade(world: World) -> None:
    """From a deposit to the buyer's coins."""
    trade_id = world.paid_trade()
    world.sign(trade_id, world.alice, "seller", "release")
    world.act("release", trade_id, world.alice)
    world.work()
    assert world.trade(trade_id).state == "completed"
    assert world.coins(world.vault(world.bob)) == ESCROWED - FEE
    assert available(world, world.alice) == FUNDED - ESCROWED
    assert available(world, world.bob) == ESCROWED - FEE
    assert world.differences() == []


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_trade_is_right_although_one_endpoint_lies(
    world: World, proxies: list[RpcProxy], three: ChainClient, place: int
) -> None:
    """It lies about everything, and is named for it."""
    proxies[place].lie = lie
    world.fund(world.bob, 5 * USDT)
    assert available(world, world.bob) == 5 * USDT
    world.burn(world.bob, 5 * USDT)
    jobs.scan_deposits(world.context)
    whole_trade(world)
    health = [endpoint.health for endpoint in three.pool.endpoints]
    assert health[place].disagreements > 0
    assert [h.disagreements for i, h in enumerate(health) if i != place] == [0, 0]
    assert states(three)[place] == State.OUTVOTED


def test_who_claims_to_be_far_ahead_makes_nobody_late(
    proxies: list[RpcProxy], three: ChainClient
) -> None:
    proxies[1].lie = lie
    honest = int(proxies[0].ask_node("eth_blockNumber", [])["result"], 16)
    assert three.block_number() == honest
    assert [three.pool.endpoints[i].behind for i in (0, 2)] == [False, False]


def test_one_that_lags_is_left_out_until_it_catches_up(
    world: World, proxies: list[RpcProxy], three: ChainClient
) -> None:
    proxies[2].lag()
    world.rpc("anvil_mine", "0x14")
    assert three.block_number() == world.client.block_number()
    assert states(three) == [State.OK, State.OK, State.BEHIND]
    world.fund(world.bob, 3 * USDT)
    before = proxies[2].asked
    assert three.balance_of(world.deployment.token("USDT"), world.vault(world.bob)) == 3 * USDT
    # Looked at for its height, asked nothing else.
    assert proxies[2].asked == before + 1
    assert available(world, world.bob) == 3 * USDT
    proxies[2].honest()
    three.block_number()
    assert states(three) == [State.OK, State.OK, State.OK]


def test_a_trade_goes_on_when_one_endpoint_dies(
    world: World, proxies: list[RpcProxy], three: ChainClient
) -> None:
    proxies[0].dead = True
    whole_trade(world)
    three.pool.probe(everybody=True)  # Its rest may be over by now: it is asked, and found dead.
    assert states(three)[0] == State.DOWN
    assert three.pool.endpoints[0].health.errors > 0


@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_that_hangs_does_not_slow_the_others(
    proxies: list[RpcProxy], three: ChainClient, place: int
) -> None:
    """It is waited for a moment, once; then it is asked last."""
    three.block_number()
    proxies[place].slow_seconds = 6.0
    began = time.monotonic()
    for _ in range(4):
        assert three.block_number() >= 0
        assert three.block(0).number == 0
        assert three.has_code(DEV_DEPLOYER) is False
        assert nonce_of(three, DEV_DEPLOYER) >= 0
    assert time.monotonic() - began < 4.0
    assert states(three) == [State.SLOW if at == place else State.OK for at in range(3)]


def test_those_that_are_needed_are_asked_at_the_same_time(
    proxies: list[RpcProxy], three: ChainClient
) -> None:
    three.block_number()
    for proxy in proxies:
        proxy.slow_seconds = 0.4
    began = time.monotonic()
    three.block(0)
    assert 0.4 <= time.monotonic() - began < 0.75


def test_two_that_hang_leave_no_quorum_and_that_is_told_within_the_time_limit(
    proxies: list[RpcProxy], three: ChainClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    three.block_number()
    monkeypatch.setattr(asking, "LIMIT_SECONDS", 2.0)
    proxies[0].slow_seconds = proxies[2].slow_seconds = 6.0
    began = time.monotonic()
    with pytest.raises(Unavailable, match="no answer in time"):
        three.block(0)
    with pytest.raises(Unavailable, match="No 2 nodes agree"):
        nonce_of(three, DEV_DEPLOYER)
    assert time.monotonic() - began < 6.0


def test_a_liar_alone_is_no_quorum_for_the_next_nonce(
    proxies: list[RpcProxy], three: ChainClient
) -> None:
    proxies[0].lie = lie
    proxies[1].dead = proxies[2].dead = True
    with pytest.raises(Unavailable, match="No 2 nodes agree"):
        nonce_of(three, DEV_DEPLOYER)


def test_a_forked_process_asks_with_threads_of_its_own(three: ChainClient) -> None:
    three.block_number()
    child = os.fork()
    if child == 0:
        os._exit(0 if three.block(0).number == 0 else 1)
    for _ in range(100):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        time.sleep(0.1)
    else:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        pytest.fail("The child got no answer.")
    assert os.waitstatus_to_exitcode(status) == 0


def test_one_that_was_dead_is_asked_again_after_a_rest(
    proxies: list[RpcProxy], three: ChainClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxies[1].dead = True
    three.block_number()
    assert states(three)[1] == State.DOWN
    proxies[1].honest()
    three.block_number()
    assert states(three)[1] == State.DOWN
    now = endpoint_module.time.monotonic()
    monkeypatch.setattr(endpoint_module.time, "monotonic", lambda: now + 61)
    three.block_number()
    assert states(three)[1] == State.OK


def test_nothing_is_believed_while_one_lies_one_lags_and_one_is_dead(
    world: World, proxies: list[RpcProxy], three: ChainClient
) -> None:
    """No two of them can agree on what is new: that waits, and comes out right in the end."""
    proxies[0].lag()
    token, vault = world.deployment.token("USDT"), world.vault(world.bob)
    mint_demo_coins(world.settings, world.database, world.deployment, vault, 9 * USDT)
    proxies[2].ask_node("anvil_mine", ["0x14"])
    proxies[1].lie = lie
    proxies[2].dead = True
    for _ in range(3):
        with pytest.raises(Unavailable):
            jobs.scan_deposits(world.context)
        with pytest.raises(Unavailable, match="agree"):
            three.balance_of(token, vault)
    assert available(world, world.bob) == 0
    proxies[0].honest()
    proxies[2].honest()
    jobs.scan_deposits(world.context)
    assert available(world, world.bob) == 9 * USDT


def test_an_outvoted_endpoint_leaves_two_to_go_on_at_the_height_of_the_slower(
    world: World, proxies: list[RpcProxy], three: ChainClient
) -> None:
    proxies[0].lag()
    seen = proxies[0].stuck_at
    proxies[2].ask_node("anvil_mine", ["0x3"])
    proxies[1].dead = True
    assert three.block_number() == seen
    proxies[0].honest()
    assert three.block_number() == seen + 3 if seen is not None else False


def test_an_endpoint_of_another_chain_is_never_believed(
    chain_settings: Settings, proxies: list[RpcProxy], three: ChainClient
) -> None:
    def elsewhere(method: str, _: list[Any], answer: dict[str, Any]) -> dict[str, Any]:
        return {"result": "0x1"} if method == "eth_chainId" else answer

    proxies[0].lie = elsewhere
    three.block_number()
    assert states(three)[0] == State.WRONG_CHAIN
    assert not check_chain(chain_settings).good
    proxies[1].lie = elsewhere
    fresh = ChainClient(chain_settings.rpc_urls, None, chain_settings.chain_id)
    with pytest.raises(Unavailable, match="serves chain 1, but CHAIN_ID is 31337"):
        fresh.block_number()


def test_a_single_endpoint_of_another_chain_is_refused(rpc_url: str) -> None:
    with pytest.raises(Unavailable, match="serves chain 31337, but CHAIN_ID is 5"):
        ChainClient([rpc_url], None, 5).block_number()


@pytest.mark.parametrize("quorum", [0, 3])
def test_a_quorum_that_can_never_be_reached_is_refused(quorum: int) -> None:
    with pytest.raises(InvalidInput, match=f"CHAIN_QUORUM is {quorum}, but"):
        ChainClient(["http://127.0.0.1:1", "http://127.0.0.1:2"], quorum)


def test_two_endpoints_stand_in_for_each_other(proxies: list[RpcProxy]) -> None:
    pair = ChainClient([proxies[0].url, proxies[1].url])
    for dead in (0, 1):
        proxies[dead].dead = True
        assert pair.block_number() >= 0
        proxies[dead].honest()


def test_the_back_office_and_the_doctor_see_how_the_endpoints_are(
    world: World, proxies: list[RpcProxy]
) -> None:
    proxies[2].lag()
    world.rpc("anvil_mine", "0x14")
    jobs.watch_endpoints(world.context)
    late = endpoint_rows(world)
    assert [row.state for row in late] == ["ok", "ok", "behind"]
    assert (late[0].height, late[2].height) == (world.client.block_number(), proxies[2].stuck_at)
    proxies[2].honest()
    proxies[1].dead = True
    jobs.watch_endpoints(world.context)
    assert [row.state for row in endpoint_rows(world)] == ["ok", "down", "ok"]
    assert endpoint_rows(world)[1].last_error
    said = check_endpoints(world.settings)
    assert [check.good for check in said] == [True, False, True]
    assert proxies[1].url in said[1].said


def endpoint_rows(world: World) -> list[ChainEndpoint]:
    """What was written down about the endpoints."""
    with world.database.reader() as session:
        query = select(ChainEndpoint).order_by(ChainEndpoint.position)
        return list(session.scalars(query))


def test_an_endpoint_that_is_not_configured_any_more_is_forgotten(world: World) -> None:
    jobs.watch_endpoints(world.context)
    one = world.settings.model_copy(update={"chain_rpc_urls": world.settings.rpc_urls[0]})
    del one.__dict__["rpc_urls"]
    jobs.watch_endpoints(jobs.JobContext(one, world.database, world.engine, None))
    with world.database.reader() as session:
        assert len(session.scalars(select(ChainEndpoint)).all()) == 1
