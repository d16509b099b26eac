"""Logging of a process: one line an event on standard error, with the level first."""

import logging
import sys

import structlog

QUIET = ("apscheduler", "urllib3", "web3", "websockets", "ccxt", "flask_appbuilder", "alembic")


def configure_logging(level: int = logging.INFO) -> None:
    """Send standard logging and structlog to standard error. Libraries speak from WARNING on."""
    logging.basicConfig(
        level=level, stream=sys.stderr, format="%(levelname)-7s %(name)s: %(message)s", force=True
    )
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_logger_name,
            structlog.processors.format_exc_info,
            structlog.stdlib.render_to_log_kwargs,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
