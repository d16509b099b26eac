"""Settings, switches and guards with a real database."""

from typing import Any

import pytest
from sqlalchemy import select

from portal.audit.models import AuditEvent
from portal.core.db import Database
from portal.core.errors import Conflict, InvalidInput, NotFound, Unavailable
from portal.core.settings import Settings
from portal.plugin_api import Asset, Decision, Fees, Money, Verdict
from portal.plugin_host.cli import list_plugins
from portal.plugin_host.host import PluginHost
from portal.plugin_host.models import PluginSetting
from tests.integration.plugins.providers import Answering, Charging, host_of
from tests.unit.plugins.facts import USDT, order, party, trade

pytestmark = pytest.mark.postgres
RATES = {"maker_bps": 5, "taker_bps": 50, "min_fee": "0"}


@pytest.fixture
def host(settings: Settings, database: Database) -> PluginHost:
    """The bundled plugins."""
    return PluginHost(settings, database)


def save(host: PluginHost, database: Database, data: dict[str, Any], **where: Any) -> int:
    with database.transaction() as session:
        return host.save_settings(
            session,
            where.pop("slug", "maker_taker"),
            where.pop("scope", ""),
            data,
            version=where.pop("version", 0),
            actor="user:1",
        )


def test_a_saved_rate_counts_for_the_next_quote_in_every_process(
    host: PluginHost, settings: Settings, database: Database
) -> None:
    other_process = PluginHost(settings, database)
    assert other_process.quote_fees(trade(), "maker_taker").taker.text() == "0.200000"
    assert save(host, database, RATES) == 1
    assert other_process.quote_fees(trade(), "maker_taker").taker.text() == "0.500000"


def test_a_market_may_have_rates_of_its_own(host: PluginHost, database: Database) -> None:
    save(host, database, RATES)
    save(host, database, RATES | {"taker_bps": 0}, scope="BTC-EUR")
    assert host.get_settings("maker_taker", "BTC-EUR").taker_bps == 0
    assert host.get_settings("maker_taker", "USDT-EUR").taker_bps == 50
    stored = host.stored_settings("maker_taker", "USDT-EUR")
    assert (stored.scope, stored.version) == ("", 1)


def test_two_editors_at_once_do_not_overwrite_each_other(
    host: PluginHost, database: Database
) -> None:
    save(host, database, RATES)
    with pytest.raises(Conflict, match=r"at version 1 by now \(saved by user:1\).*version 0"):
        save(host, database, RATES | {"taker_bps": 1})
    assert save(host, database, RATES | {"taker_bps": 2}, version=1) == 2
    with database.reader() as session:
        rows = session.scalars(select(PluginSetting).order_by(PluginSetting.version)).all()
    assert [(row.version, row.data["taker_bps"]) for row in rows] == [(1, 50), (2, 2)]


def test_a_save_leaves_before_and_after_in_the_audit_log(
    host: PluginHost, database: Database
) -> None:
    save(host, database, RATES)
    save(host, database, RATES | {"taker_bps": 2}, version=1)
    with database.reader() as session:
        event = session.scalars(
            select(AuditEvent).where(AuditEvent.kind == "plugin.settings_saved")
        ).all()[-1]
    assert (event.actor, event.subject) == ("user:1", "plugin:maker_taker")
    assert (event.data["before"]["taker_bps"], event.data["after"]["taker_bps"]) == (50, 2)


@pytest.mark.parametrize(
    ("data", "where", "field"),
    [
        ({"taker_bps": -1}, {}, "taker_bps"),
        ({"taker_bps": "many"}, {}, "taker_bps"),
        ({"min_fee": "1e5"}, {}, "min_fee"),
        ({"rate": 1}, {}, "rate"),
        (RATES, {"scope": "everywhere"}, "scope"),
        ({"blocked": [{"country": "x"}]}, {"slug": "regional_rules"}, "blocked.0"),
    ],
)
def test_wrong_settings_are_refused_by_field_and_nothing_is_stored(
    host: PluginHost, database: Database, data: Any, where: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        save(host, database, data, **where)
    assert str(caught.value.field).startswith(field)
    with database.reader() as session:
        assert session.scalars(select(PluginSetting)).all() == []


def test_an_unknown_provider_is_named(host: PluginHost, database: Database) -> None:
    with pytest.raises(NotFound, match="pigeon"):
        save(host, database, {}, slug="pigeon")
    with pytest.raises(NotFound, match="no payment gateway"):
        host.gateway("maker_taker")
    with pytest.raises(NotFound, match="no fee model"):
        host.fee_model("sepa")


def test_stored_settings_that_no_longer_fit_stop_the_fee_and_hold_the_trade(
    host: PluginHost, database: Database
) -> None:
    with database.transaction() as session:
        for slug in ("maker_taker", "regional_rules"):
            row = PluginSetting(slug=slug, scope="", version=1, data={"old": 1}, changed_by="x")
            session.add(row)
    with pytest.raises(Unavailable, match="do not fit"):
        host.quote_fees(trade(), "maker_taker")
    assert host.check_trade(trade()).verdict is Verdict.HOLD


def test_switching_a_gateway_off_hides_it_for_new_trades_only(
    host: PluginHost, settings: Settings, database: Database
) -> None:
    assert [gateway.slug for gateway in host.gateways()] == ["sepa"]
    with database.transaction() as session:
        host.set_enabled(session, "sepa", False, actor="user:1")
    other_process = PluginHost(settings, database)
    assert other_process.gateways() == []
    assert not other_process.is_enabled("sepa")
    assert other_process.gateway("sepa").slug == "sepa"
    with database.transaction() as session:
        host.set_enabled(session, "sepa", True, actor="user:1")
    assert other_process.is_enabled("sepa")


def test_a_fee_model_that_is_off_gives_no_fee(host: PluginHost, database: Database) -> None:
    with database.transaction() as session:
        host.set_enabled(session, "maker_taker", False, actor="user:1")
    with pytest.raises(Unavailable, match="switched off"):
        host.quote_fees(trade(), "maker_taker")


ZERO = Money(USDT, 0)
BAD_FEES = [
    RuntimeError("no"),
    SystemExit(1),
    None,
    7,
    Fees(Money(USDT, -1), ZERO, "x"),
    Fees(ZERO, Money(USDT, 100_000_001), "x"),
    Fees(Money(Asset("BTC", 8), 1), ZERO, "x"),
    Fees(Money(USDT, 0.5), ZERO, "x"),  # type: ignore[arg-type]
    Fees(Money(USDT, True), ZERO, "x"),
]


@pytest.mark.parametrize("answer", BAD_FEES, ids=repr)
def test_a_fee_that_makes_no_sense_is_no_fee(
    settings: Settings, database: Database, answer: Any
) -> None:
    host = host_of(settings, database, Charging(answer))
    with pytest.raises(Unavailable, match="could not be computed"):
        host.quote_fees(trade(), "charging")


@pytest.mark.parametrize(
    "answer", [RuntimeError("no"), SystemExit(1), None, True, "allow", Verdict.ALLOW], ids=repr
)
def test_silence_of_compliance_is_a_hold(
    settings: Settings, database: Database, answer: Any
) -> None:
    host = host_of(
        settings, database, Answering("bad", answer), Answering("good", Decision.allow())
    )
    for decision in (host.check_trade(trade()), host.check_order(order())):
        assert decision.verdict is Verdict.HOLD
        assert "Test rules" in decision.reason


def test_the_strictest_rule_wins(settings: Settings, database: Database) -> None:
    host = host_of(
        settings,
        database,
        Answering("a", Decision.hold("wait")),
        Answering("b", Decision.deny("no")),
        Answering("c", RuntimeError()),
    )
    assert host.check_trade(trade()) == Decision.deny("no")


def test_no_rules_at_all_is_a_hold(settings: Settings, database: Database) -> None:
    assert host_of(settings, database).check_trade(trade()).verdict is Verdict.HOLD


def test_rules_that_are_switched_on_but_gone_hold_until_switched_off(
    settings: Settings, database: Database
) -> None:
    good, lost = Answering("good", Decision.allow()), Answering("lost", Decision.allow())
    both = host_of(settings, database, good, lost)
    assert both.check_trade(trade()).verdict is Verdict.ALLOW
    without = host_of(settings, database, good)
    decision = without.check_trade(trade())
    assert decision.verdict is Verdict.HOLD
    assert "'lost'" in decision.reason
    with database.transaction() as session:
        both.set_enabled(session, "lost", False, actor="user:1")
    assert without.check_trade(trade()).verdict is Verdict.ALLOW


def test_a_region_may_have_rules_of_its_own(host: PluginHost, database: Database) -> None:
    strict = host.get_settings("regional_rules").model_dump(mode="json")
    strict["identity"]["min_tier"] = 3
    save(host, database, strict, slug="regional_rules", scope="FR")
    assert host.check_trade(trade()).verdict is Verdict.ALLOW
    french = trade(seller=party(country="FR"))
    assert host.check_trade(french) == Decision.deny("Trading needs identity tier 3.")


def test_the_list_names_every_plugin_and_why_one_is_not_used(
    settings: Settings, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    assert list_plugins(settings) == 0
    said = capsys.readouterr().out
    assert "sepa (otc-portal" in said
    assert "payment_gateway sepa: SEPA bank transfer [on]" in said
    some = settings.model_copy(update={"plugins_allowed": "sepa,gone"})
    assert list_plugins(some) == 1
    said = capsys.readouterr().out
    assert "gone (not installed) refused: listed in PLUGINS_ALLOWED" in said
    assert "maker_taker (otc-portal" in said
    assert "refused: not listed in PLUGINS_ALLOWED" in said


def test_a_composed_model_leaves_sides_to_models_with_their_own_settings(
    settings: Settings, database: Database
) -> None:
    allowed = settings.model_copy(update={"plugins_allowed": "maker_taker,composed,flat"})
    host = PluginHost(allowed, database)
    rows = {"rows": [{"countries": ["FR"], "model": "maker_taker"}]}
    save(host, database, rows, slug="composed")
    save(host, database, RATES)
    fees = host.quote_fees(trade(buyer=party(country="FR")), "composed")
    assert (fees.maker.text(), fees.taker.text()) == ("0.100000", "0.500000")
    with database.transaction() as session:
        host.set_enabled(session, "maker_taker", False, actor="user:1")
    with pytest.raises(Unavailable, match="Maker-taker is switched off"):
        host.quote_fees(trade(buyer=party(country="FR")), "composed")
