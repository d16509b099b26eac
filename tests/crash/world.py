"""A world: one PostgreSQL on disk, two engines, some clients, and what was broken so far."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg

from portal.engine import frames
from portal.migrations.runner import upgrade_database
from tests.crash import invariants, traffic
from tests.crash.clients import Address, Client, Log
from tests.crash.disk import DatabaseOnDisk
from tests.crash.engines import EngineProcess, free_port
from tests.crash.traffic import Trader

ROLE, TOKEN = "portal", "crash-test-token"
CLIENTS, PER_SECOND = 4, 120.0
_DRAIN_SECONDS = 40.0


class World:
    """Everything a fault can reach. Make it with `living`."""

    def __init__(self, disk: DatabaseOnDisk, home: Path, seed: int) -> None:
        self.disk = disk
        self.choose = random.Random(seed)
        self.log = Log()
        self.tasks: list[asyncio.Task[None]] = []
        url = disk.url(ROLE, ROLE)
        self.engines = [EngineProcess(url, TOKEN, home / f"engine{n}.log") for n in range(2)]
        self.url = url
        trader = Trader(self.choose)
        addresses = [engine.address for engine in self.engines]
        self.clients = [
            Client(
                f"client{number}",
                addresses[number % 2 :] + addresses[: number % 2],
                self._is_frozen,
                TOKEN,
                trader,
                self.log,
                random.Random(self.choose.random()),
            )
            for number in range(CLIENTS)
        ]

    async def play(self, fault: "Fault") -> list[str]:
        """One round: trade, break, trade on, wait for every answer, compare."""
        self._send(True)
        await self.trade_for(0.3, 0.9)
        await fault(self)
        await self.trade_for(0.3, 0.6)
        self._send(False)
        await self.all_answered()
        await self._ask_again()
        with psycopg.connect(self.url) as connection:
            return invariants.differences(connection, self.log)

    async def _ask_again(self) -> None:
        """Whatever was acknowledged in this round is answered the same when it is asked again."""
        for client in self.clients:
            client.ask_again()
        await self.all_answered()

    async def trade_for(self, least: float, most: float) -> None:
        """Let the clients go on for a random time, in seconds."""
        await asyncio.sleep(self.choose.uniform(least, most))

    async def leader(self) -> EngineProcess:
        """The engine that takes commands now; waits for one."""
        while True:
            for engine in self.engines:
                if engine.alive and not engine.frozen and await _listens(engine.address):
                    return engine
            await asyncio.sleep(0.02)

    async def all_answered(self) -> None:
        """Every command has its answer: whatever was broken works again."""
        try:
            async with asyncio.timeout(_DRAIN_SECONDS):
                while not all(client.idle for client in self.clients):
                    self._raise_what_ended()
                    await asyncio.sleep(0.02)
        except TimeoutError:
            waiting = [client.waiting_for() for client in self.clients]
            raise AssertionError(f"without an answer: {waiting}") from None

    def power_is_out(self) -> None:
        """No client hears anything any more, not even what is on its way."""
        for client in self.clients:
            client.hang_up()

    def _raise_what_ended(self) -> None:
        """Clients and supervisor run for ever: one that ended is a defect of these tests."""
        for task in self.tasks:
            if task.done():
                task.result()

    def _send(self, sending: bool) -> None:
        for client in self.clients:
            client.sending = sending

    def _is_frozen(self, address: Address) -> bool:
        return any(engine.frozen for engine in self.engines if engine.address == address)

    async def supervise(self) -> None:
        """Start what has ended, for ever, as an installation's supervisor does."""
        while True:
            for engine in self.engines:
                engine.keep_alive()
            await asyncio.sleep(0.1)


Fault = Callable[[World], Awaitable[None]]


@asynccontextmanager
async def living(disk: DatabaseOnDisk, home: Path, seed: int) -> AsyncIterator[World]:
    """A fresh world with its engines serving and its clients connected; ends all at the end."""
    disk.from_template()
    disk.start()
    world = World(disk, home, seed)
    tasks = world.tasks
    tasks.append(asyncio.create_task(world.supervise()))
    for client in world.clients:
        tasks.append(asyncio.create_task(client.connect_for_ever()))
        tasks.append(asyncio.create_task(client.send_for_ever(PER_SECOND)))
    try:
        await world.leader()
        yield world
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for engine in world.engines:
            engine.end()
        disk.kill_everything()


def make_template(home: Path) -> DatabaseOnDisk:
    """A server with the whole schema, and the opening commands carried out by an engine."""
    home.mkdir(mode=0o755, parents=True, exist_ok=True)
    disk = DatabaseOnDisk(home, free_port(), "crash")
    disk.make()
    disk.start()
    disk.ensure_database(ROLE)
    upgrade_database(disk.url(ROLE, ROLE))
    asyncio.run(_open(disk, home))
    disk.stop()
    disk.save_template()
    return disk


async def _open(disk: DatabaseOnDisk, home: Path) -> None:
    engine = EngineProcess(disk.url(ROLE, ROLE), TOKEN, home / "opening.log")
    engine.keep_alive()
    try:
        await _wait_for(engine)
        await submit(engine.address, traffic.opening())
    finally:
        engine.end()


async def _wait_for(engine: EngineProcess) -> None:
    while not await _listens(engine.address):
        assert engine.alive, "the engine ended"
        await asyncio.sleep(0.02)


async def submit(address: Address, commands: list[traffic.Command]) -> None:
    """Send commands over one connection and wait for their answers; none may be refused."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(frames.pack({"token": TOKEN}))
    for number, command in enumerate(commands):
        writer.write(frames.pack({"id": number, "command": command}))
    for _ in commands:
        header = await reader.readexactly(frames.HEADER.size)
        reply = frames.unpack(await reader.readexactly(frames.length_of(header)))
        assert "result" in reply, reply
    writer.close()
    await writer.wait_closed()


async def _listens(address: Address) -> bool:
    try:
        _, writer = await asyncio.open_connection(*address)
    except OSError:
        return False
    writer.close()
    return True
