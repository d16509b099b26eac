"""What transactions brought about on chain, looked at again when the chain takes blocks back.

The engine is told of an effect once it counts. Is it gone before that, its transaction is sent
again and the engine hears nothing; is it gone although the engine was told, the same is done with
an alarm.
"""

from collections.abc import Sequence

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from portal.core.clock import utc_now
from portal.core.db import Database
from portal.escrow.chain.blocks import ChainLog
from portal.escrow.chain.intents import CONFIRMED, DONE
from portal.escrow.chain.rechecks import put_back
from portal.escrow.models import ChainIntent, EscrowRecord


def doubt(session: Session, gone: Sequence[ChainLog]) -> None:
    """Logs are gone: what the engine was told of their trades has to be seen again.

    An intent that is told of anew answers with the key it had, so the engine counts it once.
    """
    topics = {entry.topics[1] for entry in gone if len(entry.topics) > 1}
    trades = select(EscrowRecord.trade_id).where(EscrowRecord.escrow_id.in_(topics))
    ended = ChainIntent.status.in_((CONFIRMED, DONE))
    session.execute(
        update(ChainIntent)
        .where(ChainIntent.trade_id.in_(trades), ended)
        .values(reported_at=None, alarm=True, error=_GONE, updated_at=utc_now())
    )


def send_again(database: Database, intent_id: int) -> None:
    """The chain shows nothing of what an ended intent brought about: it is put back."""
    with database.transaction() as session:
        intent = session.get(ChainIntent, intent_id, with_for_update=True)
        if intent is not None and intent.status in (CONFIRMED, DONE):
            put_back(session, intent)


_GONE = "The chain took back the block of this transaction; it is sent again."
