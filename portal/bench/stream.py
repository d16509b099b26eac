"""One deterministic stream of limit orders for matchers: ours and others'."""

import random
from collections.abc import Sequence
from typing import NamedTuple

MID = 9_200
_CROSSING = 60
_DEEP = 40
_FARTHEST = 2_000


class Step(NamedTuple):
    """One order to place (`side` is buy or sell), or to cancel (`side` is empty)."""

    number: int
    side: str
    price: int
    lots: int


def normal(
    count: int, seed: int = 1, cancels: float = 0.1, resting: Sequence[Step] = ()
) -> list[Step]:
    """Half of the orders rest beside the mid price, half cross; `cancels` take one back.

    What is cancelled is an order away from the mid that was placed some time before, or one of
    `resting`; now and then it has been filled meanwhile, as in life.
    """
    rng = random.Random(seed)  # noqa: S311
    steps: list[Step] = []
    deep = [step.number for step in resting]
    for number in range(len(resting) + 1, len(resting) + count + 1):
        if deep and rng.random() < cancels:
            steps.append(Step(deep.pop(rng.randrange(len(deep))), "", 0, 0))
            continue
        side = rng.choice(("buy", "sell"))
        outward = -1 if side == "buy" else 1
        lots = rng.randint(10, 100)
        if rng.random() < 0.5:
            steps.append(Step(number, side, MID - outward * _CROSSING, lots))
            continue
        away = rng.randint(1, _CROSSING)
        steps.append(Step(number, side, MID + outward * away, lots))
        if away > _DEEP:
            deep.append(number)
    return steps


def far(count: int, seed: int = 2) -> list[Step]:
    """Orders that rest too far from the mid for `normal` to reach them."""
    rng = random.Random(seed)  # noqa: S311
    steps = []
    for number in range(1, count + 1):
        side = rng.choice(("buy", "sell"))
        away = rng.randint(_CROSSING + 1, _FARTHEST) * (-1 if side == "buy" else 1)
        steps.append(Step(number, side, MID + away, rng.randint(10, 100)))
    return steps
