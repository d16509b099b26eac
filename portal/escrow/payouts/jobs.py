"""The comparison of ledger and chain that runs by itself."""

import time
from collections import defaultdict

from portal.core.clock import now_ms
from portal.core.jobs import JobContext
from portal.escrow.deployment import find_deployment
from portal.escrow.payouts.stops import resume, stop
from portal.escrow.reconcile import Difference, token_differences

# Between a transfer's booking and the note how far was read, the two rightly differ for a moment.
LOOKS = 3
PAUSE_SECONDS = 2.0
# Trades that ended longer ago were compared while they ended; `portal audit verify` takes all.
ENDED_LATELY_MS = 3_600_000

Found = dict[str, list[Difference]]


def reconcile_payouts(context: JobContext) -> str:
    """Compare every token; stop payouts of those that differ, resume those that match.

    Raises Unavailable when the chain can't be asked: then nothing is stopped or resumed.
    """
    with context.database.reader() as session:
        deployment = find_deployment(session)
    if deployment is None:
        return "no contracts in use"
    found = _lasting(context)
    with context.database.transaction() as session:
        for asset in deployment.tokens:
            if asset in found:
                stop(session, asset, found[asset])
            else:
                resume(session, asset)
    if not found:
        return f"{len(deployment.tokens)} tokens match"
    return f"ledger and chain differ about {', '.join(sorted(found))}"


def _lasting(context: JobContext) -> Found:
    """Differences by asset that are there at every one of a few looks."""
    found = _look(context)
    for _ in range(LOOKS - 1):
        if not found:
            break
        time.sleep(PAUSE_SECONDS)
        again = _look(context)
        found = {asset: again[asset] for asset in found if asset in again}
    return found


def _look(context: JobContext) -> Found:
    by_asset: Found = defaultdict(list)
    with context.database.reader() as session:
        # One moment of the ledger: its rows are read by several queries.
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        since = now_ms() - ENDED_LATELY_MS
        for difference in token_differences(context.settings, session, since):
            by_asset[difference.asset].append(difference)
    return dict(by_asset)
