"""Telling whoever shows it live that something of a person's changed which the engine knows not."""

from collections.abc import Iterable

import orjson
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.engine.store import CHANNEL


def tell(session: Session, people: Iterable[tuple[int, str, int]]) -> None:
    """Say, once this transaction is committed, what of whom to look at again.

    `people`: (user, "trade" or "order", its id), as in the engine's own notices.
    """
    text = orjson.dumps({"markets": [], "people": sorted(people)}).decode()
    session.execute(select(func.pg_notify(CHANNEL, text)))
