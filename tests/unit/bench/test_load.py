"""The load keeps its schedule whatever the server does, and counts from when a command was due."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from portal.bench.commands import deposit
from portal.bench.connections import Connections
from portal.bench.load import Load, Plan, Report
from portal.bench.workloads import Answer, Setup
from portal.engine import frames

Answering = Callable[[int, dict[str, Any]], dict[str, Any]]


class Deposits:
    """The plainest workload."""

    expected = frozenset({"conflict"})

    def setup(self) -> Setup:
        answers = yield [deposit(1, 1), deposit(2, 1)]
        assert [answer.order_id for answer in answers] == [1, 2]

    def command(self, number: int) -> bytes:
        return deposit(number + 1, 1)

    def answered(self, number: int, answer: Answer) -> None:
        assert answer.order_id

    def refused(self, number: int) -> None:
        pass

    def figures(self) -> dict[str, Any]:
        return {}


@contextmanager
def server(answer: Answering) -> Iterator[int]:
    """A socket that answers each command by `answer(how many came before, command)`."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listening.accept()
        with connection, connection.makefile("rb") as incoming:
            count = 0
            assert read(incoming) == {"token": "secret"}
            while message := read(incoming):
                commands = message.get("commands") or [message["command"]]
                items = []
                for command in commands:
                    count += 1
                    items.append(answer(count, command))
                reply = {"results": items} if "commands" in message else items[0]
                connection.sendall(frames.pack({"id": message["id"], **reply}))

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        thread.join(10)
        listening.close()


def read(incoming: Any) -> dict[str, Any]:
    header = incoming.read(frames.HEADER.size)
    return frames.unpack(incoming.read(frames.length_of(header))) if header else {}


def run(answer: Answering, **changes: Any) -> Report:
    with server(answer) as port:
        plan = Plan(port, "secret", "", rate=400, seconds=0.5, connections=1, **changes)
        load = Load(plan, Deposits(), Connections(port, "secret", 1))
        try:
            load.set_up()
            load.run()
        finally:
            load.transport.close()
        return load.report()


def accept(count: int, command: dict[str, Any]) -> dict[str, Any]:
    return {"result": {"seq": count, "order_id": count}}


def test_every_command_is_sent_once_under_a_key_of_its_own() -> None:
    seen: list[str] = []

    def note(count: int, command: dict[str, Any]) -> dict[str, Any]:
        seen.append(command["key"])
        return accept(count, command)

    report = run(note, warmup=0.25)
    assert len(seen) == len(set(seen)) == 2 + 300
    assert (report.commands, report.answered, report.unanswered) == (200, 200, 0)
    assert report.accepted == 302


def test_several_commands_of_a_frame_are_answered_each() -> None:
    report = run(accept, per_frame=50)
    assert (report.commands, report.answered, report.accepted) == (200, 200, 202)


def test_a_stall_is_counted_for_all_that_was_due_meanwhile() -> None:
    stalled = threading.Event()

    def stall(count: int, command: dict[str, Any]) -> dict[str, Any]:
        if count == 50:
            stalled.wait(0.3)
        return accept(count, command)

    with_stall = run(stall)
    # 120 commands were due in those 0.3 s: half of them waited at least half of it.
    assert (with_stall.ack_ms["max"] or 0) >= 290
    assert (with_stall.ack_ms["p99"] or 0) >= 250


def test_refusals_are_counted_and_the_unexpected_ones_named() -> None:
    def refuse(count: int, command: dict[str, Any]) -> dict[str, Any]:
        if count == 10:
            return {"error": {"code": "conflict", "message": "Gone."}}
        if count == 20:
            return {"error": {"code": "too_many_requests", "message": "Busy.", "field": "key"}}
        return accept(count, command)

    report = run(refuse)
    assert report.refused == {"conflict": 1, "too_many_requests": 1}
    assert report.unexpected == {"too_many_requests": "key: Busy."}
    assert report.accepted == 200
