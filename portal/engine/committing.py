"""Committing sealed batches over one connection, with all that makes a commit count."""

from dataclasses import dataclass

from portal.engine import ids, partitions, store
from portal.engine.connection import Connection
from portal.engine.quorum import require_replicated, require_unchanged
from portal.engine.store import Fenced, SealedBatch
from portal.engine.writing import BatchWriter


@dataclass(frozen=True)
class Reliance:
    """What commits rely on: so many standbys, under these `synchronous_standby_names`.

    `names` None: on none.
    """

    required: int = 0
    names: str | None = None


class Committer:
    """Commits the batches of a shard, in order, over a connection that is its own."""

    def __init__(self, connection: Connection, shard: str, reliance: Reliance) -> None:
        store.tune(connection)
        self._connection = connection
        self._reliance = reliance
        self._batches = BatchWriter(connection, shard, reliance.names)
        self._day = -1

    def commit(self, batch: SealedBatch) -> None:
        """Write a sealed batch. Raises Fenced, NotDurable, NotReplicated, psycopg.Error."""
        self._make_partitions(batch)
        try:
            self._batches.write(batch)
        except Fenced:
            if self._reliance.names is not None:
                require_unchanged(self._connection, self._reliance.required, self._reliance.names)
            raise
        require_replicated(self._connection)

    def _make_partitions(self, batch: SealedBatch) -> None:
        day = ids.day_of(batch.at_ms)
        if day != self._day:
            partitions.ensure(self._connection, batch.head.number, day, day + 1)
            self._day = day
