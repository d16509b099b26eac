"""The checkpoint that is made every minute by itself."""

from portal.audit.checkpoints import checkpoint
from portal.core.jobs import JobContext


def make_checkpoint(context: JobContext) -> str:
    """Take in what happened since the last one."""
    newest = checkpoint(context.settings, context.database)
    return f"{newest.size} events" if newest else "no events yet"
