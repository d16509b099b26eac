"""Runs the intents once and kills itself `before` or `after` the first transaction leaves."""

import os
import signal
import sys

from portal.core.db import Database
from portal.core.jobs import JobContext
from portal.core.settings import Settings
from portal.engine.client import EngineClient
from portal.escrow.chain.client import ChainClient
from portal.escrow.service import run_intents


class DyingClient(ChainClient):
    """Broadcasts, or not, and dies."""

    def broadcast(self, raw: str) -> None:
        if sys.argv[1] == "after":
            super().broadcast(raw)
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    settings = Settings(_env_file=None)
    database = Database(settings.required_database_url)
    run_intents(
        JobContext(settings, database, EngineClient(settings), None), DyingClient(settings.rpc_urls)
    )
