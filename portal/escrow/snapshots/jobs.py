"""The snapshot that is made every day by itself."""

from portal.core.clock import utc_now
from portal.core.jobs import JobContext
from portal.escrow.deployment import find_deployment
from portal.escrow.snapshots.snapshot import create, directory, prune


def take_chain_snapshot(context: JobContext) -> str:
    """One a UTC day: made by the first run of the day that can. Those of long ago are deleted."""
    with context.database.reader() as session:
        if find_deployment(session) is None:
            return "no contracts in use"
    today = utc_now().date().isoformat()
    made = sorted(directory(context.settings).glob(f"chain-{today}-*.json"))
    if made:
        return f"{made[-1].name} was made before"
    made_now = create(context.settings, context.database).name
    gone = prune(context.settings)
    return f"{made_now} made" + (f", {len(gone)} of long ago deleted" if gone else "")
