"""Compliance rules: they answer ALLOW, DENY(reason) or HOLD(reason), never silence."""

from abc import abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

from portal.plugin_api.facts import OrderFacts, TradeFacts
from portal.plugin_api.provider import Provider


class Verdict(StrEnum):
    """What a rule says, from mildest to strictest."""

    ALLOW = "allow"
    HOLD = "hold"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict with the reason that the person and the compliance officer read.

    Make one with `allow`, `deny` or `hold`; a denial or a hold without a reason is refused.
    """

    verdict: Verdict
    reason: str = ""

    def __post_init__(self) -> None:
        if self.verdict is not Verdict.ALLOW and not self.reason.strip():
            raise ValueError(f"a decision to {self.verdict.value} needs a reason")

    @classmethod
    def allow(cls) -> "Decision":
        """Nothing against it."""
        return cls(Verdict.ALLOW)

    @classmethod
    def deny(cls, reason: str) -> "Decision":
        """Refused; the person is shown `reason`."""
        return cls(Verdict.DENY, reason)

    @classmethod
    def hold(cls, reason: str) -> "Decision":
        """Waits for a compliance officer."""
        return cls(Verdict.HOLD, reason)


class ComplianceRules(Provider):
    """Rules of one region or one law. All enabled providers are asked; the strictest wins.

    An exception or an answer that is no Decision counts as HOLD.

    `order_answer_seconds`: for how long an answer of `check_order` holds for further orders of
    the same person on the same market and side, with the same methods, that are not larger in
    coins or money. 0: every order is asked. The portal may then ask with quantity and amount
    rounded up, and denies nothing that it did not ask for exactly. A change of the person, the
    market or any settings ends an answer at once, midnight (UTC) too; `completed_trades` and
    `traded_today` may change meanwhile. Declare it if `check_order` goes by country, tier and
    such; many orders a second are only possible then.
    """

    order_answer_seconds: ClassVar[float] = 0.0

    @abstractmethod
    def check_order(self, facts: OrderFacts, settings: Any) -> Decision:
        """May this person place this order?"""

    @abstractmethod
    def check_trade(self, facts: TradeFacts, settings: Any) -> Decision:
        """May these two people trade this?"""
