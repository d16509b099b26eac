"""The chain as it was read, block by block, so that what the chain takes back is noticed.

Blocks are kept with their hash and their parent's, with the logs of the contracts we watch. When
the chain has another block where we have one, everything above the last common block is dropped,
whoever acted on it is told in the same transaction, and the chain's own blocks are read instead.
What lies below the finalized height is only read once.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import structlog
from eth_utils.conversions import to_hex
from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from web3.types import LogReceipt

from portal.audit.service import record
from portal.core.db import Database
from portal.core.errors import Conflict, Unavailable
from portal.escrow.chain.blocks import ChainBlock, ChainLog
from portal.escrow.chain.client import ChainClient
from portal.escrow.chain.endpoint import Block
from portal.escrow.models import ChainCursor

log = structlog.get_logger(__name__)

FINALIZED = "finalized"
# Blocks that are read one by one in a run; the next run goes on.
BLOCKS_PER_RUN = 500
# How many final blocks are kept, to tell a late node from another chain.
ANCHORS = 256
# The logs of one run of blocks: from where, up to where.
ReadLogs = Callable[[int, int], Iterable[LogReceipt]]


@dataclass(frozen=True)
class Rollback:
    """Blocks above `ancestor` were taken back: how many we had read, and what logs they held."""

    ancestor: int
    blocks: int
    logs: Sequence[ChainLog]


# Told of a rollback in the transaction that drops the blocks.
OnRollback = Callable[[Session, Rollback], None]


class FinalityBroken(Conflict):
    """The chain took back a block that was final: not the chain we know. Needs a person."""


class Journal:
    """Follows the chain from a block on.

    Args:
        first: where reading begins, the block of the contracts.
        read_logs: the logs we watch in a run of blocks.
        on_rollback: undoes what was built on blocks that are gone.
    """

    def __init__(
        self,
        database: Database,
        client: ChainClient,
        first: int,
        read_logs: ReadLogs,
        on_rollback: OnRollback,
    ) -> None:
        self._database = database
        self._client = client
        self._first = first
        self._read_logs = read_logs
        self._on_rollback = on_rollback

    def follow(self) -> int:
        """Bring the journal up to the chain; returns the number of its last block.

        Raises Unavailable when the chain does not answer or moves while it is read (the next run
        begins anew), FinalityBroken when it takes back what was final.
        """
        with self._database.reader() as session:
            tip, final = tip_of(session), finalized_height(session)
        head = self._client.head()
        ancestor = self._ancestor(tip, head)
        if tip is not None and ancestor < final:
            self._broken(ancestor, final)
        if tip is not None and head.number <= ancestor == tip.number:
            return tip.number
        final = self._final(final, head.number)
        blocks = self._new_blocks(ancestor, head, final)
        found = list(self._read_logs(ancestor + 1, blocks[-1].number)) if blocks else []
        self._check(blocks, found)
        return self._store(tip, ancestor, blocks, found, final)

    def _ancestor(self, tip: ChainBlock | None, head: Block) -> int:
        """The last of our blocks that the chain has too."""
        if tip is None:
            return self._first - 1
        if tip.number > head.number and self._stored_hash(head.number) in (None, head.hash):
            return tip.number  # The nodes are late, not elsewhere.
        for number, known in self._stored(min(tip.number, head.number)):
            there = head if number == head.number else self._client.block(number)
            if there.hash == known:
                return number
        return self._first - 1

    def _stored(self, highest: int) -> Iterator[tuple[int, str]]:
        with self._database.reader() as session:
            query = select(ChainBlock.number, ChainBlock.hash).where(ChainBlock.number <= highest)
            rows = session.execute(query.order_by(ChainBlock.number.desc())).all()
        return ((number, known) for number, known in rows)

    def _stored_hash(self, number: int) -> str | None:
        with self._database.reader() as session:
            found = session.get(ChainBlock, number)
        return None if found is None else found.hash

    def _final(self, known: int, highest: int) -> int:
        """The finalized height never falls, and never lies above what was read."""
        found = self._client.finalized()
        return known if found is None else max(known, min(found.number, highest))

    def _new_blocks(self, ancestor: int, head: Block, final: int) -> list[Block]:
        """The blocks after the ancestor: of those that are final only the last, as an anchor."""
        blocks = [self._client.block(final)] if final > ancestor else []
        parent = blocks[-1].hash if blocks else self._stored_hash(ancestor)
        start = max(ancestor, final) + 1
        end = min(head.number, start + BLOCKS_PER_RUN - 1)
        for number in range(start, end + 1):
            block = head if number == head.number else self._client.block(number)
            if parent not in (None, block.parent_hash):
                raise _moved()
            blocks.append(block)
            parent = block.hash
        return blocks

    def _check(self, blocks: list[Block], found: list[LogReceipt]) -> None:
        """Blocks and logs were asked for one after the other: they must be of one chain."""
        hashes = {block.number: block.hash for block in blocks}
        for entry in found:
            if hashes.get(entry["blockNumber"], to_hex(entry["blockHash"])) != to_hex(
                entry["blockHash"]
            ):
                raise _moved()
        if blocks and self._client.block(blocks[-1].number).hash != blocks[-1].hash:
            raise _moved()

    def _store(
        self,
        tip: ChainBlock | None,
        ancestor: int,
        blocks: list[Block],
        found: list[LogReceipt],
        final: int,
    ) -> int:
        with self._database.transaction() as session:
            session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('journal', 0))"))
            now = tip_of(session)
            if (now and (now.number, now.hash)) != (tip and (tip.number, tip.hash)):
                raise Unavailable("Another process is reading the chain; this run was not needed.")
            if tip is not None and ancestor < tip.number:
                self._roll_back(session, tip, ancestor)
            session.add_all(
                ChainBlock(
                    number=block.number,
                    hash=block.hash,
                    parent_hash=block.parent_hash,
                    timestamp=block.timestamp,
                )
                for block in blocks
            )
            store_logs(session, found)
            _keep_finalized(session, final)
        return blocks[-1].number if blocks else ancestor

    def _roll_back(self, session: Session, tip: ChainBlock, ancestor: int) -> None:
        gone = session.scalars(select(ChainLog).where(ChainLog.block_number > ancestor)).all()
        session.expunge_all()  # They outlive their rows.
        told = Rollback(ancestor, tip.number - ancestor, gone)
        session.execute(delete(ChainLog).where(ChainLog.block_number > ancestor))
        session.execute(delete(ChainBlock).where(ChainBlock.number > ancestor))
        data = {"ancestor": ancestor, "blocks": told.blocks, "logs": len(gone)}
        log.warning("chain.rolled_back", **data)
        record(session, "system", "chain.rolled_back", f"block:{ancestor}", data)
        self._on_rollback(session, told)

    def _broken(self, ancestor: int, final: int) -> None:
        log.error("chain.finality_broken", ancestor=ancestor, finalized=final)
        raise FinalityBroken(
            f"The nodes have other blocks than we know from {ancestor + 1} on, but {final} was "
            "final.",
            field="CHAIN_RPC_URLS",
            hint="Nothing is booked until CHAIN_RPC_URLS names nodes of the chain we know.",
        )


def tip_of(session: Session) -> ChainBlock | None:
    """The last block that was read; None before the first."""
    newest = session.scalar(select(func.max(ChainBlock.number)))
    return None if newest is None else session.get(ChainBlock, newest)


def finalized_height(session: Session) -> int:
    """The highest block that was seen as final; -1 before any was."""
    cursor = session.get(ChainCursor, FINALIZED)
    return -1 if cursor is None else cursor.block_number


def store_logs(session: Session, found: Iterable[LogReceipt]) -> None:
    """Keep logs; one that is there already stays as it is."""
    rows = {(int(e["blockNumber"]), int(e["logIndex"])): _row(e) for e in found}
    for values in rows.values():
        session.execute(insert(ChainLog).values(values).on_conflict_do_nothing())


def _row(entry: LogReceipt) -> dict[str, object]:
    return {
        "block_number": int(entry["blockNumber"]),
        "log_index": int(entry["logIndex"]),
        "block_hash": to_hex(entry["blockHash"]),
        "tx_hash": to_hex(entry["transactionHash"]),
        "address": entry["address"].lower(),
        "topics": [to_hex(topic) for topic in entry["topics"]],
        "data": to_hex(entry["data"]),
    }


def _keep_finalized(session: Session, final: int) -> None:
    if final < 0:
        return
    statement = insert(ChainCursor).values(name=FINALIZED, block_number=final)
    session.execute(
        statement.on_conflict_do_update(index_elements=["name"], set_={"block_number": final})
    )
    session.execute(delete(ChainBlock).where(ChainBlock.number < final - ANCHORS))


def _moved() -> Unavailable:
    return Unavailable("The chain moved while it was read; the next run reads it again.")
