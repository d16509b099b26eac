"""`portal plugins check`: is an installed plugin in order? A report for the operator to keep."""

import importlib.util
import io
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from portal.core.errors import NotFound
from portal.plugin_api import ComplianceRules, FeeModel, PaymentGateway, Provider
from portal.plugin_host.loading import LoadedPlugin, kind_of, load_registry
from portal.plugin_host.pins import FilesDiffer, files_hash

# What pytest collects; the plugin is loaded there as the portal loads it.
_MODULE = """\
from portal.plugin_kit.checking import suites

globals().update(suites({name!r}))
"""


@dataclass
class Report:
    """What was found; `problems` is empty for a plugin that is in order."""

    lines: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def check(name: str) -> Report:
    """Load a plugin by its entry point's name and run the suite of each of its providers.

    Only the examples of its own fields are known of a gateway's accounts, and no statement: its
    own tests show more. Raises NotFound when nothing of that name is installed.
    """
    plugin = _load(name)
    report = Report()
    report.lines += _identity(plugin)
    if plugin.reason is not None:
        report.problems.append(f"it is refused: {plugin.reason}")
        return report
    for provider in plugin.providers:
        report.lines += _provider(provider)
    if importlib.util.find_spec("pytest") is None:
        report.problems.append("the cases were not run: install pytest beside the portal")
        return report
    for case, outcome in _run(name):
        report.lines.append(f"  {outcome:8} {case}")
        if outcome == "failed":
            report.problems.append(f"{case} failed")
    return report


def suites(name: str) -> dict[str, type]:
    """A conformance suite for each provider of a plugin, by the name that pytest shows."""
    from portal import testing

    bases: dict[type[Provider], type] = {
        PaymentGateway: testing.GatewayConformance,
        FeeModel: testing.FeeModelConformance,
        ComplianceRules: testing.ComplianceConformance,
    }
    found: dict[str, type] = {}
    for provider in _load(name).providers:
        base = next(suite for kind, suite in bases.items() if isinstance(provider, kind))
        found[f"Test_{provider.slug}"] = type(
            f"Test_{provider.slug}", (base,), {"provider": provider}
        )
    return found


def _load(name: str) -> LoadedPlugin:
    registry = load_registry([name])
    plugin = next(one for one in registry.plugins if one.name == name)
    if plugin.reason and "no installed package" in plugin.reason:
        raise NotFound(
            f"No installed package has a plugin named {name}.",
            field="name",
            value=name,
            hint="Install its wheel first; the name is that of its entry point.",
        )
    return plugin


def _identity(plugin: LoadedPlugin) -> list[str]:
    lines = [f"{plugin.name}: {plugin.distribution} {plugin.version}".rstrip()]
    try:
        pin = f"sha256:{files_hash(distribution(plugin.distribution or 'none'))}"
    except (PackageNotFoundError, FilesDiffer) as problem:
        return [*lines, f"  files    not to be pinned: {problem}"]
    return [*lines, f"  files    as installed; PLUGINS_ALLOWED may say {plugin.name}@{pin}"]


def _provider(provider: Provider) -> list[str]:
    fields = provider.settings_schema().get("properties", {})
    shown = ", ".join(f"{name} ({what.get('title', '')})" for name, what in fields.items())
    return [
        f"  {kind_of(provider)} {provider.slug}: {provider.label}",
        f"  settings {shown or 'none'}",
    ]


def _run(name: str) -> Iterator[tuple[str, str]]:
    import pytest

    seen: list[tuple[str, str]] = []

    class Listener:
        """Notes how each case ended."""

        def pytest_runtest_logreport(self, report: Any) -> None:
            """A case's own run, or a set-up that skipped or failed."""
            if report.when == "call" or report.outcome != "passed":
                seen.append((report.nodeid.partition("::")[2], report.outcome))

    with tempfile.TemporaryDirectory() as folder:
        module = Path(folder) / f"test_{name}.py"
        module.write_text(_MODULE.format(name=name))
        alone = ["-p", "no:cacheprovider", f"--rootdir={folder}", "-c", "/dev/null"]
        with redirect_stdout(io.StringIO()):
            pytest.main([*alone, str(module)], [Listener()])
    if not seen:
        yield "collection", "failed"
    yield from seen
