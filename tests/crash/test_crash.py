"""Whatever is broken, and whenever: nothing acknowledged is lost, nothing happens twice."""

import asyncio
import os
import random
import time

import pytest

from tests.crash.faults import FAULTS
from tests.crash.world import Fault, Template, living

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

# Without being asked for more, every fault once, always in the same order; a long loop is another
# one each time, and says which.
ASKED = "CRASH_ROUNDS" in os.environ
ROUNDS = int(os.environ.get("CRASH_ROUNDS", len(FAULTS)))
SEED = int(os.environ.get("CRASH_SEED", time.time_ns() // 10**9 if ASKED else 20260101))
PER_WORLD = max(10, len(FAULTS))


def plan(seed: int, rounds: int) -> list[Fault]:
    """The faults of a world: every one before any comes again."""
    choose = random.Random(seed)
    faults: list[Fault] = []
    while len(faults) < rounds:
        faults += choose.sample(FAULTS, len(FAULTS))
    return faults[:rounds]


async def play(template: Template, seed: int, faults: list[Fault]) -> None:
    async with living(template, seed) as world:
        for number, fault in enumerate(faults, 1):
            told = f"CRASH_SEED={SEED}, world {seed}, round {number}: {fault.__name__}"
            broken = await world.play(fault)
            acknowledged = len(world.log.acknowledged)
            print(f"{told}; {acknowledged} acknowledged of {len(world.log.sent)}", flush=True)
            assert broken == [], told


@pytest.mark.parametrize("first", range(0, ROUNDS, PER_WORLD))
def test_round_after_round(template: Template, first: int) -> None:
    rounds = plan(SEED, ROUNDS)[first : first + PER_WORLD]
    asyncio.run(play(template, SEED + first, rounds))
