"""The table of roles says what it should, on its own."""

from portal.backoffice.roles import (
    ADMIN,
    ARBITER,
    AUDITOR,
    COMPLIANCE,
    OPERATOR,
    PAGES,
    ROLES,
    STAFF_ROLES,
    SUPPORT,
    TRADER,
    all_grants,
    grants_of,
)


def _acts(role: str) -> set[tuple[str, str]]:
    reading = {"can_list", "can_show", "can_index", "menu_access"}
    return {grant for grant in grants_of(role) if grant[0] not in reading}


def test_traders_have_nothing_at_the_desk() -> None:
    assert grants_of(TRADER) == frozenset()


def test_only_arbiters_decide_disputes() -> None:
    deciders = [role for role in ROLES if ("can_decide", "DisputeView") in grants_of(role)]
    assert deciders == [ARBITER]
    assert _acts(ARBITER) == {("can_decide", "DisputeView"), ("can_evidence", "TradeView")}


def test_only_compliance_judges_people_and_held_trades() -> None:
    for act in (("can_set_tier", "PersonView"), ("can_clear", "TradeView")):
        assert [role for role in ROLES if act in grants_of(role)] == [COMPLIANCE]


def test_only_admins_give_roles_and_switch_plugins() -> None:
    for act in (("can_set_roles", "StaffView"), ("can_disable", "PluginView")):
        assert [role for role in ROLES if act in grants_of(role)] == [ADMIN]


def test_support_changes_nothing_and_auditors_only_verify() -> None:
    assert _acts(SUPPORT) == set()
    assert _acts(AUDITOR) == {
        ("can_verify", "AuditEventView"),
        ("can_checkpoint", "AuditEventView"),
        ("can_evidence", "TradeView"),
    }


def test_operators_import_statements_and_set_fees() -> None:
    assert ("can_import_statement", "StatementLineView") in grants_of(OPERATOR)
    assert ("can_save", "FeeView") in grants_of(OPERATOR)


def test_whoever_may_act_also_sees_the_page() -> None:
    for page in PAGES:
        for act, roles in page.acts.items():
            assert roles <= page.sees, f"{page.view}.{act}"


def test_every_grant_belongs_to_somebody() -> None:
    assert all_grants() == frozenset().union(*(grants_of(role) for role in STAFF_ROLES))
