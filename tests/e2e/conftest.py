"""A portal and a browser for the end-to-end tests."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.e2e.portal import Portal

ARTEFACTS = Path(os.environ.get("TEST_ARTEFACTS", "test-artefacts")) / "e2e"
_QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """One portal for the tests of a module."""
    portal = Portal(tmp_path_factory.mktemp("var"))
    yield portal
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    code = portal.stop()
    (ARTEFACTS / "portal.log").write_text(portal.log())
    assert code == 0


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """A real Chromium; its event loop must be gone before another module starts one."""
    expect.set_options(timeout=20_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_QUIET)
        yield browser
        browser.close()
