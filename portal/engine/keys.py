"""Whether a command's key was used lately, for services that check before they submit."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.core.clock import now_ms
from portal.engine import ids
from portal.engine.models import CommandKey, Shard


def is_used(session: Session, key: str) -> bool:
    """Whether a command with this key went in today or yesterday: then this is a retry."""
    today = ids.day_of(now_ms())
    found = select(CommandKey.seq).where(
        CommandKey.shard.in_(select(Shard.name)),
        CommandKey.day.in_((today - 1, today)),
        CommandKey.key == key,
    )
    return session.scalar(found.limit(1)) is not None
