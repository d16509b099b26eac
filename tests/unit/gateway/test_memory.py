"""What is remembered, for how long, and what makes it forgotten."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from portal.core.errors import Unavailable
from portal.gateway.memory import Ages, Busy, Remembered

FOR_EVER = Ages(young=1000, life=1000)


class Table:
    """A database of numbers: counts reads, can be held back and can be away."""

    def __init__(self) -> None:
        self.value, self.reads = 1, 0
        self.away = False
        self.open = threading.Event()
        self.open.set()
        self.started = threading.Event()

    def read(self, key: str) -> int:
        self.reads += 1
        value = self.value
        self.started.set()
        self.open.wait(10)
        if self.away:
            raise OperationalError("SELECT", {}, Exception("connection refused"))
        return value


def run(test: Callable[[ThreadPoolExecutor], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def call() -> None:
        with ThreadPoolExecutor(8) as threads:
            asyncio.run(asyncio.wait_for(test(threads), 20))

    call.__name__ = test.__name__
    return call


async def until(holds: Callable[[], bool]) -> None:
    while not holds():
        await asyncio.sleep(0.001)


@run
async def test_a_value_is_read_once(threads: ThreadPoolExecutor) -> None:
    table = Table()
    memory = Remembered(table.read, FOR_EVER, threads)
    assert memory.now("a") is None
    assert await asyncio.gather(*(memory.get("a") for _ in range(50))) == [1] * 50
    assert (memory.now("a"), table.reads) == (1, 1)


@run
async def test_what_changed_is_forgotten(threads: ThreadPoolExecutor) -> None:
    table = Table()
    memory = Remembered(table.read, FOR_EVER, threads)
    await memory.get("a")
    table.value = 2
    memory.forget("a")
    assert memory.now("a") is None
    assert await memory.get("a") == 2
    memory.forget_where(lambda value: value == 2)
    assert memory.now("a") is None


@run
async def test_a_change_while_it_is_read_is_not_missed(threads: ThreadPoolExecutor) -> None:
    table = Table()
    memory = Remembered(table.read, FOR_EVER, threads)
    table.open.clear()
    reading = asyncio.ensure_future(memory.get("a"))
    await asyncio.to_thread(table.started.wait)
    table.value = 2
    memory.forget("a")
    table.open.set()
    assert await reading == 1  # It asked before the change.
    assert memory.now("a") is None
    assert await memory.get("a") == 2


@run
async def test_an_older_value_is_served_while_it_is_read_again(
    threads: ThreadPoolExecutor,
) -> None:
    table = Table()
    memory = Remembered(table.read, Ages(young=0, life=1000), threads)
    await memory.get("a")
    table.value = 2
    assert memory.now("a") == 1
    await until(lambda: memory._values["a"][0] == 2)


@run
async def test_beyond_its_life_nothing_is_served_unread(threads: ThreadPoolExecutor) -> None:
    table = Table()
    memory = Remembered(table.read, Ages(young=0, life=0), threads)
    await memory.get("a")
    table.away = True
    assert memory.now("a") is None
    with pytest.raises(Unavailable):
        await memory.get("a")


@run
async def test_nothing_is_remembered_while_changes_are_not_heard(
    threads: ThreadPoolExecutor,
) -> None:
    table, hearing = Table(), [False]
    memory = Remembered(table.read, FOR_EVER, threads, lambda: hearing[0])
    assert await memory.get("a") == 1
    assert memory.now("a") is None
    hearing[0] = True
    await memory.get("a")
    assert memory.now("a") == 1


@run
async def test_strangers_keep_no_more_than_some_readers_busy(threads: ThreadPoolExecutor) -> None:
    table = Table()
    memory = Remembered(table.read, Ages(young=9, life=9, most=4, readers=3), threads)
    table.open.clear()
    waiting = [asyncio.ensure_future(memory.get(str(n))) for n in range(3)]
    await until(lambda: table.reads == 3)
    with pytest.raises(Busy):
        await memory.get("one more")
    table.open.set()
    await asyncio.gather(*waiting)
    for n in range(20):
        await memory.get(str(n))
    assert len(memory) == 4


@run
async def test_whoever_goes_away_takes_no_value_from_others(threads: ThreadPoolExecutor) -> None:
    table = Table()
    memory = Remembered(table.read, FOR_EVER, threads)
    table.open.clear()
    gone, stays = (asyncio.ensure_future(memory.get("a")) for _ in range(2))
    await until(lambda: table.reads == 1)
    gone.cancel()
    table.open.set()
    assert await stays == 1
