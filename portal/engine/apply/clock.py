"""What time alone brings about.

The sequencer journals a tick whenever something is due, before the command it was about to apply:
so it happens at the same point of every replay.
"""

from typing import Any

from portal.engine.apply import entering
from portal.engine.commands import ClockTick
from portal.engine.state import ShardState


def tick(state: ShardState, command: ClockTick) -> dict[str, Any]:
    """Do what is due at the state's time."""
    state.begin_day()
    entering.do_what_is_due(state)
    return {}
