"""The local development chain (anvil): its command line and its files."""

import json
import shutil
from itertools import chain
from pathlib import Path

from portal.core.errors import Unavailable
from portal.core.settings import DEV_CHAIN_ID

PACKAGES = Path("contracts/node_modules")


def anvil_binary() -> Path:
    """The anvil that `npm ci` installed in contracts/; Unavailable when it did not."""
    native = sorted(PACKAGES.glob("@foundry-rs/anvil-*/bin/anvil"))
    for path in chain(native, [PACKAGES / ".bin" / "anvil"]):
        if path.exists():
            return path.absolute()
    raise Unavailable(
        "The local chain (anvil) is not installed.",
        hint="Run `make setup` in the repository, or set CHAIN_RPC_URLS to a running chain.",
    )


def anvil_command(directory: Path, port: int) -> tuple[str, ...]:
    """The command line of a chain whose state lives in `directory`."""
    return (
        str(anvil_binary()), "--host", "127.0.0.1", "--port", str(port),
        "--chain-id", str(DEV_CHAIN_ID), "--state", str(directory / "state.json"),
        "--state-interval", "1", "--cache-path", str(directory / "cache"), "--silent",
    )  # fmt: skip


def prepare_state(directory: Path) -> str | None:
    """Keep a copy of the state, or go back to the copy when a crash damaged it.

    Returns a sentence to show when something had to be mended.
    """
    directory.mkdir(parents=True, exist_ok=True)
    state, copy = directory / "state.json", directory / "state.previous.json"
    if not state.exists():
        return None
    if _is_json(state):
        shutil.copyfile(state, copy)
        return None
    state.replace(directory / "state.damaged.json")
    if copy.exists() and _is_json(copy):
        shutil.copyfile(copy, state)
        return "The chain's state file was damaged; went on from the copy of the last start."
    return "The chain's state file was damaged and there is no copy; the chain starts empty."


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_bytes())
    except ValueError:
        return False
    return True
