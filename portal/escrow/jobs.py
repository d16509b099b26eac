"""The escrow's scheduled work."""

from functools import cache

from portal.core.jobs import JobContext
from portal.escrow.chain.client import ChainClient
from portal.escrow.chain.deposits import scan_vaults
from portal.escrow.service import process_events, report_outcomes, run_intents, sweep_trades


@cache
def chain_client(urls: tuple[str, ...]) -> ChainClient:
    """One client a process and set of endpoints."""
    return ChainClient(urls)


def run_escrow_events(context: JobContext) -> str:
    """Lock, pay out and refund as the engine's events ask."""
    return f"{process_events(context)} events read"


def sweep_escrows(context: JobContext) -> str:
    """Look again at trades whose escrow should have opened or paid out."""
    return f"{sweep_trades(context)} trades wait for their escrow"


def track_intents(context: JobContext) -> str:
    """Send and follow chain transactions, then tell the engine how they ended."""
    client = _client(context)
    under_way = run_intents(context, client)
    return f"{under_way} transactions under way, {report_outcomes(context, client)} ended"


def scan_deposits(context: JobContext) -> str:
    """Book coins that came into vaults or left them."""
    return f"{scan_vaults(context, _client(context))} transfers booked"


def _client(context: JobContext) -> ChainClient:
    return chain_client(tuple(context.settings.rpc_urls))
