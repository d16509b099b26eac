"""Replaying a shard's journal: proof that its tables are what its commands make of nothing."""

from typing import Any

import orjson

from portal.core.hashchain import START, link
from portal.engine import store
from portal.engine.apply import apply
from portal.engine.commands import parse_command
from portal.engine.loading import read_journal, read_state
from portal.engine.state import ShardState


def replay(connection: store.Connection, shard: str) -> ShardState:
    """The state that the journal alone gives. Raises ValueError where its chain is broken."""
    state, previous = ShardState(shard), START
    with connection.transaction():
        for row in read_journal(connection, shard):
            if row.previous != previous or link(previous, row.commands) != row.hash:
                raise ValueError(f"the journal's chain breaks at sequence {row.first_seq}")
            previous = row.hash
            _apply_batch(state, row.commands)
    return state


def differences(connection: store.Connection, shard: str) -> list[str]:
    """Where the tables differ from a replay of the journal; empty when they are equal."""
    try:
        replayed = replay(connection, shard).snapshot()
    except ValueError as error:
        return [str(error)]
    stored = read_state(connection, shard).snapshot()
    return [
        f"{part}: the journal gives {_first_difference(replayed[part], stored[part])}"
        for part in replayed
        if replayed[part] != stored[part]
    ]


def _apply_batch(state: ShardState, commands: bytes) -> None:
    for seq, at_ms, raw in orjson.loads(commands):
        apply(state, parse_command(raw), at_ms)
        if state.seq != seq:
            raise ValueError(f"command {seq} of the journal replays as {state.seq}")
    state.take_changes()


def _first_difference(replayed: Any, stored: Any) -> str:
    if not isinstance(replayed, dict) or not isinstance(stored, dict):
        return f"{replayed}, the tables hold {stored}"
    for key in sorted({*replayed, *stored}, key=str):
        if replayed.get(key) != stored.get(key):
            return f"{key} = {replayed.get(key)}, the tables hold {stored.get(key)}"
    return "the same"
