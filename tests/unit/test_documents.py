"""Documents that repeat what the code says must say the same."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from portal.cli import main
from portal.core.settings import Settings
from portal.core.settings_table import markdown, rows

ROOT = Path(__file__).parents[2]


def test_the_configuration_page_holds_the_table_of_settings() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text()
    assert markdown() in page, "Paste the output of `portal settings` into docs/configuration.md."


def test_every_setting_has_a_description() -> None:
    assert [name for name, _, _, meaning in rows() if meaning in ("", "None")] == []
    assert len(rows()) == len(Settings.model_fields)


def test_every_requirement_has_a_reason() -> None:
    page = (ROOT / "docs" / "dependencies.md").read_text().lower()
    required = re.findall(
        r"^    ([A-Za-z][\w.-]*)(?:\[[^\]]+\])?(?:[><=]|$)", _requirements(), re.M
    )
    assert len(required) > 40
    assert [name for name in required if f"`{name.lower()}`" not in page] == []


def _requirements() -> str:
    text = (ROOT / "setup.cfg").read_text()
    installed = text.split("install_requires =")[1].split("[options.packages.find]")[0]
    extras = text.split("[options.extras_require]")[1].split("[options.entry_points]")[0]
    return installed + extras


@pytest.mark.parametrize("document", ["README.md", *sorted(p.name for p in ROOT.glob("docs/*.md"))])
def test_links_between_documents_lead_somewhere(document: str) -> None:
    path = ROOT / document if document == "README.md" else ROOT / "docs" / document
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", path.read_text())
    pictures = {link for link in links if link.endswith(".png")}
    assert [
        link for link in links if link not in pictures and not (path.parent / link).exists()
    ] == []


def test_the_command_lists_its_parts() -> None:
    said = CliRunner().invoke(main, ["--help"]).output
    for name in ("run", "web", "engine", "scheduler", "stream", "gateway", "db", "audit", "doctor"):
        assert f"\n  {name}" in said
