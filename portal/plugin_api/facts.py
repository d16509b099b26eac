"""What a plugin is told about an order or a trade: plain values, nothing to call back into."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from portal.core.money import Asset, Money

Side = Literal["buy", "sell"]


@dataclass(frozen=True, slots=True)
class PartyFacts:
    """One person, as far as a rule may look at them.

    Attributes:
        kyc_tier: 0 = identity not checked, then 1, 2, … as staff set it.
        country: ISO 3166-1 alpha-2 of residence, upper case; "" when unknown.
        completed_trades: trades that ended with the coins paid out.
        account_age_days: whole days since sign-up.
        traded_today: local money of this person's other trades of the same currency that were
            matched on the same UTC day and not cancelled, expired or refunded.
        traded_30d: the same for the 30 times 24 hours up to the question, today's included; None
            where the portal has not summed it (orders are asked without it). Since 1.1.
        groups: names of the groups that staff put this person in, sorted. Since 1.1.
    """

    user_id: int
    kyc_tier: int
    country: str
    completed_trades: int
    account_age_days: int
    traded_today: Money
    traded_30d: Money | None = None
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """An order somebody wants to place.

    Attributes:
        quantity: in the base coin.
        amount: what the whole order would cost in local money; None when no price is known yet.
        at: aware UTC time of the question.
    """

    market: str
    side: Side
    base: Asset
    quote: Asset
    quantity: Money
    amount: Money | None
    methods: tuple[str, ...]
    party: PartyFacts
    at: datetime


@dataclass(frozen=True, slots=True)
class WalletFacts:
    """The address outside the platform that a trade's coins go to or come from. Since 1.1.

    Attributes:
        self_hosted: no other service provider holds its keys.
        proved: the person has proved control of it.
        travel_rule_sent: IVMS101 data of both sides was exchanged and is complete.
    """

    address: str
    self_hosted: bool
    proved: bool = False
    travel_rule_sent: bool = False


@dataclass(frozen=True, slots=True)
class TradeFacts:
    """A trade that was just matched.

    Attributes:
        quantity: in the base coin.
        amount: in local money, as the buyer will pay it.
        price: decimal text, local money for one whole coin.
        maker_side: what the order that was there first does; the other one is the taker.
        method: slug of the payment gateway.
        at: aware UTC time of the match.
        wallet: of coins that leave or reach the platform for this trade; None when they stay on
            it. Since 1.1.
    """

    trade_id: int
    market: str
    quantity: Money
    amount: Money
    price: str
    maker_side: Side
    method: str
    buyer: PartyFacts
    seller: PartyFacts
    at: datetime
    wallet: WalletFacts | None = None

    @property
    def maker(self) -> PartyFacts:
        """Whose order was there first. Since 1.1."""
        return self.buyer if self.maker_side == "buy" else self.seller

    @property
    def taker(self) -> PartyFacts:
        """Whose order came. Since 1.1."""
        return self.seller if self.maker_side == "buy" else self.buyer
