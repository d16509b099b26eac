"""A batch on its way to PostgreSQL: one transaction, and as few waits as the protocol allows.

The statements go out together; the COPYs and the COMMIT are one message of their own, whose data
follows as soon as the server asks for it. It is written with libpq's own calls: a thread that
gives up the interpreter waits for it again each time, and the engine is busy meanwhile.
"""

import re
import select
from collections.abc import Sequence
from itertools import count
from typing import Any

import psycopg
from psycopg import errors, pq

from portal.engine.store import LEASE_SECONDS, Connection, Copy, Fenced, SealedBatch, Statement

_GOOD = (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK)
_INSIDE = (pq.TransactionStatus.INTRANS, pq.TransactionStatus.INERROR)
_BEGIN: Statement = ("BEGIN", ())
_PLACE = re.compile("%[sb]")


class BatchWriter:
    """Writes sealed batches of a shard over one connection, which does nothing else meanwhile.

    `standbys`: the `synchronous_standby_names` that the batches rely on; None: on none.
    """

    def __init__(self, connection: Connection, shard: str, standbys: str | None = None) -> None:
        # psycopg would forget all prepared statements, ours too, whenever a partition is made.
        connection.prepare_threshold = None
        self._pg = connection.pgconn
        self._shard = shard
        self._standbys = standbys
        self._prepared: dict[str, bytes] = {}
        self._poll = select.poll()
        self._poll.register(self._pg.socket, select.POLLIN)

    def write(self, batch: SealedBatch) -> None:
        """Write a batch and all its effects in one transaction; it renews the lease, too.

        Raises Fenced when the head is not where this engine left it, or the standbys are not
        waited for; psycopg.Error when the database refuses. Then nothing of it is written,
        unless the connection broke while it was being committed.
        """
        statements = [_BEGIN, self._fence(batch), *batch.statements]
        names = [self._name(statement) for statement, _ in statements]
        try:
            self._run(names, [values for _, values in statements], batch)
            self._copy_and_commit(batch.copies)
        except (psycopg.DatabaseError, Fenced):
            if self._pg.transaction_status in _INSIDE:
                self._pg.exec_(b"ROLLBACK")
            raise

    def _fence(self, batch: SealedBatch) -> Statement:
        head, after = batch.head, batch.after
        values = (
            *(after.seq, after.journal_hash, after.next_id, LEASE_SECONDS),
            *(self._shard, head.epoch, head.seq),
        )
        if self._standbys is None:
            return _FENCE, values
        return _FENCE_WITH_STANDBYS, (*values, self._standbys)

    def _name(self, statement: str) -> bytes:
        """The name under which the server knows the statement."""
        name = self._prepared.get(statement)
        if name is None:
            name = b"engine_%d" % len(self._prepared)
            places = count(1)
            text = _PLACE.sub(lambda _: f"${next(places)}", statement)
            self._require(self._pg.prepare(name, text.encode()))
            self._prepared[statement] = name
        return name

    def _run(self, names: list[bytes], values: list[Sequence[Any]], batch: SealedBatch) -> None:
        """Run prepared statements in one go; the second of them must move the head."""
        pg, sent = self._pg, False
        pg.enter_pipeline_mode()
        try:
            for name, parameters in zip(names, values, strict=True):
                formats = [int(isinstance(value, bytes)) for value in parameters]
                pg.send_query_prepared(name, [_as_sent(v) for v in parameters], formats)
            pg.pipeline_sync()
            sent = True
            for place in range(len(names)):
                done = self._required()
                if place == 1 and not done.ntuples:
                    raise Fenced(
                        f"shard {self._shard} is no longer at epoch {batch.head.epoch},"
                        f" sequence {batch.head.seq}"
                    )
                self._result()
            self._result()
        except (psycopg.DatabaseError, Fenced):
            if sent:
                self._drain()
            raise
        finally:
            if pg.transaction_status != pq.TransactionStatus.UNKNOWN:
                pg.exit_pipeline_mode()

    def _copy_and_commit(self, copies: Sequence[Copy]) -> None:
        text = ";".join([*(statement for statement, _ in copies), "COMMIT"])
        self._pg.send_query(text.encode())
        try:
            for _, lines in copies:
                if self._required().status != pq.ExecStatus.COPY_IN:
                    raise psycopg.InternalError("PostgreSQL did not ask for the rows of a COPY")
                self._pg.put_copy_data(lines)
                self._pg.put_copy_end()
                self._required()
            if self._required().command_status != b"COMMIT":
                raise psycopg.InternalError("PostgreSQL did not commit the batch")
            self._result()
        except psycopg.DatabaseError:
            while self._pg.status == pq.ConnStatus.OK and self._result() is not None:
                pass
            raise

    def _drain(self) -> None:
        """Pass over what is left of a pipeline that failed."""
        pg = self._pg
        while pg.status == pq.ConnStatus.OK:
            result = self._result()
            if result is not None and result.status == pq.ExecStatus.PIPELINE_SYNC:
                return

    def _required(self) -> pq.abc.PGresult:
        return self._require(self._result())

    def _require(self, result: pq.abc.PGresult | None) -> pq.abc.PGresult:
        if result is None:
            raise psycopg.InternalError("PostgreSQL said less than it was asked")
        if result.status not in _GOOD and result.status != pq.ExecStatus.COPY_IN:
            if self._pg.status == pq.ConnStatus.BAD:
                raise psycopg.OperationalError(self._pg.get_error_message())
            raise errors.error_from_result(result)
        return result

    def _result(self) -> pq.abc.PGresult | None:
        """The next result; waits for it without keeping others from running."""
        pg = self._pg
        self._flush()
        while pg.is_busy():
            self._poll.poll()
            pg.consume_input()
        return pg.get_result()

    def _flush(self) -> None:
        pg = self._pg
        while pg.flush():
            self._poll.modify(pg.socket, select.POLLIN | select.POLLOUT)
            try:
                events = self._poll.poll()
            finally:
                self._poll.modify(pg.socket, select.POLLIN)
            if any(event & ~select.POLLOUT for _, event in events):
                pg.consume_input()


def _as_sent(value: Any) -> bytes | None:
    if value is None or isinstance(value, bytes):
        return value
    return str(value).encode()


_ADVANCE = (
    "UPDATE shard SET seq = %s, journal_hash = %s, next_id = %s,"
    " lease_until = clock_timestamp() + make_interval(secs => %s)"
    " WHERE name = %s AND epoch = %s AND seq = %s"
)
_FENCE = _ADVANCE + " RETURNING name"
_FENCE_WITH_STANDBYS = (
    _ADVANCE + " AND current_setting('synchronous_standby_names') = %s"
    " AND current_setting('synchronous_commit') IN ('on', 'remote_apply') RETURNING name"
)
