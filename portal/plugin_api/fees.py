"""Fee models: pure functions from trade facts and settings to fees."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

from portal.core.money import Money
from portal.plugin_api.facts import TradeFacts
from portal.plugin_api.provider import Provider


@dataclass(frozen=True, slots=True)
class Fees:
    """What each side pays, in the base coin of the trade.

    Attributes:
        maker: zero or more; taken from the side whose order was there first.
        taker: zero or more; taken from the other side.
        explanation: one line that lets a person recompute both numbers.
    """

    maker: Money
    taker: Money
    explanation: str


class FeeModel(Provider):
    """Sets the platform's fee of each trade.

    The portal refuses an answer that is negative, in another asset, or larger than the trade.
    """

    @abstractmethod
    def quote(self, facts: TradeFacts, settings: Any) -> Fees:
        """The fees of this trade. Must give the same answer for the same arguments."""
