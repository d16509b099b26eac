"""The gateway role: granian's HTTP server in front of the RSGI application."""

import structlog
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import Server

from portal.core.settings import Settings

HEADER_MILLISECONDS = 30_000
CONNECTIONS = 4_096
_log = structlog.get_logger(__name__)


def main(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; requests under way are finished first."""
    _log.info("gateway", address=settings.gateway_host, port=settings.gateway_port)
    Server(
        "portal.gateway.app:create_gateway",
        factory=True,
        address=settings.gateway_host,
        port=settings.gateway_port,
        interface=Interfaces.RSGI,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_MILLISECONDS),
        backlog=CONNECTIONS,
        # Orders are counted, not connections; slow senders must not use up the requests of others.
        backpressure=4 * CONNECTIONS,
        websockets=False,
        workers_kill_timeout=3,
        log_level=LogLevels.error,
    ).serve()
