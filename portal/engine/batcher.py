"""From many clients to one writer: fair turns, batches without timers, answers after the commit.

Commands are applied as they arrive, while the batch before is being committed on a thread of its
own; as soon as that is done, what was applied meanwhile is the next batch. When something fails,
everything that is not committed is answered as not applied, and the shard is read back.
"""

import asyncio
import gc
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import structlog

from portal.core.errors import PortalError, TooManyRequests
from portal.engine.sequencer import NotApplied, Sequencer, not_applied
from portal.engine.store import Fenced, SealedBatch
from portal.engine.wire import Answer, Client, Item, Sink

MOST_QUEUED = 20_000
MOST_BATCH = 2_000
MOST_BYTES = 4_000_000
TURN = 256
SHARE = 64
RETRY_SECONDS = 0.2
_log = structlog.get_logger("engine")
_Reply = tuple[Client, Sink, Answer]


class Batcher:
    """Feeds one sequencer. Lives on one event loop."""

    def __init__(self, sequencer: Sequencer, start: Callable[[], None] | None = None) -> None:
        """`start` (on a thread) makes the sequencer ready again after a failure."""
        self._sequencer = sequencer
        self._start = start or sequencer.start
        self._loop = asyncio.get_running_loop()
        self._committer = ThreadPoolExecutor(1, "commit")
        self._turns: deque[Client] = deque()
        self._queued = 0
        self._applied: list[_Reply] = []
        self._writing: list[_Reply] = []
        self._blocked = False
        self._planned = False
        self._committing = False
        self._restarting: asyncio.Task[None] | None = None
        self._broken: Exception | None = None
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
            waiting, self._writing, self._applied = self._writing + self._applied, [], []
            refusal = _away()
            _send((client, sink, refusal) for client, sink, _ in waiting)

    def close(self) -> None:
        """Let a commit that is under way end, and stop."""
        self._committer.shutdown(wait=True, cancel_futures=True)
        if self._restarting is not None:
            self._restarting.cancel()

    @property
    def _away(self) -> bool:
        return self._blocked or self._restarting is not None

    def _refusal(self) -> PortalError:
        if self._away:
            return _away()
        return TooManyRequests("The engine is busy.", hint="Try again in a second.")

    def _plan(self) -> None:
        if not self._planned and not self._broken and self._turns and self._room():
            self._planned = True
            self._loop.call_soon(self._turn)

    def _room(self) -> bool:
        return len(self._applied) < MOST_BATCH and self._sequencer.waiting < MOST_BYTES

    def _turn(self) -> None:
        """Apply some of what is queued, a share of each client, and commit when nobody does."""
        self._planned = False
        if self._broken:
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
        if not self._committing:
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
        """Seal what was applied and write it; refusals alone need no writing.

        But only a leader may refuse: one that slept through its lease knows old things.
        """
        replies, self._applied = self._applied, []
        if not replies and not self._sequencer.waiting:
            return
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
        self._committing, self._writing = True, replies
        written = self._loop.run_in_executor(self._committer, self._sequencer.commit, batch)
        written.add_done_callback(lambda done: self._written(done, batch))

    def _written(self, done: asyncio.Future[None], batch: SealedBatch) -> None:
        self._committing = False
        replies, self._writing = self._writing, []
        if done.cancelled() or (error := done.exception()) is not None:
            problem = NotApplied("stopped") if done.cancelled() else error
            self._applied = replies + self._applied
            self._break(problem if isinstance(problem, Exception) else NotApplied("stopped"))
            return
        self._sequencer.written(batch)
        _send(replies)
        if self._broken:
            self._restart()
            return
        self._commit()
        self._plan()

    def _break(self, error: Exception) -> None:
        """Nothing that was applied and not written counts any more."""
        if not isinstance(error, Fenced):
            _log.error("batch failed", commands=len(self._applied), exc_info=error)
        failed, self._applied = self._applied, []
        failure = not_applied()
        _send((client, sink, failure) for client, sink, _ in failed)
        self._broken = error
        if not self._committing:
            self._restart()

    def _restart(self) -> None:
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
                await self._loop.run_in_executor(self._committer, self._start_afresh)
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
        self._start()

    def _refuse_queued(self) -> None:
        refusal = _away()
        _send((client, sink, refusal) for client, sink, _ in self._take(self._queued))


def settle_memory(*, collect: bool = True) -> None:
    """What the shard holds stays: the collector need not walk through it again and again.

    `collect`: look for garbage first; a standby that takes over has no time for that.
    """
    if collect:
        gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 1_000)


def _send(replies: Iterable[_Reply]) -> None:
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
