"""A world: one PostgreSQL on disk, two engines, a gateway, and clients at both doors."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from portal.core.db import Database
from portal.core.settings import DEMO_SECRET, Settings
from portal.engine import frames
from portal.migrations.runner import upgrade
from tests.crash import invariants, traffic
from tests.crash.clients import Address, Client, Log
from tests.crash.disk import DatabaseOnDisk
from tests.crash.engines import EngineProcess, GatewayProcess, free_port
from tests.crash.machines import Account, GatewayClient
from tests.crash.traffic import Trader
from tests.integration.gateway.world import GatewayWorld

ROLE = "portal"
TOKEN = DEMO_SECRET
CLIENTS, PER_SECOND = 4, 120.0
MACHINES_PER_SECOND = 20.0
_DRAIN_SECONDS = 40.0


@dataclass(frozen=True)
class Template:
    """A stopped server with all that a world starts from, and the keys of the people in it."""

    disk: DatabaseOnDisk
    accounts: list[Account]


class World:
    """Everything a fault can reach. Make it with `living`."""

    def __init__(self, template: Template, seed: int) -> None:
        self.disk = disk = template.disk
        self.choose = random.Random(seed)
        self.log = Log()
        self.tasks: list[asyncio.Task[None]] = []
        url = disk.url(ROLE, ROLE)
        self.engines = [EngineProcess(url, disk.home / f"engine{n}.log") for n in range(2)]
        self.gateway = GatewayProcess(url, self.engines, disk.home / "gateway.log")
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
        self.machines = [
            GatewayClient(
                f"machine{number}",
                account,
                self.gateway.port,
                self.log,
                random.Random(self.choose.random()),
            )
            for number, account in enumerate(template.accounts)
        ]

    @property
    def everybody(self) -> list[Client | GatewayClient]:
        """The clients of both doors."""
        return [*self.clients, *self.machines]

    async def play(self, fault: "Fault") -> list[str]:
        """One round: trade, break, trade on, wait for every answer, compare."""
        self._send(True)
        await self.trade_for(0.3, 0.9)
        await fault(self)
        await self.trade_for(0.3, 0.6)
        self._send(False)
        await self.all_answered()
        await self._ask_again()
        return self.differences()

    def differences(self) -> list[str]:
        """Every broken promise so far, in words."""
        database = Database(self.url)
        try:
            with psycopg.connect(self.url) as connection:
                found = invariants.differences(connection, self.log)
            return found + invariants.audited(database)
        finally:
            database.dispose()

    async def _ask_again(self) -> None:
        """Whatever was acknowledged in this round is answered the same when it is asked again."""
        for client in self.everybody:
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
                while not all(client.idle for client in self.everybody):
                    self._raise_what_ended()
                    await asyncio.sleep(0.02)
        except TimeoutError:
            waiting = [client.waiting_for() for client in self.everybody]
            raise AssertionError(f"without an answer: {waiting}") from None

    def power_is_out(self) -> None:
        """No client hears anything any more, not even what is on its way."""
        for client in self.everybody:
            client.hang_up()

    def _raise_what_ended(self) -> None:
        """Clients and supervisor run for ever: one that ended is a defect of these tests."""
        for task in self.tasks:
            if task.done():
                task.result()

    def _send(self, sending: bool) -> None:
        for client in self.everybody:
            client.sending = sending

    def _is_frozen(self, address: Address) -> bool:
        return any(engine.frozen for engine in self.engines if engine.address == address)

    async def supervise(self) -> None:
        """Start what has ended, for ever, as an installation's supervisor does."""
        while True:
            for process in (*self.engines, self.gateway):
                process.keep_alive()
            await asyncio.sleep(0.1)


Fault = Callable[[World], Awaitable[None]]


@asynccontextmanager
async def living(template: Template, seed: int) -> AsyncIterator[World]:
    """A fresh world with its engines serving and its clients connected; ends all at the end."""
    disk = template.disk
    disk.from_template()
    disk.start()
    world = World(template, seed)
    world.tasks += [asyncio.create_task(world.supervise())]
    for client in world.clients:
        world.tasks.append(asyncio.create_task(client.connect_for_ever()))
        world.tasks.append(asyncio.create_task(client.send_for_ever(PER_SECOND)))
    for machine in world.machines:
        world.tasks.append(asyncio.create_task(machine.send_for_ever(MACHINES_PER_SECOND)))
    try:
        await world.leader()
        yield world
    finally:
        for task in world.tasks:
            task.cancel()
        await asyncio.gather(*world.tasks, return_exceptions=True)
        for process in (*world.engines, world.gateway):
            process.end()
        disk.kill_everything()


def make_template(home: Path) -> Template:
    """A server with the whole schema, people with keys, and the opening commands carried out."""
    disk = DatabaseOnDisk(home, free_port(), "crash")
    disk.make()
    disk.start()
    disk.ensure_database(ROLE)
    url = disk.url(ROLE, ROLE)
    settings = Settings(_env_file=None, database_url=url, var_dir=home)
    upgrade(settings)
    database = Database(url)
    people = GatewayWorld(settings, database)
    try:
        asyncio.run(submit(("127.0.0.1", people.settings.engine_port), traffic.opening()))
        accounts = [
            Account(person.id, machine, people.order(person, side=side, price=None, quantity=None))
            for person, machine, side in (
                (people.alice, people.seller, "sell"),
                (people.bob, people.buyer, "buy"),
            )
        ]
    finally:
        people.close()
        database.dispose()
    disk.stop()
    disk.save_template()
    return Template(disk, accounts)


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
