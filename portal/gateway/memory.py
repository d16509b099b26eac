"""Values of the database that a gateway keeps in memory, and when it must not believe them.

A value is served from memory while it is young. Older, it is still served, and read again at the
same time; beyond its life it is read before anybody gets it. Whatever changes in the database is
told by PostgreSQL (`changes.py`) and forgotten at once; while that line is down, nothing is
remembered at all, so what can't be read can't be used either.
"""

import asyncio
import random
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy.exc import DBAPIError

from portal.core.errors import TooManyRequests, Unavailable

# Up to which part of its youth a value is read again sooner.
_AHEAD = 0.4
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(frozen=True)
class Ages:
    """In seconds: how long a value is young, and how long it lives; how many values are kept, and
    for how many strangers' keys readers are busy at once.
    """

    young: float
    life: float
    most: int = 50_000
    readers: int = 1_024


def database_away() -> Unavailable:
    """What is answered while the database can't be read."""
    return Unavailable("The portal's database does not answer.", hint="Try again in a moment.")


class Busy(TooManyRequests):
    """Too much is being asked of the database; `retry_after` is seconds."""

    retry_after = 1


class Remembered(Generic[K, V]):
    """Values by key, read by a blocking function in a thread. For one event loop."""

    def __init__(
        self,
        read: Callable[[K], V],
        ages: Ages,
        threads: Executor,
        trusted: Callable[[], bool] = lambda: True,
    ) -> None:
        """`trusted` says whether changes are heard of just now."""
        self._read, self._ages, self._threads, self._trusted = read, ages, threads, trusted
        self._values: OrderedDict[K, tuple[V, float]] = OrderedDict()
        self._reading: dict[K, asyncio.Future[V]] = {}
        self._generation = 0
        self._loop = asyncio.get_running_loop()

    def now(self, key: K) -> V | None:
        """The value if it is in memory and may be used; else ask `get`."""
        found = self._values.get(key)
        if found is None:
            return None
        age = self._loop.time() - found[1]
        if age < self._ages.young:
            return found[0]
        if age >= self._ages.life:
            return None
        if key not in self._reading:
            self._start(key).add_done_callback(_heard)
        return found[0]

    async def get(self, key: K) -> V:
        """The value, read first unless it is in memory.

        Raises what the reader raises; Unavailable when the database does not answer, Busy when
        too many keys are being read.
        """
        found = self.now(key)
        if found is not None:
            return found
        reading = self._reading.get(key)
        if reading is None:
            if len(self._reading) >= self._ages.readers:
                raise Busy("The portal is busy.", hint="Try again in a second.")
            reading = self._start(key)
        # Shielded: others may wait for the same value when this request goes away.
        return await asyncio.shield(reading)

    def forget(self, key: K) -> None:
        """It changed."""
        self._generation += 1
        self._values.pop(key, None)

    def forget_where(self, wrong: Callable[[V], bool]) -> None:
        """Those for which `wrong` holds changed."""
        self._generation += 1
        for key in [key for key, (value, _) in self._values.items() if wrong(value)]:
            del self._values[key]

    def clear(self) -> None:
        """Anything may have changed."""
        self._generation += 1
        self._values.clear()

    def _start(self, key: K) -> "asyncio.Future[V]":
        reading = asyncio.ensure_future(self._load(key))
        self._reading[key] = reading
        reading.add_done_callback(lambda _: self._reading.pop(key, None))
        return reading

    async def _load(self, key: K) -> V:
        generation, began = self._generation, self._loop.time()
        try:
            value = await self._loop.run_in_executor(self._threads, self._read, key)
        except DBAPIError as error:
            raise database_away() from error
        # What changed while it was read may be missing in it: good enough for who asked before
        # the change, not for anybody after.
        if generation == self._generation and self._trusted():
            before = self._values.get(key)
            if before is not None and before[0] == value:
                value = before[0]  # What stands on it sees at a glance that it is the same.
            # A little older than it is, so that what came together is not read again together.
            self._values[key] = (value, began - _AHEAD * self._ages.young * random.random())  # noqa: S311
            if len(self._values) > self._ages.most:
                self._values.popitem(last=False)
        return value

    def __len__(self) -> int:
        return len(self._values)


def _heard(reading: "asyncio.Future[V]") -> None:
    """A reading that nobody waits for may fail: what is in memory ages on until it is too old."""
    if not reading.cancelled():
        reading.exception()
