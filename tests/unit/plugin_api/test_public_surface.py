import ast
from pathlib import Path

import pytest

import portal.plugin_api as api
from portal.plugin_api import (
    AccountField,
    Asset,
    Decision,
    InvalidInput,
    Money,
    Outcome,
    StatementLine,
    Verdict,
    hookspecs,
)

ROOT = Path(__file__).parents[3]


def imports(folder: str) -> set[tuple[str, str]]:
    """(file, imported module) of everything from the portal or the plugins."""
    found = set()
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                continue
            found |= {(str(path.relative_to(ROOT)), n) for n in names if n.startswith("p")}
    return {(file, name) for file, name in found if name.split(".")[0] in ("portal", "plugins")}


def test_the_public_package_stands_on_money_and_errors_only() -> None:
    allowed = ("portal.plugin_api", "portal.core.money", "portal.core.errors")
    assert not [hit for hit in imports("portal/plugin_api") if not hit[1].startswith(allowed)]


def test_plugins_import_the_public_package_and_themselves_only() -> None:
    for file, name in imports("plugins"):
        own = ".".join(Path(file).parts[:3])
        assert name == "portal.plugin_api" or name.startswith(own), (file, name)


def test_every_public_name_is_there() -> None:
    assert not [name for name in api.__all__ if not hasattr(api, name)]


def test_every_hook_is_described_and_in_the_docs() -> None:
    docs = (ROOT / "docs" / "plugins.md").read_text()
    hooks = [name for name in dir(hookspecs) if name.startswith("register_")]
    assert len(hooks) == 3
    for name in hooks:
        assert getattr(hookspecs, name).__doc__
        assert name in docs


@pytest.mark.parametrize("verdict", [Verdict.DENY, Verdict.HOLD])
def test_a_refusal_without_a_reason_can_not_be_made(verdict: Verdict) -> None:
    with pytest.raises(ValueError, match="needs a reason"):
        Decision(verdict, "  ")


def test_a_field_that_does_not_fit_its_pattern_is_named() -> None:
    from tests.unit.plugin_host.gateways import PlainGateway

    gateway = PlainGateway()
    assert gateway.account_fields() == (AccountField("number", "Number", r"\d{4}", "1234"),)
    assert gateway.check_account({"number": " 1234 "}, None) == {"number": "1234"}
    for wrong in ({"number": "12345"}, {"number": ""}, {}, {"number": "1234", "iban": "x"}):
        with pytest.raises(InvalidInput) as caught:
            gateway.check_account(wrong, None)
        assert caught.value.field == ("iban" if "iban" in wrong else "number")


def test_money_that_came_back_is_canceled_even_when_booked_as_a_credit() -> None:
    line = StatementLine(
        entry_ref="1",
        account="A",
        amount=Money(Asset("EUR", 2), 1),
        direction="credit",
        booking_date=None,
        status="booked",
        reversal=True,
        payer_name="",
        payer_account="",
        references=(),
        text="",
        source_line=1,
    )
    assert line.outcome is Outcome.CANCELED
