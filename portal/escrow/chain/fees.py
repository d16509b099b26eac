"""What a transaction offers for its gas (EIP-1559). Pure; every fee is in wei per unit of gas.

The market comes from `eth_feeHistory`: the base fee of the next block, and what those who were
mined lately tipped. A transaction that waits is replaced with both fees raised, never above the
cap that the operator set.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median
from typing import Any

GWEI = 10**9
# 0.1 gwei: a tip in blocks that nobody fills, and more than nodes ask for by default.
LEAST_TIP = GWEI // 10
# Nodes take a replacement only at so much more of both fees: geth asks for 10 %, others 12.5 %.
RAISE_PER_MILLE = 1_125
HISTORY_BLOCKS = 20


class Urgency(StrEnum):
    """How soon a transaction has to be mined."""

    NORMAL = "normal"
    URGENT = "urgent"


# Percentile of the tips paid in recent blocks; and how many times the next base fee is borne:
# a base fee grows by 12.5 % a full block at most, so 2 lasts six full blocks and 3 lasts nine.
TIP_PERCENTILES = {Urgency.NORMAL: 50, Urgency.URGENT: 90}
_BASE_FEES = {Urgency.NORMAL: 2, Urgency.URGENT: 3}


@dataclass(frozen=True)
class Fees:
    """`maxFeePerGas` and `maxPriorityFeePerGas`."""

    max_fee: int
    priority_fee: int


@dataclass(frozen=True)
class FeeMarket:
    """The next block's base fee, and the tip that is usual for each urgency."""

    base_fee: int
    tips: Mapping[Urgency, int]

    def asks(self, urgency: Urgency) -> Fees:
        """What a new transaction has to offer to be mined soon."""
        tip = max(self.tips[urgency], LEAST_TIP)
        return Fees(_BASE_FEES[urgency] * self.base_fee + tip, tip)

    def passes(self, fees: Fees) -> bool:
        """Whether the next block could take a transaction with these fees."""
        return fees.max_fee >= self.base_fee


def read_market(history: Mapping[str, Any]) -> FeeMarket:
    """The market in an answer of `eth_feeHistory` that was asked for `TIP_PERCENTILES` in order.

    Empty blocks say nothing of tips: they report zero, and are left out.
    """
    rewards: Sequence[Sequence[int]] = history.get("reward") or ()
    tips = {
        urgency: int(median([row[place] for row in rewards if row[place]] or [0]))
        for place, urgency in enumerate(TIP_PERCENTILES)
    }
    return FeeMarket(int(history["baseFeePerGas"][-1]), tips)


def first_fees(market: FeeMarket, urgency: Urgency, cap: int) -> Fees:
    """Fees of a new transaction: the market's, but not above `cap`."""
    asked = market.asks(urgency)
    return Fees(min(asked.max_fee, cap), min(asked.priority_fee, cap))


def raised_fees(old: Fees, market: FeeMarket, urgency: Urgency, cap: int) -> Fees | None:
    """Fees that replace `old`: both at least 12.5 % up and no less than the market asks.

    None when the cap leaves no room for that: such a transaction can only wait.
    """
    least = Fees(_raised(old.max_fee), _raised(old.priority_fee))
    if least.max_fee > cap:
        return None
    asked = market.asks(urgency)
    max_fee = min(max(least.max_fee, asked.max_fee), cap)
    return Fees(max_fee, min(max(least.priority_fee, asked.priority_fee), max_fee))


def _raised(fee: int) -> int:
    return max(-(-fee * RAISE_PER_MILLE // 1000), fee + 1)
