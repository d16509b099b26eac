"""The comparison of ledger and chain that runs by itself."""

import time
from collections import defaultdict
from collections.abc import Sequence
from hashlib import sha256

from sqlalchemy.orm import Session

from portal.core.clock import now_ms
from portal.core.jobs import JobContext
from portal.escrow.deployment import find_deployment
from portal.escrow.payouts.stops import DIFFERENCE, cause_is_gone, stop_payouts
from portal.escrow.reconcile import Difference, token_differences

# Between a transfer's booking and the note how far was read, the two rightly differ for a moment.
LOOKS = 3
PAUSE_SECONDS = 2.0
# Trades that ended longer ago were compared while they ended; `portal audit verify` takes all.
ENDED_LATELY_MS = 3_600_000
_SHOWN = 20

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
                _stop(session, asset, found[asset])
            else:
                cause_is_gone(session, f"{DIFFERENCE}:{asset}")
    if not found:
        return f"{len(deployment.tokens)} tokens match"
    return f"ledger and chain differ about {', '.join(sorted(found))}"


def _stop(session: Session, asset: str, differences: Sequence[Difference]) -> None:
    stop_payouts(
        session,
        cause=f"{DIFFERENCE}:{asset}",
        asset=asset,
        reason=_reason(differences),
        fingerprint=_fingerprint(differences),
    )


def _reason(differences: Sequence[Difference]) -> str:
    lines = [difference.text for difference in differences[:_SHOWN]]
    more = len(differences) - len(lines)
    return "\n".join(lines + ([f"and {more} more"] if more else []))


def _fingerprint(differences: Sequence[Difference]) -> str:
    """Of where and by how much they differ: the sums themselves move with every trade."""
    places = sorted(f"{difference.place}:{difference.units}" for difference in differences)
    return sha256("\n".join(places).encode()).hexdigest()


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
