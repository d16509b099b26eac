"""The escrow's scheduled work."""

from portal.core.jobs import JobContext
from portal.escrow.chain.client import ChainClient, chain_client
from portal.escrow.chain.deposits import scan_vaults
from portal.escrow.chain.watch import note_endpoints
from portal.escrow.service import process_events, report_outcomes, run_intents, sweep_trades


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


def watch_endpoints(context: JobContext) -> str:
    """See how the RPC endpoints are, and write it down for the back office."""
    client = _client(context)
    well = note_endpoints(context.database, client)
    return f"{well} of {len(client.urls)} endpoints are well"


def _client(context: JobContext) -> ChainClient:
    return chain_client(context.settings)
