"""Whom an order trades with, and what is known of its owner. Pure.

Compiled by mypyc where a C compiler is there, with the same results.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Facts:
    """What is known of an order's owner. `since_ms`: when the account was opened."""

    tier: int = 0
    trades: int = 0
    completion_bps: int = 0
    since_ms: int = 0
    region: str = ""


NOTHING_KNOWN = Facts()


@dataclass(frozen=True)
class Conditions:
    """Whom an order trades with.

    `min_age_ms`: age of the account. `first_trade_max`: the largest trade, in base units, with
    somebody who has no trades. `regions`: all when empty.
    """

    min_tier: int = 0
    min_trades: int = 0
    min_completion_bps: int = 0
    min_age_ms: int = 0
    first_trade_max: int | None = None
    regions: tuple[str, ...] = ()

    def admit(self, facts: Facts | None, at_ms: int) -> bool:
        """Whether somebody of whom this is known may trade at all. None: nothing is known."""
        known = facts or NOTHING_KNOWN
        return (
            known.tier >= self.min_tier
            and known.trades >= self.min_trades
            and known.completion_bps >= self.min_completion_bps
            and at_ms - known.since_ms >= self.min_age_ms
            and (not self.regions or known.region in self.regions)
        )

    def largest(self, facts: Facts | None) -> int | None:
        """The largest trade with somebody of whom this is known; None: whatever they like."""
        return None if facts is not None and facts.trades else self.first_trade_max
