"""Coins that move between a vault and the escrow outside the portal's trades.

The contract is open to everybody: a trader may open a trade of their own making and settle it
with an accomplice. For the ledger such coins have left the vault, or come into it, like any
others; only what belongs to a trade of the portal is booked with that trade.
"""

from collections import defaultdict

from eth_utils.conversions import to_hex
from sqlalchemy import select
from sqlalchemy.orm import Session
from web3.types import LogReceipt

from portal.escrow.contract import EscrowContract, event_topic
from portal.escrow.models import EscrowRecord

_CREDIT = event_topic("CreditWithdrawn")


class TradeMoves:
    """Tells which transfers in and out of the escrow belong to the portal's trades."""

    def __init__(self, session: Session, escrow: EscrowContract, first: int, last: int) -> None:
        self._events: dict[str, list[LogReceipt]] = defaultdict(list)
        for event in escrow.moves(first, last):
            self._events[to_hex(event["transactionHash"])].append(event)
        named = {_trade_of(event) for events in self._events.values() for event in events}
        query = select(EscrowRecord.escrow_id).where(EscrowRecord.escrow_id.in_(named))
        self._ours = set(session.scalars(query))

    def ours(self, transfer: LogReceipt) -> bool:
        """Whether a trade of the portal moved these coins.

        The contract names a trade before it moves coins and lets nothing come in between, so
        the last event before the transfer governs it. A batch names all its trades in a row
        before it pays them jointly: then one of ours among them is enough, so that no payout
        is ever booked twice. A credit is paid out just before its event; only a payout that a
        token refused makes one.
        """
        events = self._events.get(to_hex(transfer["transactionHash"]), [])
        place = transfer["logIndex"]
        if any(_is_credit(event) and event["logIndex"] == place + 1 for event in events):
            return True
        before = [e for e in events if e["logIndex"] < place and not _is_credit(e)]
        return any(_trade_of(event) in self._ours for event in _last_run(before))


def _last_run(events: list[LogReceipt]) -> list[LogReceipt]:
    """The last event and those that stand right before it in a row."""
    run: list[LogReceipt] = []
    for event in sorted(events, key=lambda one: one["logIndex"], reverse=True):
        if run and event["logIndex"] != run[-1]["logIndex"] - 1:
            break
        run.append(event)
    return run


def _is_credit(event: LogReceipt) -> bool:
    return to_hex(event["topics"][0]) == _CREDIT


def _trade_of(event: LogReceipt) -> str:
    return to_hex(event["topics"][1])
