"""Coins that move between a vault and the escrow outside the portal's trades.

The contract is open to everybody: a trader may open a trade of their own making and settle it
with an accomplice. For the ledger such coins have left the vault, or come into it, like any
others; only what belongs to a trade of the portal is booked with that trade.
"""

from collections import defaultdict
from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.escrow.chain.blocks import ChainLog
from portal.escrow.contract import event_topic
from portal.escrow.models import EscrowRecord

_CREDIT = event_topic("CreditWithdrawn")
# Events that say which trade the coins after them belong to.
_NAMING = frozenset(
    event_topic(name)
    for name in ("Opened", "Settled", "Skipped", "Cancelled", "Expired", "CreditWithdrawn")
)


class TradeMoves:
    """Tells which transfers in and out of the escrow belong to the portal's trades.

    Args:
        events: the escrow's logs of the transactions that may be asked about.
    """

    def __init__(self, session: Session, events: Iterable[ChainLog]) -> None:
        self._events: dict[str, list[ChainLog]] = defaultdict(list)
        for event in events:
            if event.topics[0] in _NAMING:
                self._events[event.tx_hash].append(event)
        named = {event.topics[1] for events in self._events.values() for event in events}
        query = select(EscrowRecord.escrow_id).where(EscrowRecord.escrow_id.in_(named))
        self._ours = set(session.scalars(query))

    def ours(self, transfer: ChainLog) -> bool:
        """Whether a trade of the portal moved these coins.

        The contract names a trade before it moves coins and lets nothing come in between, so
        the last event before the transfer governs it. A batch names all its trades in a row
        before it pays them jointly: then one of ours among them is enough, so that no payout
        is ever booked twice. A credit is paid out just before its event; only a payout that a
        token refused makes one.
        """
        events = self._events.get(transfer.tx_hash, [])
        place = transfer.log_index
        if any(_is_credit(event) and event.log_index == place + 1 for event in events):
            return True
        before = [e for e in events if e.log_index < place and not _is_credit(e)]
        return any(event.topics[1] in self._ours for event in _last_run(before))


def _last_run(events: list[ChainLog]) -> list[ChainLog]:
    """The last event and those that stand right before it in a row."""
    run: list[ChainLog] = []
    for event in sorted(events, key=lambda one: one.log_index, reverse=True):
        if run and event.log_index != run[-1].log_index - 1:
            break
        run.append(event)
    return run


def _is_credit(event: ChainLog) -> bool:
    return event.topics[0] == _CREDIT
