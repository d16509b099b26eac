"""The load: a process of its own that sends commands on a schedule fixed in advance.

It never waits for an answer before it sends the next command, and counts every answer's time
from the moment the command was due, not from when it could be sent: a stall of the engine is
seen by everything that was due meanwhile (no coordinated omission).

Reads a `Plan` from the first line of standard input, says `ready` when the setup is done, starts
at the line `go`, and prints a `Report`.
"""

import gc
import sys
import time
from array import array
from collections import Counter
from collections.abc import Iterable
from importlib import import_module
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from portal.bench.connections import Connections, Reply
from portal.bench.results import ack_ms
from portal.bench.workloads import Answer, Refusal, Workload

_SECOND = 1_000_000_000
_WINDOW = 4_000
_PATIENCE_SECONDS = 30
_TICK_SECONDS = 0.001
_MOST_AT_ONCE = 1_000


class Plan(msgspec.Struct):
    """What to send: `workload` is `module:Class`, `options` its arguments.

    `rate` commands a second for `warmup` and then `seconds`; only the latter are counted.
    `per_frame` commands share a frame and the moment at which it is due.
    """

    port: int
    token: str
    workload: str
    rate: float
    seconds: float
    warmup: float = 0.0
    connections: int = 4
    per_frame: int = 1
    run: str = "bench"
    options: dict[str, Any] = {}


class Report(msgspec.Struct):
    """What came of it. `accepted` counts everything, setup and warm-up too; the rest does not."""

    commands: int
    answered: int
    unanswered: int
    lasted: float
    refused: dict[str, int]
    unexpected: dict[str, str]
    accepted: int
    ack_ms: dict[str, float | None]
    each_second: list[dict[str, float | None]]
    figures: dict[str, Any]


Sent = TypeVar("Sent")


class Transport(Protocol[Sent]):
    """Carries commands to a server and brings back what became of them."""

    def keyed(self, key: bytes, text: bytes) -> bytes:
        """A workload's command under a key of idempotency."""
        ...

    def message(self, number: int, texts: list[bytes]) -> Sent:
        """The commands of a slot, or of several from it on, as they are sent."""
        ...

    def send(self, messages: list[Sent]) -> None:
        """Send them all, without waiting."""
        ...

    def receive(self, seconds: float) -> list[tuple[int, Reply]]:
        """What arrives within `seconds`: (nanosecond, outcomes)."""
        ...

    def close(self) -> None:
        """Close every connection."""
        ...


class Load(Generic[Sent]):
    """One run of a plan."""

    def __init__(self, plan: Plan, workload: Workload, transport: Transport[Sent]) -> None:
        self.plan = plan
        self.workload = workload
        self.transport = transport
        step = plan.per_frame
        self.total = int(plan.rate * (plan.warmup + plan.seconds)) // step * step
        self.first = int(plan.rate * plan.warmup) // step * step
        self.latency = array("Q", bytes(8 * self.total))
        self.refused: Counter[str] = Counter()
        self.unexpected: dict[str, str] = {}
        self.accepted = 0
        self.answered = 0
        self.last_ns = 0

    def set_up(self) -> None:
        """Everything that comes before the clock, as fast as it goes. Raises on a refusal."""
        steps = self.workload.setup()
        number = 0
        try:
            commands = next(steps)
            while True:
                answers = self._all_of(commands, number)
                number += len(commands)
                commands = steps.send(answers)
        except StopIteration:
            return

    def _all_of(self, commands: list[bytes], base: int) -> list[Answer]:
        answers: list[Answer | None] = [None] * len(commands)
        key = self.plan.run.encode() + b"-setup%d"
        sent = done = 0
        while done < len(commands):
            messages = []
            while sent < len(commands) and sent - done < _WINDOW:
                part = commands[sent : sent + self.plan.per_frame]
                texts = [
                    self.transport.keyed(key % (base + sent + place), text)
                    for place, text in enumerate(part)
                ]
                messages.append(self.transport.message(sent, texts))
                sent += len(part)
            if messages:
                self.transport.send(messages)
            for _, reply in self.transport.receive(1.0):
                for place, item in enumerate(reply.items(), reply.id):
                    if item.result is None:
                        raise RuntimeError(f"the setup was refused: {item.error}")
                    answers[place] = item.result
                    done += 1
        self.accepted += len(commands)
        return [answer for answer in answers if answer is not None]

    def run(self) -> None:
        """Send the schedule, then wait for the last answers."""
        total, step = self.total, self.plan.per_frame
        interval = _SECOND / self.plan.rate
        start = time.perf_counter_ns()
        sent = self.answered = 0
        until = start + int(total * interval) + _PATIENCE_SECONDS * _SECOND
        while self.answered < total and (now := time.perf_counter_ns()) < until:
            due = min(total, (int((now - start) / interval) // step + 1) * step)
            due = min(due, sent + max(step, _MOST_AT_ONCE))
            if due > sent:
                self.transport.send(self._messages(sent, due))
                sent = due
            for at, reply in self.transport.receive(self._pause(sent, start, interval)):
                self._take(at, reply, start, interval)
        self.last_ns = max(self.last_ns - start - int(self.first * interval), 1)

    def _messages(self, begin: int, end: int) -> list[Sent]:
        message, keyed = self.transport.message, self.transport.keyed
        command, step = self.workload.command, self.plan.per_frame
        key = self.plan.run.encode() + b"-%d"
        texts = [keyed(key % n, command(n)) for n in range(begin, end)]
        if step == 1:
            return [message(begin + place, [text]) for place, text in enumerate(texts)]
        return [
            message(begin + place, texts[place : place + step])
            for place in range(0, len(texts), step)
        ]

    def _pause(self, sent: int, start: int, interval: float) -> float:
        """Until the next command is due; what is due within a tick goes out in one write."""
        if sent >= self.total:
            return 0.1
        left = (start + sent * interval - time.perf_counter_ns()) / _SECOND
        return max(left, _TICK_SECONDS) if left > 0 else 0.0

    def _take(self, at: int, reply: Reply, start: int, interval: float) -> None:
        if at > self.last_ns:
            self.last_ns = at
        due = start + int(reply.id * interval)
        latency = max(at - due, 1000) // 1000
        for number, item in enumerate(reply.items(), reply.id):
            self.answered += 1
            self.latency[number] = latency
            if item.result is not None:
                self.accepted += 1
                self.workload.answered(number, item.result)
            else:
                self.workload.refused(number)
                self._refuse(number, item.error or Refusal())

    def _refuse(self, number: int, refusal: Refusal) -> None:
        if number >= self.first:
            self.refused[refusal.code] += 1
        if refusal.code not in self.workload.expected:
            self.unexpected.setdefault(refusal.code, f"{refusal.field}: {refusal.message}")

    def report(self) -> Report:
        """The figures of what was due after the warm-up."""
        counted = self.latency[self.first :]
        answered = [value for value in counted if value]
        return Report(
            commands=len(counted),
            answered=len(answered),
            unanswered=len(counted) - len(answered),
            lasted=round(max(self.last_ns / _SECOND, self.plan.seconds), 3),
            refused=dict(self.refused),
            unexpected=self.unexpected,
            accepted=self.accepted,
            ack_ms=ack_ms(answered),
            each_second=list(self._each_second(counted)),
            figures=self.workload.figures(),
        )

    def _each_second(self, counted: "array[int]") -> Iterable[dict[str, float | None]]:
        step = int(self.plan.rate)
        for begin in range(0, len(counted), max(step, 1)):
            yield ack_ms(value for value in counted[begin : begin + step] if value)


def on_request(load: Load[Any]) -> None:
    """Set up, say so, and run when told to."""
    load.set_up()
    gc.collect()
    gc.freeze()
    gc.disable()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    if sys.stdin.buffer.readline().strip() != b"go":
        return
    load.run()
    load.transport.close()
    sys.stdout.write(msgspec.json.encode(load.report()).decode() + "\n")
    sys.stdout.flush()


def read_plan() -> Plan:
    """The plan on standard input."""
    return msgspec.json.decode(sys.stdin.buffer.readline(), type=Plan)


def main() -> None:
    """Run the plan on standard input against an engine."""
    plan = read_plan()
    module, _, name = plan.workload.partition(":")
    workload: Workload = getattr(import_module(module), name)(**plan.options)
    on_request(Load(plan, workload, Connections(plan.port, plan.token, plan.connections)))


if __name__ == "__main__":
    main()
