"""The checks themselves: a database that forgets, and rows that were changed, are found out."""

import asyncio

import psycopg
import pytest

from tests.crash.world import Template, World, living

pytestmark = [pytest.mark.postgres, pytest.mark.slow]


async def disk_forgot(world: World) -> None:
    """A disk that said "synced" and was not: the log ends before what was acknowledged."""
    world.disk.stop()
    world.disk.keep_copy()
    world.disk.start()
    await world.leader()
    flushed, before = world.disk.flushed(), len(world.log.acknowledged)
    while len(world.log.acknowledged) < before + 20:
        await asyncio.sleep(0.01)
    world.power_is_out()
    for engine in world.engines:
        engine.kill()
    world.disk.lose_power(flushed, world.choose)
    world.disk.start()


async def after_a_lie(template: Template) -> list[str]:
    async with living(template, seed=2) as world:
        return await world.play(disk_forgot)


# What is changed behind the engine's back, and what is said of it.
_TAMPERING = {
    "UPDATE account SET balance = balance + 1 WHERE kind = 'available'": "ledger rows add up",
    "UPDATE \"order\" SET held = held + 1 WHERE status = 'open' AND held > 0": "needed is",
    "DELETE FROM journal WHERE last_seq = (SELECT seq FROM shard)": "the head says",
}


async def after_tampering(template: Template) -> list[str]:
    async with living(template, seed=3) as world:
        assert await world.play(nothing) == []
        with psycopg.connect(world.url) as connection:
            connection.execute("ALTER TABLE journal DISABLE TRIGGER append_only")
            for statement in _TAMPERING:
                connection.execute(statement.encode())
        return world.differences()


async def nothing(_: World) -> None:
    """A round in which nothing is broken."""


def test_lost_commits_are_found_out(template: Template) -> None:
    assert asyncio.run(after_a_lie(template)) != []


def test_changed_rows_are_found_out(template: Template) -> None:
    lines = asyncio.run(after_tampering(template))
    assert [told for told in _TAMPERING.values() if not any(told in one for one in lines)] == []
