"""What staff does reaches the services, and what is wrong changes nothing."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from portal.audit.models import AuditEvent
from portal.core.errors import Unavailable
from portal.escrow.payouts.models import PayoutStop
from portal.markets.models import Market
from portal.plugin_host.models import PluginSetting, PluginSwitch
from portal.users.models import KycDecision, User
from tests.integration.backoffice import desk, scenes

pytestmark = pytest.mark.postgres
AsRole = Callable[[str], FlaskClient]


@pytest.fixture
def ids(services: desk.DeskServices) -> dict[str, Any]:
    """Something on every page."""
    return scenes.everything(services)


def test_a_tier_is_set_with_its_reason(
    as_role: AsRole, services: desk.DeskServices, ids: dict[str, Any]
) -> None:
    client = as_role("Compliance")
    url = f"/backoffice/traders/{ids['bob']}/act/set_tier"
    answer = desk.post(client, url, tier="1", reason="Passport seen.")
    assert answer.status_code == 302
    with services.database.reader() as session:
        assert session.get_one(User, ids["bob"]).kyc_tier == 1
        decision = session.scalars(select(KycDecision)).one()
        assert (decision.reason, decision.tier) == ("Passport seen.", 1)
    assert "tier 1 now" in client.get(f"/backoffice/traders/{ids['bob']}").text


def test_a_tier_without_a_reason_is_refused_and_nothing_typed_is_lost(
    as_role: AsRole, services: desk.DeskServices, ids: dict[str, Any]
) -> None:
    url = f"/backoffice/traders/{ids['bob']}/act/set_tier"
    answer = desk.post(as_role("Compliance"), url, tier="2", reason=" ")
    assert answer.status_code == 422
    assert "Reason is missing." in answer.text
    assert '<option value="2" selected>' in answer.text
    with services.database.reader() as session:
        assert session.get_one(User, ids["bob"]).kyc_tier == 0


def test_a_held_trade_is_cleared_with_todays_fees(
    as_role: AsRole, services: desk.DeskServices, ids: dict[str, Any]
) -> None:
    desk.post(as_role("Compliance"), "/backoffice/trades/21/act/clear")
    (command,) = services.engine.commands
    assert command["decision"] == "allow"
    assert (command["maker_fee"], command["taker_fee"]) == (250_000, 500_000)


def test_a_held_trade_is_refused_with_a_reason(
    as_role: AsRole, services: desk.DeskServices, ids: dict[str, Any]
) -> None:
    client = as_role("Compliance")
    desk.post(client, "/backoffice/trades/21/act/refuse", reason="Source of funds unclear.")
    (command,) = services.engine.commands
    assert (command["decision"], command["reason"]) == ("deny", "Source of funds unclear.")


def test_what_is_not_held_can_not_be_cleared(
    as_role: AsRole, services: desk.DeskServices, ids: dict[str, Any]
) -> None:
    answer = desk.post(as_role("Compliance"), "/backoffice/trades/22/act/clear")
    assert answer.status_code == 409
    assert "not held" in answer.text
    assert services.engine.commands == []


def test_a_dispute_is_split_in_writing(
    as_role: AsRole, services: desk.DeskServices, ids: dict[str, Any]
) -> None:
    form = {"outcome": "split", "to_buyer": "125.5", "decision": "Half of it arrived."}
    answer = desk.post(as_role("Arbiter"), "/backoffice/disputes/23/act/decide", **form)
    assert answer.status_code == 302
    (command,) = services.engine.commands
    assert (command["outcome"], command["to_buyer"]) == ("split", 125_500_000)
    assert command["reason"] == "Half of it arrived."


WRONG_DECISIONS = [
    ({"decision": ""}, "Written reason is missing."),
    ({"outcome": "nobody"}, "no such choice"),
    ({"to_buyer": "-1"}, "more than nothing"),
    ({"to_buyer": "9999"}, "less than all"),
    ({"to_buyer": "1e3"}, "plain decimal"),
    ({"to_buyer": "1" * 400}, "plain decimal"),
    ({"decision": "x" * 5_001}, "longer than 5000"),
]


def test_a_wrong_decision_is_refused_and_kept_in_the_form(
    as_role: AsRole, services: desk.DeskServices, ids: dict[str, Any]
) -> None:
    client = as_role("Arbiter")
    for changed, problem in WRONG_DECISIONS:
        form = {"outcome": "split", "to_buyer": "125.5", "decision": "A long text."} | changed
        answer = desk.post(client, "/backoffice/disputes/23/act/decide", **form)
        assert answer.status_code == 422, changed
        assert problem in answer.text
        assert form["decision"] in answer.text
    assert services.engine.commands == []


def test_an_order_is_cancelled_with_a_reason(
    as_role: AsRole, services: desk.DeskServices, ids: dict[str, Any]
) -> None:
    desk.post(as_role("Operator"), "/backoffice/orders/11/act/cancel", reason="Asked by phone.")
    (command,) = services.engine.commands
    assert (command["kind"], command["order_id"]) == ("cancel_order", 11)
    assert "Asked by phone." in command["reason"]


def test_a_fee_is_saved_for_one_market_as_its_next_version(
    as_role: AsRole, services: desk.DeskServices, ids: dict[str, Any]
) -> None:
    client = as_role("Operator")
    form = {"provider": "maker_taker", "scope": "USDT-EUR", "version": "0", "min_fee": "0"}
    answer = desk.post(client, "/backoffice/fees/save", **form, maker_bps="15", taker_bps="30")
    assert answer.status_code == 302
    assert "next trade uses it" in client.get(answer.headers["Location"]).text
    assert services.plugins.get_settings("maker_taker", "USDT-EUR").maker_bps == 15
    assert services.plugins.get_settings("maker_taker").maker_bps == 10


def test_two_people_can_not_undo_each_other(
    as_role: AsRole, services: desk.DeskServices, ids: dict[str, Any]
) -> None:
    client = as_role("Operator")
    form = {"provider": "maker_taker", "scope": "", "version": "0", "min_fee": "0"}
    desk.post(client, "/backoffice/fees/save", **form, maker_bps="15", taker_bps="30")
    late = desk.post(client, "/backoffice/fees/save", **form, maker_bps="99", taker_bps="99")
    assert late.status_code == 409
    assert "you edited version 0" in late.text
    assert 'value="99"' in late.text
    assert services.plugins.get_settings("maker_taker").maker_bps == 15


def test_a_rate_that_can_not_be_is_refused(
    as_role: AsRole, services: desk.DeskServices, ids: dict[str, Any]
) -> None:
    client = as_role("Operator")
    form = {"provider": "maker_taker", "scope": "", "version": "0", "min_fee": "0"}
    for rate in ("ten", "-1", "1001", "9" * 40, ""):
        answer = desk.post(client, "/backoffice/fees/save", **form, maker_bps=rate, taker_bps="1")
        assert answer.status_code == 422, rate
        assert "maker_bps" in answer.text
    for scope in ("nowhere", "../..", "x" * 500):
        wrong = form | {"scope": scope, "maker_bps": "1", "taker_bps": "1"}
        assert desk.post(client, "/backoffice/fees/save", **wrong).status_code == 422, scope
    with services.database.reader() as session:
        assert session.scalars(select(PluginSetting)).all() == []


def test_a_plugin_is_switched_off_and_on(
    as_role: AsRole, services: desk.DeskServices, ids: dict[str, Any]
) -> None:
    client = as_role("Admin")
    client.get("/backoffice/plugins/")
    for name, enabled in (("disable", False), ("enable", True)):
        desk.post(client, f"/backoffice/plugins/act/{name}/sepa")
        with services.database.reader() as session:
            assert session.get_one(PluginSwitch, "sepa").enabled is enabled


def test_a_market_is_halted_and_opened(
    as_role: AsRole, services: desk.DeskServices, ids: dict[str, Any]
) -> None:
    client = as_role("Operator")
    for name, status in (("halt", "halted"), ("auction", "auction"), ("open", "open")):
        answer = desk.post(client, f"/backoffice/markets/USDT-EUR/act/{name}")
        assert answer.status_code == 302, answer.text
        with services.database.reader() as session:
            assert session.get_one(Market, "USDT-EUR").status == status
    assert [one["kind"] for one in services.engine.commands] == ["define_market"] * 3


MARKET = {
    "lot": "0.01",
    "min_trade": "20",
    "max_trade": "1000",
    "payment_seconds": "1800",
    "release_seconds": "3600",
    "protection_bps": "500",
    "max_fee_bps": "100",
    "band_bps": "1000",
    "min_rest_ms": "500",
    "max_open_orders": "20",
    "fee_model": "maker_taker",
    "methods": "sepa",
    "sources": "[]",
}


def test_terms_of_a_market_are_changed_by_the_version_one_saw(
    as_role: AsRole, services: desk.DeskServices, ids: dict[str, Any]
) -> None:
    client = as_role("Operator")
    url = "/backoffice/markets/USDT-EUR/act/change"
    assert desk.post(client, url, **MARKET, version="1").status_code == 302
    late = desk.post(client, url, **(MARKET | {"min_trade": "30"}), version="1")
    assert late.status_code == 409
    with services.database.reader() as session:
        market = session.get_one(Market, "USDT-EUR")
        assert market.min_trade == 20 * scenes.USDT
        assert (market.band_bps, market.min_rest_ms, market.max_open_orders) == (1000, 500, 20)
    assert services.engine.commands[-1]["band_bps"] == 1000
    assert "10%" in client.get("/backoffice/markets/USDT-EUR").text


WRONG_TERMS = [
    ("lot", "0"),
    ("lot", "-1"),
    ("min_trade", "0.015"),
    ("max_trade", "1"),
    ("max_trade", "9" * 30),
    ("payment_seconds", "1.5"),
    ("payment_seconds", "5"),
    ("sources", "[{"),
    ("fee_model", "no_such_model"),
    ("band_bps", "-1"),
    ("band_bps", "10000"),
    ("min_rest_ms", "60001"),
    ("max_open_orders", "many"),
    ("methods", "ledger"),
]


def test_terms_that_can_not_be_are_refused(
    as_role: AsRole, services: desk.DeskServices, ids: dict[str, Any]
) -> None:
    client = as_role("Operator")
    for field, value in WRONG_TERMS:
        form = MARKET | {field: value, "version": "1"}
        answer = desk.post(client, "/backoffice/markets/USDT-EUR/act/change", **form)
        assert answer.status_code == 422, (field, value)
    assert services.engine.commands == []
    with services.database.reader() as session:
        assert session.get_one(Market, "USDT-EUR").version == 1


def test_a_market_is_made(
    as_role: AsRole, services: desk.DeskServices, ids: dict[str, Any]
) -> None:
    form = MARKET | {"id": "BTC-USDT", "base": "BTC", "quote": "USDT", "escrow": "ledger"}
    form |= {"price_places": "2", "lot": "0.001", "min_trade": "0.01", "max_trade": "10"}
    form |= {"settlement": "instant", "methods": "ledger"}
    answer = desk.post(as_role("Operator"), "/backoffice/markets/act/new", **form)
    assert answer.status_code == 302, answer.text
    with services.database.reader() as session:
        market = session.get_one(Market, "BTC-USDT")
        assert (market.lot, market.settlement, market.methods) == (100_000, "instant", ["ledger"])


def test_money_in_banks_does_not_settle_at_once(
    as_role: AsRole, services: desk.DeskServices, ids: dict[str, Any]
) -> None:
    form = MARKET | {"id": "BTC-EUR2", "base": "BTC", "quote": "EUR", "escrow": "ledger"}
    form |= {"price_places": "2", "lot": "0.001", "min_trade": "0.01", "max_trade": "10"}
    form |= {"settlement": "instant", "methods": "ledger"}
    answer = desk.post(as_role("Operator"), "/backoffice/markets/act/new", **form)
    assert answer.status_code == 422
    assert "EUR is not kept in the ledger" in answer.text


def test_an_engine_that_does_not_answer_is_told_and_nothing_changes(
    as_role: AsRole,
    services: desk.DeskServices,
    ids: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def silent(command: dict[str, object]) -> dict[str, object]:
        raise Unavailable("The engine does not answer.")

    monkeypatch.setattr(services.engine, "submit", silent)
    answer = desk.post(as_role("Operator"), "/backoffice/markets/USDT-EUR/act/halt")
    assert answer.status_code == 503
    assert "The engine does not answer." in answer.text
    with services.database.reader() as session:
        assert session.get_one(Market, "USDT-EUR").status == "open"


def test_a_file_that_is_no_statement_is_refused(
    as_role: AsRole, services: desk.DeskServices, ids: dict[str, Any]
) -> None:
    client = as_role("Operator")
    url = "/backoffice/bank-statements/act/import_statement"
    empty = desk.post(client, url, method="sepa", statement=(io.BytesIO(b""), "empty.xml"))
    assert empty.status_code == 422
    wrong = desk.post(client, url, method="sepa", statement=(io.BytesIO(b"<x/>"), "x.xml"))
    assert wrong.status_code == 422
    assert "Nothing was changed" in wrong.text


def test_the_log_is_verified(as_role: AsRole, ids: dict[str, Any]) -> None:
    client = as_role("Auditor")
    answer = desk.post(client, "/backoffice/audit/act/verify")
    # The rows of this test are made up: its ledger does not add up, and that is found.
    assert answer.status_code == 409
    assert "differences" in answer.text


def test_roles_are_given_by_somebody_else_and_end_the_session(
    as_role: AsRole, services: desk.DeskServices, ids: dict[str, Any]
) -> None:
    support, admin = as_role("Support"), as_role("Admin")
    url = f"/backoffice/staff/{ids['support']}/act/set_roles"
    desk.post(admin, url, roles=["Support", "Arbiter"], reason="Covers for a colleague.")
    assert support.get("/backoffice/trades/").status_code == 302
    with services.database.reader() as session:
        names = {role.name for role in session.get_one(User, ids["support"]).roles}
        assert names == {"Support", "Arbiter"}
        kinds = session.scalars(select(AuditEvent.kind)).all()
        assert "staff.roles_set" in kinds


def test_nobody_changes_their_own_account(
    as_role: AsRole, services: desk.DeskServices, ids: dict[str, Any]
) -> None:
    with services.database.reader() as session:
        own = session.scalars(select(User.id).where(User.email == "admin@demo.test")).one()
    answer = desk.post(
        as_role("Admin"), f"/backoffice/staff/{own}/act/set_roles", roles=["Arbiter"], reason="x"
    )
    assert answer.status_code == 403


def test_a_payout_stop_is_lifted_with_a_reason(
    as_role: AsRole, services: desk.DeskServices, ids: dict[str, Any]
) -> None:
    client = as_role("Compliance")
    assert "payout stops" in client.get("/backoffice/").text
    url = f"/backoffice/payout-stops/{ids['stop']}/act/lift"
    assert desk.post(client, url, reason=" ").status_code == 422
    assert desk.post(client, url, reason="Paid back by hand, ticket 7.").status_code == 302
    with services.database.reader() as session:
        stop = session.scalars(select(PayoutStop).where(PayoutStop.id == ids["stop"])).one()
        assert stop.lifted_at is not None
        assert (stop.lifted_by or "").startswith("user:")
        assert stop.note == "Paid back by hand, ticket 7."
        told = session.scalars(
            select(AuditEvent).where(AuditEvent.kind == "escrow.payouts_resumed")
        ).one()
        assert told.data["note"] == "Paid back by hand, ticket 7."
    assert "payout stops" not in client.get("/backoffice/").text
