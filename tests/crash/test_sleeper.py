"""A leader that slept through its lease: it must not speak from its old memory."""

import asyncio
import json

import pytest

from portal.engine import frames
from tests.crash.engines import EngineProcess
from tests.crash.traffic import COIN
from tests.crash.world import TOKEN, Template, living, submit
from tests.factories.engine import define_market, place_order

pytestmark = [pytest.mark.postgres, pytest.mark.slow]
_RETRYABLE = {"unavailable", "too_many_requests"}


async def told_after_waking(template: Template, key: str | None) -> str | None:
    """What a sleeper answers to an order that only its old memory would refuse."""
    async with living(template, seed=1) as world:
        old = await world.leader()
        await submit(old.address, [market(status="halted", key="halt")])
        reader, writer = await asyncio.open_connection(*old.address)
        writer.write(frames.pack({"token": TOKEN}))
        await asked(reader, writer, {"kind": "clock_tick"})
        old.freeze()
        new: EngineProcess = await world.leader()
        assert new is not old
        await submit(new.address, [market(status="open", key="open")])
        old.wake()
        reply = await asked(reader, writer, place_order(market="COIN-EUR", key=key))
        writer.close()
        return None if reply is None else str(reply["error"]["code"])


def market(**changes: str) -> dict[str, object]:
    return define_market(id="COIN-EUR", base=COIN, **changes)


async def asked(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, command: dict[str, object]
) -> dict[str, dict[str, object]] | None:
    """The reply; None when the engine hung up instead."""
    writer.write(frames.pack({"id": 1, "command": command}))
    try:
        header = await reader.readexactly(frames.HEADER.size)
        reply = json.loads(await reader.readexactly(frames.length_of(header)))
    except (EOFError, ConnectionError):
        return None
    return dict(reply)


@pytest.mark.parametrize("key", ["mine", None])
def test_a_leader_that_slept_refuses_nothing_from_its_old_memory(
    template: Template, key: str | None
) -> None:
    told = asyncio.run(told_after_waking(template, key))
    assert told is None or told in _RETRYABLE
