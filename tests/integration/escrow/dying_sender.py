"""Runs the intents once and kills itself, without a last word, at the step it is told."""

import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

from portal.core.db import Database
from portal.core.jobs import JobContext
from portal.core.settings import Settings
from portal.engine.client import EngineClient
from portal.escrow.chain import attempts, client, rechecks, runner, signing, tracking
from portal.escrow.chain.client import ChainClient
from portal.escrow.chain.relayer import Relayer
from portal.escrow.service import run_intents

BEFORE, AFTER, BETWEEN = "before", "after", "between"
# From nothing done to confirmed: whose call is cut short, and on which side of it.
STEPS: dict[str, tuple[Any, str, str]] = {
    "nothing done": (signing, "estimate_gas", BEFORE),
    "chain asked": (signing, "nonce_of", AFTER),
    "nonce reserved, not committed": (attempts, "reserve", AFTER),
    "nonce reserved": (attempts, "signed", BEFORE),
    "signed, not stored": (attempts, "signed", AFTER),
    "stored, not committed": (attempts, "store_signed", AFTER),
    "stored": (ChainClient, "broadcast", BEFORE),
    "sent to the first endpoint": (client, "_send", BETWEEN),
    "sent": (ChainClient, "broadcast", AFTER),
    "noted as sent, not committed": (attempts, "note_offered", AFTER),
    "mined, not looked for": (tracking, "follow", BEFORE),
    "mined, seen": (tracking, "_weigh", BEFORE),
    "noted as mined, not committed": (attempts, "note_receipt", AFTER),
    "ended, not committed": (Relayer, "end", AFTER),
    "confirmed": (runner.IntentRunner, "_alarm_overdue", BEFORE),
}
# Those that a replacement goes through, and the last one of all.
REPLACING = {
    "to be replaced": (tracking, "replace", BEFORE),
    "market asked": (signing, "raised_fees", AFTER),
    **{name: STEPS[name] for name in list(STEPS)[2:10]},
}
FINAL = {"seen to be final": (rechecks, "_still_there", BEFORE)}
_lock = threading.Lock()
_calls = 0


def die() -> None:
    """What the kernel does when memory is short."""
    os.kill(os.getpid(), signal.SIGKILL)


def cut_short(call: Callable[..., Any], side: str) -> Callable[..., Any]:
    """`call`, with death before it, after it, or between its first and its second time."""

    def dying(*values: Any, **named: Any) -> Any:
        global _calls
        with _lock:
            if side == BEFORE or (side == BETWEEN and _calls == 1):
                die()
            result = call(*values, **named)
            _calls += 1
            if side == AFTER:
                die()
        return result

    return dying


if __name__ == "__main__":
    owner, name, side = {**STEPS, **REPLACING, **FINAL}[sys.argv[1]]
    setattr(owner, name, cut_short(getattr(owner, name), side))
    settings = Settings(_env_file=None)
    database = Database(settings.required_database_url)
    context = JobContext(settings, database, EngineClient(settings), None)
    run_intents(context, ChainClient(settings.rpc_urls))
