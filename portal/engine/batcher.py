"""From many clients to one writer: fair turns, batches of what came, answers after the commit.

Commands are applied as they arrive, while the batch before is being committed by another process;
as soon as that is done, what was applied meanwhile is the next batch. When much comes, a batch is
sealed before that, so that the writer never waits for it. When something fails, everything that
is not committed is answered as not applied, and the shard is read back.
"""

import asyncio
import gc
import time
from collections import deque
from collections.abc import Sequence

import structlog

from portal.core.errors import PortalError, TooManyRequests
from portal.engine.sequencer import NotApplied, Sequencer, not_applied
from portal.engine.store import Fenced, SealedBatch
from portal.engine.wire import Answer, Client, Item, Sink
from portal.engine.writer import MOST_GIVEN, Writer

MOST_QUEUED = 20_000
MOST_BATCH = 2_000
MOST_BYTES = 4_000_000
# A batch of so many commands may wait behind the one that is being committed: few, so that nobody
# waits long, but more while the database is nearly always busy, which large batches cost less.
LEAST_AHEAD, MOST_AHEAD = 150, 600
_CALM, _BUSY = 0.7, 0.85
# Under load a batch is not sealed sooner than this after the one before it: many small batches
# cost the database twice as much. Whoever comes to an engine at rest does not wait.
PACE_SECONDS = 0.004
TURN = 256
SHARE = 64
RETRY_SECONDS = 0.2
_LOOK_SECONDS = 0.005
_log = structlog.get_logger("engine")
_Reply = tuple[Client, Sink, Answer]


class Batcher:
    """Feeds one sequencer, and a writer with what it seals. Lives on one event loop."""

    def __init__(self, sequencer: Sequencer, writer: Writer) -> None:
        """The sequencer has the shard in memory, and the writer has begun."""
        self._sequencer = sequencer
        self._writer = writer
        self._loop = asyncio.get_running_loop()
        self._turns: deque[Client] = deque()
        self._queued = 0
        self._applied: list[_Reply] = []
        # Who waits for the batches that the writer has, the oldest first.
        self._writing: deque[list[_Reply]] = deque()
        self._blocked = False
        self._planned = False
        self._restarting: asyncio.Task[None] | None = None
        self._broken: Exception | None = None
        self._closed = False
        self._sealed_at = self._written_at = 0.0
        self._sealed_ahead = LEAST_AHEAD
        self._busy = 0.0
        self._pacing = False
        self.over: asyncio.Future[None] = self._loop.create_future()

    def arrived(self, client: Client, items: Sequence[Item]) -> None:
        """Queue a client's commands, or refuse them while too much is waiting."""
        if self._away or self._queued + len(items) > MOST_QUEUED:
            busy = self._refusal()
            self._loop.call_soon(client.answer, [(sink, busy) for sink, _ in items])
            return
        if not client.queue:
            self._turns.append(client)
        client.queue.extend(items)
        self._queued += len(items)
        self._plan()

    def block(self, blocked: bool) -> None:
        """While the database can store nothing: refuse what comes, and answer what waits.

        What was applied already may still be stored; with its key the answer is found then.
        """
        self._blocked = blocked
        if blocked:
            self._refuse_queued()
            waiting, self._applied = self._applied, []
            for replies in self._writing:
                waiting += replies
                replies.clear()
            refusal = _away()
            _send([(client, sink, refusal) for client, sink, _ in waiting])

    async def close(self) -> None:
        """Stop, and let the commits that are under way end."""
        self._closed = True
        if self._restarting is not None:
            self._restarting.cancel()
        while self._writing:
            await asyncio.sleep(_LOOK_SECONDS)

    @property
    def _away(self) -> bool:
        return self._blocked or self._restarting is not None

    def _refusal(self) -> PortalError:
        if self._away:
            return _away()
        return TooManyRequests("The engine is busy.", hint="Try again in a second.")

    def _plan(self) -> None:
        if not self._planned and self._broken is None and self._turns and self._room():
            self._planned = True
            self._loop.call_soon(self._turn)

    def _room(self) -> bool:
        return len(self._applied) < MOST_BATCH and self._sequencer.waiting < MOST_BYTES

    def _turn(self) -> None:
        """Apply some of what is queued, a share of each client, and commit when nobody does."""
        self._planned = False
        if self._broken is not None or self._closed:
            return
        taken = self._take(min(TURN, MOST_BATCH - len(self._applied)))
        try:
            answers = self._sequencer.add([raw for _, _, raw in taken])
        except Exception as error:
            self._applied += [(client, sink, not_applied()) for client, sink, _ in taken]
            self._break(error)
            return
        self._applied += [
            (client, sink, answer) for (client, sink, _), answer in zip(taken, answers, strict=True)
        ]
        self._commit()
        self._plan()

    def _take(self, most: int) -> list[tuple[Client, Sink, bytes]]:
        taken: list[tuple[Client, Sink, bytes]] = []
        while self._turns and len(taken) < most:
            client = self._turns.popleft()
            queue = client.queue
            for _ in range(min(SHARE, len(queue), most - len(taken))):
                sink, raw = queue.popleft()
                taken.append((client, sink, raw))
            if queue:
                self._turns.append(client)
        self._queued -= len(taken)
        return taken

    def _commit(self) -> None:
        """Seal what was applied and have it written, if it is its turn; refusals alone need no
        writing.

        But only a leader may refuse: one that slept through its lease knows old things.
        """
        ahead = len(self._writing)
        if ahead == MOST_GIVEN or (ahead and len(self._applied) < self._sealed_ahead):
            return
        if not self._sequencer.waiting and (ahead or not self._applied):
            return
        if not ahead and len(self._applied) < self._sealed_ahead and not self._is_time():
            return
        replies, self._applied = self._applied, []
        try:
            batch = self._sequencer.seal()
        except Exception as error:
            self._applied = replies
            self._break(error)
            return
        if batch is None:
            if not self._sequencer.leads:
                replies = [(client, sink, not_applied()) for client, sink, _ in replies]
            _send(replies)
            return
        asked_at = self._sealed_at = time.monotonic()
        try:
            written = self._writer.store(batch)
        except Exception as error:
            self._applied = replies
            self._break(error)
            return
        self._writing.append(replies)
        written.add_done_callback(lambda done: self._written(done, batch, asked_at))

    def _is_time(self) -> bool:
        """Whether the next batch may be sealed now; else it is looked at again when it may."""
        left = self._sealed_at + PACE_SECONDS - time.monotonic()
        if left <= 0:
            return True
        if not self._pacing:
            self._pacing = True
            self._loop.call_later(left, self._paced)
        return False

    def _adapt(self, asked_at: float) -> None:
        """How many commands the next batch should have, by how busy the database has been."""
        now, before = time.monotonic(), self._written_at
        self._written_at = now
        share = (now - max(asked_at, before)) / max(now - before, 1e-6)
        self._busy += (share - self._busy) / 16
        if self._busy > _BUSY:
            self._sealed_ahead = min(MOST_AHEAD, self._sealed_ahead + 10)
        elif self._busy < _CALM:
            self._sealed_ahead = max(LEAST_AHEAD, self._sealed_ahead - 10)

    def _paced(self) -> None:
        self._pacing = False
        if self._broken is None and not self._closed:
            self._commit()
            self._plan()

    def _written(self, done: "asyncio.Future[None]", batch: SealedBatch, asked_at: float) -> None:
        replies = self._writing.popleft()
        self._adapt(asked_at)
        error = NotApplied("stopped") if done.cancelled() else done.exception()
        if error is not None:
            self._applied = replies + self._applied
            self._break(error if isinstance(error, Exception) else NotApplied("stopped"))
            return
        self._sequencer.written(batch, asked_at)
        _send(replies)
        if self._broken is not None or self._closed:
            self._restart()
            return
        self._commit()
        self._plan()

    def _break(self, error: Exception) -> None:
        """Nothing that was applied and not written counts any more."""
        if self._broken is None:
            self._broken = error
            if not isinstance(error, Fenced):
                _log.error("batch failed", commands=len(self._applied), exc_info=error)
        failed, self._applied = self._applied, []
        failure = not_applied()
        _send([(client, sink, failure) for client, sink, _ in failed])
        self._restart()

    def _restart(self) -> None:
        """Read the shard back once the writer has told of every batch."""
        if self._writing or self._closed:
            return
        if isinstance(self._broken, Fenced):
            if not self.over.done():
                self.over.set_exception(self._broken)
            return
        if self._restarting is None:
            self._restarting = self._loop.create_task(self._read_back())

    async def _read_back(self) -> None:
        """Read the shard back, as long as it takes; whoever asks meanwhile is told to wait."""
        self._refuse_queued()
        told = ""
        while True:
            try:
                await self._loop.run_in_executor(None, self._start_afresh)
                await self._writer.begin(self._sequencer.reliance)
                break
            except Fenced as error:
                if not self.over.done():
                    self.over.set_exception(error)
                return
            except Exception as error:
                if str(error) != told:
                    told = str(error)
                    _log.error("the shard can't be read back yet", error=told)
                await asyncio.sleep(RETRY_SECONDS)
        settle_memory()
        self._broken = self._restarting = None
        self._plan()

    def _start_afresh(self) -> None:
        self._sequencer.stop()
        self._sequencer.start()

    def _refuse_queued(self) -> None:
        refusal = _away()
        _send([(client, sink, refusal) for client, sink, _ in self._take(self._queued)])


def settle_memory(*, collect: bool = True) -> None:
    """What the shard holds stays: the collector need not walk through it again and again.

    `collect`: look for garbage first; a standby that takes over has no time for that.
    """
    if collect:
        gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 1_000)


def _send(replies: list[_Reply]) -> None:
    by_client: dict[Client, list[tuple[Sink, Answer]]] = {}
    for client, sink, answer in replies:
        by_client.setdefault(client, []).append((sink, answer))
    for client, answers in by_client.items():
        try:
            client.answer(answers)
        except Exception:  # One client's trouble is nobody else's.
            _log.exception("a client could not be answered")
            client.close()


def _away() -> PortalError:
    return NotApplied("The engine's database does not answer.", hint="Ask again with the same key.")
