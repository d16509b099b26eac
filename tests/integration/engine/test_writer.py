"""The process that writes: batches in order, none behind one that failed, and its own end."""

import asyncio
import signal
import socket
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
import pytest

from portal.core.settings import Settings
from portal.engine.client import EngineClient
from portal.engine.commands import encode_command
from portal.engine.committing import Reliance
from portal.engine.connection import Identity
from portal.engine.sequencer import Sequencer
from portal.engine.store import Fenced, SealedBatch
from portal.engine.writer import Writer, WriterGone
from portal.engine.writer_process import Skipped
from tests.factories.engine import define_market, deposit, place_order
from tests.integration.engine.test_server import Running

pytestmark = pytest.mark.postgres


def sealed(sequencer: Sequencer, key: str) -> SealedBatch:
    """A batch of one order, not written."""
    sequencer.add([encode_command(place_order(key=key))])
    batch = sequencer.seal()
    assert batch is not None
    return batch


def orders(database_url: str) -> int:
    with psycopg.connect(database_url) as connection:
        found = connection.execute('SELECT count(*) FROM "order"').fetchone()
    assert found is not None
    return int(found[0])


def writing(database_url: str, work: Callable[[Writer], Awaitable[None]]) -> None:
    """Do `work` with a writer that has begun."""

    async def run() -> None:
        writer = Writer(database_url, "main", Identity("a test"))
        await writer.begin(Reliance())
        try:
            await work(writer)
        finally:
            await writer.close()

    asyncio.run(run())


def test_batches_are_written_in_order_one_given_behind_the_other(
    sequencer: Sequencer, database_url: str
) -> None:
    first, second = sealed(sequencer, "a"), sealed(sequencer, "b")

    async def work(writer: Writer) -> None:
        await asyncio.gather(writer.store(first), writer.store(second))

    writing(database_url, work)
    assert orders(database_url) == 2


def test_nothing_is_written_behind_a_batch_that_failed_until_it_begins_again(
    sequencer: Sequencer, database_url: str
) -> None:
    batches = [sealed(sequencer, key) for key in "abc"]

    async def work(writer: Writer) -> None:
        failed, skipped = writer.store(batches[1]), writer.store(batches[0])
        with pytest.raises(Fenced):
            await failed
        with pytest.raises(Skipped):
            await skipped
        assert orders(database_url) == 0
        await writer.begin(Reliance())
        for batch in batches:
            await writer.store(batch)

    writing(database_url, work)
    assert orders(database_url) == 3


def test_no_more_batches_are_taken_than_there_is_room_for(
    sequencer: Sequencer, database_url: str
) -> None:
    batches = [sealed(sequencer, key) for key in "abc"]

    async def work(writer: Writer) -> None:
        given = [writer.store(batch) for batch in batches]
        await asyncio.gather(*given[:2])
        with pytest.raises(WriterGone):
            await given[2]

    writing(database_url, work)
    assert orders(database_url) == 2


def test_a_writer_without_a_database_says_so_and_can_begin_later(database_url: str) -> None:
    async def work(writer: Writer) -> None:
        reachable, writer._url = writer._url, "postgresql://nobody@127.0.0.1:1/nowhere"
        with pytest.raises(psycopg.OperationalError):
            await writer.begin(Reliance())
        writer._url = reachable
        await writer.begin(Reliance())

    writing(database_url, work)


def test_the_process_ends_with_the_engine_and_no_sooner(database_url: str) -> None:
    async def work(writer: Writer) -> None:
        assert writer._process is not None
        child = writer._process.child
        for number in (signal.SIGINT, signal.SIGTERM):
            child.send_signal(number)
        await writer.begin(Reliance())
        writer._process.writer.close()  # All that a killed engine leaves behind.
        await asyncio.to_thread(child.wait, 10)

    writing(database_url, work)


def test_an_engine_whose_writer_is_killed_loses_nothing_and_has_another(
    database_url: str, settings: Settings, unused_port: int
) -> None:
    settings = settings.model_copy(update={"engine_port": unused_port})
    running = Running(settings)
    running.wait_until_it_serves()
    client = EngineClient(settings)
    client.submit(define_market())
    client.submit(deposit(units=10**15))
    answers: dict[str, Any] = {}

    def trade(number: int) -> None:
        for turn in range(40):
            key = f"{number}:{turn}"
            answers[key] = _until_answered(client, place_order(key=key))

    traders = [threading.Thread(target=trade, args=(number,)) for number in range(4)]
    try:
        for trader in traders:
            trader.start()
        for _ in range(3):
            threading.Event().wait(0.1)
            process = running.server._writer._process
            if process is not None:
                process.child.kill()
        for trader in traders:
            trader.join(60)
        assert len(answers) == 160
        assert {answer["status"] for answer in answers.values()} == {"open"}
        assert orders(database_url) == len({answer["order_id"] for answer in answers.values()})
        again = {key: client.submit(place_order(key=key)) for key in answers}
        assert again == answers
    finally:
        running.stop()


def _until_answered(client: EngineClient, command: dict[str, Any]) -> dict[str, Any]:
    """As a client does: ask again under the same key while the engine can't store."""
    while True:
        try:
            return client.submit(command)
        except Exception as error:
            if getattr(error, "code", "") != "unavailable":
                raise
            threading.Event().wait(0.05)


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
