"""Which logs concern the vaults, and what the logs say moved."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import or_, select
from sqlalchemy.orm import Session
from web3.types import LogReceipt

from portal.core.units import MAX_UNITS
from portal.escrow.chain.blocks import ChainLog
from portal.escrow.chain.client import ChainClient
from portal.escrow.chain.movements import DEPOSIT, WITHDRAW, Seen
from portal.escrow.contract import event_topic
from portal.escrow.deployment import Deployment
from portal.escrow.foreign import TradeMoves
from portal.users.models import User

log = structlog.get_logger(__name__)

VAULTS_PER_QUERY = 200
_TRANSFER = event_topic("Transfer", "TestUSDT")


@dataclass(frozen=True)
class Vaults:
    """Every trader's vault, in lower case, and whose it is."""

    deployment: Deployment
    owners: dict[str, int]

    def logs(
        self, client: ChainClient, vaults: Sequence[str], first: int, last: int
    ) -> Iterator[LogReceipt]:
        """Transfers of our tokens into and out of these vaults."""
        for token in self.deployment.tokens.values():
            for start in range(0, len(vaults), VAULTS_PER_QUERY):
                some = [_topic(vault) for vault in vaults[start : start + VAULTS_PER_QUERY]]
                yield from client.logs(token, [_TRANSFER, None, some], first, last)
                yield from client.logs(token, [_TRANSFER, some], first, last)

    def all_logs(self, client: ChainClient, first: int, last: int) -> Iterator[LogReceipt]:
        """What the journal keeps: the escrow's own logs, and the transfers of every vault."""
        yield from client.logs(self.deployment.escrow, [], first, last)
        yield from self.logs(client, list(self.owners), first, last)

    def seen(self, session: Session, vaults: Iterable[str], first: int, last: int) -> list[Seen]:
        """What moved in these vaults, by the journal, in blocks first…last."""
        topics = [_topic(vault) for vault in vaults]
        if not topics or first > last:
            return []
        concerned = or_(ChainLog.topics[2].in_(topics), ChainLog.topics[3].in_(topics))
        within = ChainLog.block_number.between(first, last)
        query = select(ChainLog).where(self._of_a_token(), within, concerned)
        return self._read(session, query, set(topics))

    def seen_in(self, session: Session, transactions: Sequence[str]) -> list[Seen]:
        """What moved in any vault in these transactions."""
        query = select(ChainLog).where(self._of_a_token(), ChainLog.tx_hash.in_(transactions))
        return self._read(session, query, {_topic(vault) for vault in self.owners})

    def _of_a_token(self) -> Any:
        tokens = [token.lower() for token in self.deployment.tokens.values()]
        return ChainLog.address.in_(tokens)

    def _read(self, session: Session, query: Any, topics: set[str]) -> list[Seen]:
        order = (ChainLog.block_number, ChainLog.log_index)
        transfers = session.scalars(query.order_by(*order)).all()
        hashes = {transfer.tx_hash for transfer in transfers}
        escrow = ChainLog.address == self.deployment.escrow.lower()
        events = session.scalars(select(ChainLog).where(escrow, ChainLog.tx_hash.in_(hashes)))
        moves = TradeMoves(session, events)
        return [one for entry in transfers for one in self._movements(moves, entry, topics)]

    def _movements(self, moves: TradeMoves, entry: ChainLog, topics: set[str]) -> Iterator[Seen]:
        source, target = entry.topics[1], entry.topics[2]
        units = int(entry.data, 16) if entry.data != "0x" else 0
        if units == 0 or source == target:
            return
        if _topic(self.deployment.escrow.lower()) in (source, target) and moves.ours(entry):
            return
        if units > MAX_UNITS:
            log.error("escrow.vault_movement_uncountable", tx=entry.tx_hash)
            return
        asset = self._asset(entry.address)
        for kind, vault in ((DEPOSIT, target), (WITHDRAW, source)):
            if vault in topics:
                yield Seen(kind, self.owners[_address(vault)], asset, units, entry)

    def _asset(self, token: str) -> str:
        return next(
            asset for asset, address in self.deployment.tokens.items() if address.lower() == token
        )


def vault_owners(session: Session, deployment: Deployment) -> dict[str, int]:
    """Every trader's vault in lower case, and whose it is."""
    rows = session.execute(
        select(User.id, User.wallet_address).where(User.wallet_address.is_not(None))
    )
    return {deployment.vault(str(wallet)).lower(): int(user_id) for user_id, wallet in rows}


def _topic(address: str) -> str:
    return "0x" + address[2:].rjust(64, "0")


def _address(topic: str) -> str:
    return "0x" + topic[-40:]
