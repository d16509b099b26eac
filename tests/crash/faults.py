"""What is broken in a round. Each strikes while clients trade, and leaves all able to recover."""

import asyncio

import psycopg

from tests.crash.disk import WAL_SEGMENT
from tests.crash.world import Fault, World

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
_EFFECT_SECONDS = 20.0


async def engine_killed(world: World) -> None:
    """SIGKILL to the engine that leads."""
    (await world.leader()).kill()


async def engine_alone_killed(world: World) -> None:
    """SIGKILL to the leader; its writer has batches left, and nobody to tell of them."""
    (await world.leader()).kill_alone()


async def writer_killed(world: World) -> None:
    """SIGKILL to the process that writes for the leader."""
    (await world.leader()).kill_children()


async def both_engines_killed(world: World) -> None:
    """SIGKILL to leader and standby at once."""
    for engine in world.engines:
        engine.kill()


async def gateway_killed(world: World) -> None:
    """SIGKILL to the gateway, with its workers."""
    world.gateway.kill()


async def postmaster_killed(world: World) -> None:
    """SIGKILL to PostgreSQL's postmaster."""
    world.disk.kill_postmaster()
    world.disk.start()


async def database_stopped_at_once(world: World) -> None:
    """`pg_ctl stop -m immediate`."""
    world.disk.stop_immediately()
    world.disk.start()


async def backend_killed(world: World) -> None:
    """SIGKILL to one backend of an engine; PostgreSQL restarts itself."""
    world.disk.kill_one_backend(world.choose)
    await _database_answers(world)


async def machine_crashed(world: World) -> None:
    """SIGKILL to everything: engines and all of PostgreSQL."""
    both = world.engines
    for engine in both:
        engine.kill()
    world.disk.kill_everything()
    world.disk.start()


async def power_lost(world: World) -> None:
    """The machine stops between two instructions; what was not synced may be gone or torn."""
    world.disk.stop()
    world.disk.keep_copy()
    world.disk.start(scarce_memory=True)
    await world.leader()
    await world.trade_for(0.5, 1.5)
    flushed = world.disk.flushed()
    world.power_is_out()
    for engine in world.engines:
        engine.kill()
    world.disk.lose_power(flushed, world.choose)
    world.disk.start()


async def leader_frozen(world: World) -> None:
    """SIGSTOP to the leader; it wakes up when another has long taken over."""
    old = await world.leader()
    old.freeze()
    await world.leader()
    await world.trade_for(0.3, 1.0)
    old.wake()


async def disk_full_of_data(world: World) -> None:
    """The largest table can't grow."""
    files = (file.stat().st_size for file in (world.disk.data / "base").rglob("*"))
    before = world.log.postponed
    world.disk.fill_disk(max(WAL_SEGMENT, *files))
    async with asyncio.timeout(_EFFECT_SECONDS):
        while world.log.postponed == before:
            await asyncio.sleep(0.01)
    await world.trade_for(0.1, 0.4)
    world.disk.clear_disk()


async def disk_full_of_log(world: World) -> None:
    """The write-ahead log can't grow: PostgreSQL panics, and can't recover before there is room."""
    world.disk.fill_disk(WAL_SEGMENT // 4)
    # Trading alone may not get there: its batches can fail at the tables first, which logs little.
    async with asyncio.timeout(_EFFECT_SECONDS):
        while await asyncio.to_thread(world.disk.writes_log, WAL_SEGMENT // 2):
            await asyncio.sleep(0.01)
    await world.trade_for(0.1, 0.4)
    world.disk.kill_everything()
    world.disk.start()


async def clock_jumped_forward(world: World) -> None:
    """The engines' clock jumps ahead by up to two hours."""
    await _jump(world, world.choose.randint(1, 2 * _HOUR_MS))


async def clock_jumped_back(world: World) -> None:
    """The engines' clock jumps back by up to two hours, and the leader is killed on top."""
    await _jump(world, -world.choose.randint(1, 2 * _HOUR_MS))
    (await world.leader()).kill()


async def clock_a_day_ahead(world: World) -> None:
    """The engines' clock is a day ahead for a while: ids, journal and keys change their day."""
    await _jump(world, _DAY_MS)
    await world.trade_for(0.3, 0.6)
    await _jump(world, -_DAY_MS)
    (await world.leader()).kill()


async def clients_left(world: World) -> None:
    """Every client drops its connection and asks again on another."""
    for client in world.everybody:
        client.leave()


FAULTS: list[Fault] = [
    engine_killed,
    engine_alone_killed,
    writer_killed,
    both_engines_killed,
    gateway_killed,
    postmaster_killed,
    database_stopped_at_once,
    backend_killed,
    machine_crashed,
    power_lost,
    leader_frozen,
    disk_full_of_data,
    disk_full_of_log,
    clock_jumped_forward,
    clock_jumped_back,
    clock_a_day_ahead,
    clients_left,
]


async def _jump(world: World, by_ms: int) -> None:
    for engine in world.engines:
        engine.set_clock(engine.clock_off_ms + by_ms)


def _answers(world: World) -> bool:
    try:
        psycopg.connect(world.url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


async def _database_answers(world: World) -> None:
    while not _answers(world):
        await asyncio.sleep(0.02)
