"""Where the browser tests find their Chromium."""

import os
import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome")
HOW_TO_GET_ONE = (
    "The browser tests need Chromium, and none was found. On Debian: apt-get install chromium. "
    "Elsewhere: install Chromium or Chrome and set CHROMIUM_PATH to its program."
)


def chromium_path() -> str:
    """The program to run. Raises FileNotFoundError saying how to get one."""
    named = os.environ.get("CHROMIUM_PATH")
    if named:
        if os.access(named, os.X_OK):
            return named
        raise FileNotFoundError(f"CHROMIUM_PATH names {named}, which can't be run.")
    for name in NAMES:
        if found := shutil.which(name):
            return found
    raise FileNotFoundError(HOW_TO_GET_ONE)
