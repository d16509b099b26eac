"""Every page of the navigation has an icon."""

import re
from pathlib import Path

import portal.backoffice
from portal.backoffice.roles import PAGES

ICONS = Path(portal.backoffice.__file__).parent / "static" / "icons.svg"


def test_every_page_of_the_navigation_has_its_icon() -> None:
    drawn = set(re.findall(r'<symbol id="([a-z-]+)"', ICONS.read_text()))
    named = {page.label.lower().replace(" ", "-") for page in PAGES if page.label}
    assert named - drawn == set()
