"""A trade between two people over HTTP, on the ledger market; the jobs are run by hand."""

from typing import Any

import pytest

from portal.core.jobs import JobContext
from portal.escrow import service as escrow
from portal.trades.jobs import run_clearing
from portal.trades.service import resolve_dispute
from portal.trades.tickets import run_tickets
from portal.users.models import User
from tests.integration.api.world import Trader, World, order_body

pytestmark = pytest.mark.postgres


def context(world: World) -> JobContext:
    return JobContext(world.settings, world.database, world.engine, world.plugins)


def run_jobs(world: World) -> None:
    run_clearing(context(world))
    escrow.process_events(context(world))
    run_tickets(context(world))


def matched(world: World, alice: Trader, bob: Trader) -> int:
    offer = alice.post("/orders", order_body(alice, side="sell", price="60000")).json["order"]
    body = order_body(bob, order_type="market", price=None, take_order=offer["id"])
    placed = bob.post("/orders", body)
    assert placed.status_code == 201, placed.text
    return int(placed.json["trades"][0])


def awaiting(world: World, alice: Trader, bob: Trader) -> int:
    trade_id = matched(world, alice, bob)
    run_jobs(world)
    return trade_id


def paid(world: World, alice: Trader, bob: Trader) -> int:
    trade_id = awaiting(world, alice, bob)
    answer = bob.post(f"/trades/{trade_id}/paid", {})
    assert answer.status_code == 200, answer.text
    return trade_id


def release(world: World, person: Trader, trade_id: int, key: str | None = None) -> Any:
    world.forget_codes(person)
    return person.post(f"/trades/{trade_id}/release", {"totp": person.code()}, key=key)


def test_the_whole_way(world: World, alice: Trader, bob: Trader) -> None:
    trade_id = matched(world, alice, bob)
    early = bob.get(f"/trades/{trade_id}").json
    assert (early["state"], early["role"], early["action"]) == ("matched", "buyer", "wait")
    assert (early["payment"], early["counterparty"]["legal_name"]) == (None, None)
    assert early["escrow"]["terms"] is None
    run_jobs(world)
    seen = bob.get(f"/trades/{trade_id}").json
    assert (seen["state"], seen["action"], seen["timer"]) == (
        "awaiting_payment",
        "sign_and_pay",
        "payment",
    )
    assert seen["payment"]["amount"] == seen["fiat_total"] == "600.00"
    assert seen["payment"]["qr_svg"].startswith(("<svg", "<?xml"))
    assert seen["counterparty"]["legal_name"] == "Alice Example"
    assert seen["allowed"] == ["paid", "cancel"]
    assert seen["escrow"]["terms"] is None  # The ledger needs none.
    assert bob.get(f"/trades/{trade_id}/signing", act="paid").json == {"typed_data": []}
    assert bob.post(f"/trades/{trade_id}/paid", {}).json["state"] == "paid"
    expected = alice.get(f"/trades/{trade_id}").json
    assert expected["action"] == "check_and_release"
    assert (expected["payment"]["payee"], expected["payment"]["qr_svg"]) == ([], None)
    assert expected["payment"]["reference"] == seen["payment"]["reference"]
    assert "Bob Example" in expected["payment"]["text"]
    assert release(world, alice, trade_id).json["state"] == "released"
    run_jobs(world)
    done = bob.get(f"/trades/{trade_id}").json
    assert (done["state"], done["action"], done["allowed"]) == ("completed", None, [])
    assert [step["state"] for step in done["steps"] if step["done"]] == [
        "matched",
        "escrow_locked",
        "awaiting_payment",
        "paid",
        "released",
        "completed",
    ]
    assert [entry["actor"] for entry in done["history"] if entry["state"] == "paid"] == ["buyer"]
    coins = {row["asset"]: row["available"] for row in bob.get("/me/balances").json["balances"]}
    assert coins["BTC"] == done["buyer_gets"]
    lines = bob.get("/me/ledger", asset="BTC").json["entries"]
    assert (lines[0]["kind"], lines[0]["trade_id"]) == ("escrow_settle", trade_id)
    table = bob.get("/history.csv").text.splitlines()
    assert len(table) == 2
    assert table[1].startswith(f"{trade_id},")
    assert bob.get("/trades", open="true").json["trades"] == []
    assert len(bob.get("/trades", open="false").json["trades"]) == 1


def test_a_code_releases_once(world: World, alice: Trader, bob: Trader) -> None:
    trade_id = paid(world, alice, bob)
    wrong = alice.post(f"/trades/{trade_id}/release", {"totp": "000000"})
    assert (wrong.status_code, wrong.json["error"]["field"]) == (422, "totp")
    first = release(world, alice, trade_id, key="release-it")
    again = alice.post(f"/trades/{trade_id}/release", {"totp": alice.code()}, key="release-other")
    assert first.status_code == 200
    assert again.status_code == 409


def test_codes_can_not_be_guessed(world: World, alice: Trader, bob: Trader) -> None:
    trade_id = paid(world, alice, bob)
    for _ in range(5):
        assert alice.post(f"/trades/{trade_id}/release", {"totp": "000000"}).status_code == 422
    locked = release(world, alice, trade_id)
    assert locked.status_code == 429
    assert int(locked.headers["Retry-After"]) > 0


def test_only_the_right_party_takes_a_step(world: World, alice: Trader, bob: Trader) -> None:
    trade_id = awaiting(world, alice, bob)
    eve = world.trader("Eve")
    before = world.row_counts()
    assert alice.post(f"/trades/{trade_id}/paid", {}).status_code == 403
    assert release(world, bob, trade_id).status_code == 409
    for path in ("", "/signing?act=paid"):
        assert eve.get(f"/trades/{trade_id}{path}").status_code == 404
    for act, body in (
        ("paid", {}),
        ("release", {"totp": "123456"}),
        ("cancel", {}),
        ("dispute", {"reason": "other", "statement": "mine"}),
        ("statements", {"text": "mine"}),
        ("claim", {"signatures": {}}),
    ):
        assert eve.post(f"/trades/{trade_id}/{act}", body).status_code == 404
    assert world.row_counts() == before


def test_a_buyer_cancels_and_the_seller_has_it_all_again(
    world: World, alice: Trader, bob: Trader
) -> None:
    trade_id = awaiting(world, alice, bob)
    cancelled = bob.post(f"/trades/{trade_id}/cancel", {"reason": "changed my mind"})
    assert cancelled.json["state"] == "cancelled"
    run_jobs(world)
    assert bob.get(f"/trades/{trade_id}").json["state"] == "refunded"
    coins = {row["asset"]: row["available"] for row in alice.get("/me/balances").json["balances"]}
    assert coins["BTC"] == "0.10000000"


def test_a_dispute_is_argued_and_decided(world: World, alice: Trader, bob: Trader) -> None:
    trade_id = paid(world, alice, bob)
    opened = bob.post(
        f"/trades/{trade_id}/dispute", {"reason": "paid_not_released", "statement": "I paid."}
    )
    assert opened.json["dispute"]["opened_by"] == "buyer"
    assert opened.json["dispute"]["to_buyer"] is None
    said = alice.post(f"/trades/{trade_id}/statements", {"text": "Nothing came."})
    assert [row["by"] for row in said.json["dispute"]["statements"]] == ["buyer", "seller"]
    assert said.json["allowed"] == ["release", "statement"]
    judge = staff(world)
    half = 500_000
    resolve_dispute(
        world.services, judge, trade_id, outcome="split", to_buyer=half, decision="Half each."
    )
    run_jobs(world)
    seen = alice.get(f"/trades/{trade_id}").json
    assert (seen["state"], seen["action"]) == ("resolved_split", None)
    assert (seen["dispute"]["outcome"], seen["dispute"]["decision"]) == ("split", "Half each.")
    assert seen["dispute"]["to_buyer"] == "0.00500000"


def test_a_released_dispute_closes_its_ticket(world: World, alice: Trader, bob: Trader) -> None:
    trade_id = paid(world, alice, bob)
    bob.post(f"/trades/{trade_id}/dispute", {"reason": "other", "statement": "Hello?"})
    assert release(world, alice, trade_id).json["state"] == "released"
    run_jobs(world)
    ended = alice.get(f"/trades/{trade_id}").json["dispute"]
    assert (ended["status"], ended["to_buyer"]) == ("settled", None)


def staff(world: World) -> int:
    with world.database.transaction() as session:
        person = User(
            username="judge",
            email="judge@demo.test",
            first_name="Judge",
            last_name="Example",
            kind="staff",
            active=True,
        )
        session.add(person)
        session.flush()
        return int(person.id)
