"""A shard in memory with a clock the test turns."""

from typing import Any

from portal.engine.apply import apply
from portal.engine.commands import parse_command
from portal.engine.state import ShardState
from portal.ledger.rules import AccountKey

MONDAY = 345_600_000  # 1970-01-05, 00:00 UTC


class Shard:
    """Commands go in as at the engine's door; what is due happens before each."""

    def __init__(self) -> None:
        self.state = ShardState("test")
        self.at_ms = MONDAY

    def do(self, command: dict[str, Any]) -> dict[str, Any]:
        """Apply a command now."""
        if self.at_ms >= self.state.due_ms:
            apply(self.state, parse_command({"kind": "clock_tick"}), self.at_ms)
        return apply(self.state, parse_command(command), self.at_ms)

    def wait(self, ms: int) -> None:
        """Let time pass."""
        self.at_ms += ms
        self.do({"kind": "clock_tick"})

    def balance(self, owner: int, kind: str = "available", asset: str = "USDT") -> int:
        """What somebody has."""
        return self.state.balance(AccountKey(owner, asset, kind))

    def paused(self, order_id: int) -> str | None:
        """Why an order is out of the book."""
        return self.state.orders[order_id].paused
