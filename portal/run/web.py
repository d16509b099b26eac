"""The web role: the Flask application behind granian's HTTP server."""

import logging

from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server import Server

from portal.core.settings import Settings

# Requests that wait for a free thread; more than that are told to come back.
WAITING = 1024


def main(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; requests under way are finished first.

    When the worker can not start, the role ends, and whoever supervises it sees so.
    """
    logging.getLogger(__name__).info("web on %s:%s", settings.bind_host, settings.web_port)
    Server(
        "portal.app:create_app",
        factory=True,
        address=settings.bind_host,
        port=settings.web_port,
        interface=Interfaces.WSGI,
        blocking_threads=settings.web_threads,
        backlog=WAITING,
        websockets=False,
        workers_kill_timeout=3,
        log_level=LogLevels.error,
    ).serve()
