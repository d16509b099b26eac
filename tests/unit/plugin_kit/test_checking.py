"""The report about an installed plugin."""

import pytest
from click.testing import CliRunner

from portal.cli import main


@pytest.mark.parametrize("name", ["sepa", "maker_taker", "regional_rules"])
def test_a_plugin_in_order(name: str) -> None:
    said = CliRunner().invoke(main, ["plugins", "check", name])
    assert said.exit_code == 0, said.output
    assert "In order." in said.output
    assert "passed" in said.output


def test_one_that_is_not_installed() -> None:
    said = CliRunner().invoke(main, ["plugins", "check", "acme_none"])
    assert said.exit_code == 1
    assert "No installed package has a plugin named acme_none" in said.output
