"""Real entry points and real pluggy; the plugins are modules written into a directory."""

import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from portal.plugin_api import FeeModel
from portal.plugin_host.loading import GROUP, LoadedPlugin, load_registry
from tests.unit.plugins.facts import trade

GOOD = """
from portal.plugin_api import FeeModel, Fees, Money, hookimpl
PORTAL_API = "1.0"
class Free(FeeModel):
    slug = "{slug}"
    label = "Free"
    def quote(self, facts, settings):
        zero = Money(facts.quantity.asset, 0)
        return Fees(zero, zero, "Free.")
@hookimpl
def register_fee_model():
    return Free()
"""

Write = Callable[..., EntryPoint]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Writes a module and gives the entry point that names it."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)

    def _write(name: str, source: str, module: str | None = None) -> EntryPoint:
        module = module or f"written_{name}"
        (tmp_path / f"{module}.py").write_text(source)
        return EntryPoint(name, module, GROUP)

    yield _write
    for name in set(sys.modules) - before:
        if name.startswith("written_"):
            del sys.modules[name]


def loaded(*entries: EntryPoint, allowed: list[str] | None = None) -> dict[str, LoadedPlugin]:
    names = [entry.name for entry in entries] if allowed is None else allowed
    return {plugin.name: plugin for plugin in load_registry(names, entries).plugins}


def test_the_bundled_plugins_load_from_the_installed_entry_points() -> None:
    registry = load_registry(["sepa", "maker_taker", "regional_rules"])
    bundled = {p.name: p for p in registry.plugins}
    for name in ("sepa", "maker_taker", "regional_rules"):
        assert bundled[name].reason is None
        assert bundled[name].distribution == "otc-portal"
        assert registry.providers[name].slug == name
        assert registry.plugin_of(name) == name


def test_a_plugin_that_is_not_listed_is_never_imported(write: Write) -> None:
    entry = write("evil", "raise AssertionError('imported')")
    assert loaded(entry, allowed=[])["evil"].reason == "not listed in PLUGINS_ALLOWED"
    assert "written_evil" not in sys.modules


def test_a_listed_plugin_that_is_not_installed_says_so() -> None:
    assert "no installed package" in str(loaded(allowed=["gone"])["gone"].reason)


BROKEN = [
    ("raise ImportError('libfoo is missing')", "ImportError: libfoo is missing"),
    ("import sys; sys.exit('bye')", "SystemExit: bye"),
    ("this is no python", "SyntaxError"),
    ("1 / 0", "ZeroDivisionError"),
    (GOOD.replace('PORTAL_API = "1.0"', ""), "does not say PORTAL_API"),
    (GOOD.replace('"1.0"', '"2.0"'), "for plugin API 2.0"),
    (GOOD.replace('"1.0"', '"1.9"'), "for plugin API 1.9"),
    (GOOD.replace('"1.0"', "1.0"), "does not say PORTAL_API"),
    (GOOD.replace("def register_fee_model", "def register_fees"), "unknown hook"),
    (GOOD.replace("register_fee_model()", "register_fee_model(extra)"), "extra"),
    (GOOD.replace("return Free()", "return 7"), "must give a FeeModel, not int"),
    (GOOD.replace("return Free()", "raise RuntimeError('no')"), "RuntimeError: no"),
    (GOOD.replace("return Free()", "raise SystemExit(3)"), "SystemExit: 3"),
    (GOOD.replace("return Free()", "return [Free(), Free()]"), "registers a slug twice"),
    (GOOD.replace("@hookimpl", ""), "registers nothing"),
    (GOOD.replace('"{slug}"', '"Not A Slug"'), "is no slug"),
    (GOOD.replace('label = "Free"', 'label = " "'), "has no label"),
    (GOOD.replace("    def quote", "    def other"), "abstract"),
    (GOOD.replace('label = "Free"', 'label = "F"; settings_model = dict'), "ProviderSettings"),
]


@pytest.mark.parametrize(("source", "reason"), BROKEN)
def test_a_broken_plugin_is_refused_alone(write: Write, source: str, reason: str) -> None:
    before = write("before", GOOD.format(slug="before"))
    broken = write("broken", source.replace("{slug}", "broken"))
    after = write("after", GOOD.format(slug="after"))
    plugins = loaded(before, broken, after)
    assert reason in str(plugins["broken"].reason)
    assert plugins["broken"].providers == ()
    for name in ("before", "after"):
        assert plugins[name].reason is None
        assert [provider.slug for provider in plugins[name].providers] == [name]


def test_secret_settings_are_refused_rather_than_stored_in_clear(write: Write) -> None:
    source = GOOD.format(slug="secret").replace(
        'label = "Free"', 'label = "Free"; settings_model = Keys'
    )
    declared = (
        "from pydantic import SecretStr\nfrom portal.plugin_api import ProviderSettings\n"
        "class Keys(ProviderSettings):\n    key: SecretStr = SecretStr('')\n"
    )
    assert "secret settings" in str(loaded(write("secret", declared + source))["secret"].reason)


def test_settings_without_defaults_are_refused(write: Write) -> None:
    source = GOOD.format(slug="bare").replace('"Free"', '"Free"; settings_model = Bare', 1)
    declared = (
        "from portal.plugin_api import ProviderSettings\n"
        "class Bare(ProviderSettings):\n    rate: int\n"
    )
    assert "rate" in str(loaded(write("bare", declared + source))["bare"].reason)


def test_a_slug_that_is_taken_is_refused_to_the_later_plugin(write: Write) -> None:
    plugins = loaded(write("one", GOOD.format(slug="same")), write("two", GOOD.format(slug="same")))
    assert plugins["one"].reason is None
    assert "slug same already" in str(plugins["two"].reason)


def test_the_example_of_the_docs_loads(write: Write) -> None:
    docs = (Path(__file__).parents[3] / "docs" / "plugins.md").read_text()
    example = docs.split("```python\n")[1].split("```")[0]
    plugin = loaded(write("acme_fees", example))["acme_fees"]
    assert plugin.reason is None
    (model,) = plugin.providers
    assert isinstance(model, FeeModel)
    fees = model.quote(trade(), model.default_settings())
    assert (fees.maker.text(), fees.taker.text()) == ("0.000000", "1.000000")


def test_two_packages_with_one_name_are_both_refused(write: Write) -> None:
    one = write("same", GOOD.format(slug="one"), module="written_one")
    two = write("same", GOOD.format(slug="two"), module="written_two")
    assert "more than one package" in str(loaded(one, two, allowed=["same"])["same"].reason)
    assert "written_one" not in sys.modules
