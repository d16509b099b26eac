"""What a load sends: a command for every slot of a schedule that is fixed in advance."""

from collections.abc import Generator
from typing import Any, Protocol

import msgspec


class Answer(msgspec.Struct):
    """What the loads read of an answer."""

    order_id: int = 0
    status: str = ""
    trades: list[int] = []
    trade_id: int = 0
    state: str = ""


class Refusal(msgspec.Struct):
    """A command that was refused, and why."""

    code: str = ""
    message: str = ""
    field: str | None = None


Setup = Generator[list[bytes], list[Answer], None]


class Workload(Protocol):
    """A stream of commands.

    `expected` names the refusals that belong to it, such as of an order that was gone already.
    """

    expected: frozenset[str]

    def setup(self) -> Setup:
        """Lists of commands that come before the clock starts; gets their answers."""
        ...

    def command(self, number: int) -> bytes:
        """The command of a slot, from behind its opening brace."""
        ...

    def answered(self, number: int, answer: Answer) -> None:
        """A slot's command was carried out."""
        ...

    def refused(self, number: int) -> None:
        """A slot's command was refused."""
        ...

    def figures(self) -> dict[str, Any]:
        """What to say of the run besides time."""
        ...
