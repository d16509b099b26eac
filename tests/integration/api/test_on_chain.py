"""The same trade over HTTP with its coins on a real chain: every signature is made and checked."""

from collections.abc import Iterator
from typing import Any

import pytest

from portal.core.db import Database
from portal.core.jobs import JobContext
from portal.core.settings import Settings
from portal.escrow import jobs
from portal.escrow.chain.client import ChainClient
from portal.escrow.contract import escrow_id
from portal.escrow.demo import ensure_demo_deployment
from portal.escrow.typed_data import STRUCTS
from portal.trades.jobs import run_clearing
from portal.trades.service import resolve_dispute
from portal.trades.tickets import run_tickets
from tests.integration.api.test_trades import staff
from tests.integration.api.world import IBANS, Trader, World, order_body
from tests.integration.escrow.conftest import anvil_path, chain_settings, rpc_url

__all__ = ["anvil_path", "chain_settings", "rpc_url"]
pytestmark = [pytest.mark.postgres, pytest.mark.chain]


@pytest.fixture
def world(chain_settings: Settings, database: Database) -> Iterator[World]:
    """The portal with its contracts deployed."""
    world = World(chain_settings, database)
    ensure_demo_deployment(chain_settings, database)
    yield world
    world.close()


@pytest.fixture
def alice(world: World) -> Trader:
    """A seller whose coins came from the faucet."""
    person = world.outfit(world.trader("Alice"), IBANS[0])
    given = person.post("/demo/faucet", {"asset": "USDT"})
    assert given.status_code == 200, given.text
    assert given.json["transaction_hash"].startswith("0x")
    work(world)
    assert person.get("/me/balances").json["balances"][0]["available"] == "1000.000000"
    return person


def work(world: World) -> None:
    context = JobContext(world.settings, world.database, world.engine, world.plugins)
    for job in (run_clearing, jobs.run_escrow_events, jobs.track_intents, run_tickets):
        job(context)
    jobs.scan_deposits(context)


def signed(person: Trader, trade_id: int, act: str) -> dict[str, str]:
    asked = person.get(f"/trades/{trade_id}/signing", act=act)
    assert asked.status_code == 200, asked.text
    return {item["kind"]: person.sign(item["typed_data"]) for item in asked.json["typed_data"]}


def locked(world: World, alice: Trader, bob: Trader) -> int:
    """Alice sells 100 USDT to Bob; the escrow holds them."""
    body = order_body(alice, market="USDT-EUR", side="sell", price="0.92", quantity="100")
    quote = alice.post("/orders/quote", {k: body[k] for k in body if k != "payment_accounts"}).json
    data = quote["authority"]
    body["authority"] = {"message": data["message"], "signature": alice.sign(data)}
    offer = alice.post("/orders", body)
    assert offer.status_code == 201, offer.text
    take = order_body(
        bob,
        market="USDT-EUR",
        order_type="market",
        price=None,
        quantity="100",
        take_order=offer.json["order"]["id"],
    )
    (trade_id,) = bob.post("/orders", take).json["trades"]
    work(world)
    assert bob.get(f"/trades/{trade_id}").json["state"] == "awaiting_payment"
    return int(trade_id)


def pay(world: World, bob: Trader, trade_id: int) -> Any:
    answer = bob.post(f"/trades/{trade_id}/paid", {"signatures": signed(bob, trade_id, "paid")})
    work(world)
    return answer


def coins(world: World, person: Trader) -> int:
    """Units in a person's vault on chain."""
    config = person.get("/config").json["chain"]
    vault = person.get("/me").json["wallet"]["vault"]
    client = ChainClient(world.settings.rpc_urls)
    return client.balance_of(config["tokens"]["USDT"], vault)


def test_coins_reach_the_buyers_vault(world: World, alice: Trader, bob: Trader) -> None:
    trade_id = locked(world, alice, bob)
    unsigned = bob.post(f"/trades/{trade_id}/paid", {})
    assert (unsigned.status_code, unsigned.json["error"]["field"]) == (
        422,
        "signatures.mark_paid",
    )
    mixed = signed(bob, trade_id, "paid") | {"settle": alice.sign(_settle(bob, trade_id))}
    foreign = bob.post(f"/trades/{trade_id}/paid", {"signatures": mixed})
    assert (foreign.status_code, foreign.json["error"]["field"]) == (422, "signatures.settle")
    assert bob.get(f"/trades/{trade_id}").json["state"] == "awaiting_payment"
    assert pay(world, bob, trade_id).json["state"] == "paid"
    world.forget_codes(alice)
    body = {"signatures": signed(alice, trade_id, "release"), "totp": alice.code()}
    assert alice.post(f"/trades/{trade_id}/release", body).json["state"] == "released"
    work(world)
    done = bob.get(f"/trades/{trade_id}").json
    assert done["state"] == "completed"
    kinds = {item["kind"]: item["status"] for item in done["escrow"]["transactions"]}
    assert kinds["open"] == kinds["settle"] == "confirmed"
    assert coins(world, bob) == int(done["buyer_gets"].replace(".", ""))


def test_both_see_the_terms_that_the_escrow_was_opened_with(
    world: World, alice: Trader, bob: Trader
) -> None:
    trade_id = locked(world, alice, bob)
    seen = bob.get(f"/trades/{trade_id}").json
    terms, config = seen["escrow"]["terms"], bob.get("/config").json["chain"]
    assert alice.get(f"/trades/{trade_id}").json["escrow"]["terms"] == terms
    assert list(terms) == [name for name, _ in STRUCTS["Terms"]]
    assert escrow_id(terms) == seen["escrow"]["escrow_id"]
    assert (terms["seller"], terms["buyer"], terms["token"]) == (
        alice.get("/me").json["wallet"]["address"],
        bob.get("/me").json["wallet"]["address"],
        config["tokens"]["USDT"],
    )
    locks, gets = (int(seen[name].replace(".", "")) for name in ("seller_locks", "buyer_gets"))
    assert (terms["amount"], terms["fee"]) == (str(locks), str(locks - gets))


def test_a_buyers_cancellation_is_signed(world: World, alice: Trader, bob: Trader) -> None:
    trade_id = locked(world, alice, bob)
    refused = bob.post(f"/trades/{trade_id}/cancel", {})
    assert refused.json["error"]["field"] == "signatures.cancel"
    body = {"signatures": signed(bob, trade_id, "cancel")}
    assert bob.post(f"/trades/{trade_id}/cancel", body).json["state"] == "cancelled"
    work(world)
    assert alice.get(f"/trades/{trade_id}").json["state"] == "refunded"
    assert coins(world, alice) == 1_000_000_000


def test_a_decision_is_claimed_by_the_one_it_favours(
    world: World, alice: Trader, bob: Trader
) -> None:
    trade_id = locked(world, alice, bob)
    pay(world, bob, trade_id)
    words = {"reason": "not_received", "statement": "Nothing came."}
    assert alice.post(f"/trades/{trade_id}/dispute", words).json["state"] == "disputed"
    decision: dict[str, Any] = {"outcome": "seller", "to_buyer": None, "decision": "No payment."}
    resolve_dispute(world.services, staff(world), trade_id, **decision)
    work(world)
    assert bob.get(f"/trades/{trade_id}").json["allowed"] == []
    seen = alice.get(f"/trades/{trade_id}").json
    assert (seen["action"], seen["allowed"]) == ("claim", ["claim"])
    assert seen["dispute"]["to_buyer"] == "0.000000"
    body = {"signatures": signed(alice, trade_id, "claim")}
    assert alice.post(f"/trades/{trade_id}/claim", body).status_code == 200
    work(world)
    seen = alice.get(f"/trades/{trade_id}").json
    assert (seen["state"], seen["action"]) == ("resolved_seller", None)
    assert coins(world, alice) == 1_000_000_000


def _settle(person: Trader, trade_id: int) -> Any:
    asked = person.get(f"/trades/{trade_id}/signing", act="paid").json["typed_data"]
    return next(item["typed_data"] for item in asked if item["kind"] == "settle")
