"""What the engine is told of an order's owner, for the other side's conditions."""

from datetime import UTC
from typing import Any

from sqlalchemy.orm import Session

from portal.core.errors import NotFound
from portal.users.models import User
from portal.users.queries import ended_trades

_WHOLE_BPS = 10_000


def facts_of(session: Session, user_id: int) -> dict[str, Any]:
    """The `facts` of a command: tier, completed trades, completion rate in basis points
    (0 before the first trade), account since, region (ISO 3166 alpha-2, "" unknown).

    Raises NotFound.
    """
    user = session.get(User, user_id)
    if user is None:
        raise NotFound("There is no such person.", field="user_id", value=user_id)
    completed, total = ended_trades(session, {user_id}).get(user_id, (0, 0))
    # Flask-AppBuilder writes naive times; as everywhere they are taken to be UTC.
    since = user.created_on.replace(tzinfo=UTC) if user.created_on else None
    return {
        "tier": max(0, int(user.kyc_tier or 0)),
        "trades": completed,
        "completion_bps": completed * _WHOLE_BPS // total if total else 0,
        "since_ms": int(since.timestamp() * 1000) if since else 0,
        "region": (user.country or "").upper(),
    }
