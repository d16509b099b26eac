"""What every set of compliance rules must hold."""

from itertools import pairwise
from typing import ClassVar

import pytest

from portal.plugin_api import (
    ComplianceRules,
    Decision,
    Money,
    OrderFacts,
    PartyFacts,
    TradeFacts,
    Verdict,
)
from portal.testing.facts import EUR, USDT, order_facts, party_facts, trade_facts
from portal.testing.providers import ProviderConformance

COUNTRIES = ("DE", "GB", "US", "SG", "HK", "JP", "CH", "AE", "IN", "BR", "NG", "CN", "KP", "")
TIERS = (0, 1, 2, 3)
CENTS = (1, 100_00, 999_99, 1_000_00, 1_000_01, 15_000_00, 10**9, 2**52)
_ORDER = [Verdict.ALLOW, Verdict.HOLD, Verdict.DENY]


class ComplianceConformance(ProviderConformance):
    """Cases C01 to C06 beside those of every provider. Name your `provider`.

    `monotonic`: a smaller trade is never judged more strictly than a larger one of the same
    people. Say False when your rules mean otherwise (C05 is then skipped).
    """

    provider: ClassVar[ComplianceRules]
    monotonic: ClassVar[bool] = True

    def people(self) -> list[PartyFacts]:
        """People of every country and tier, unknown ones among them."""
        return [
            party_facts(country=country, kyc_tier=tier) for country in COUNTRIES for tier in TIERS
        ]

    def trades(self, cents: int) -> list[TradeFacts]:
        """Trades of that size between all of them and a usual person."""
        amount, quantity = Money(EUR, cents), Money(USDT, cents * 10_000)
        return [
            trade_facts(amount=amount, quantity=quantity, buyer=one, seller=party_facts(user_id=9))
            for one in self.people()
        ] + [
            trade_facts(amount=amount, quantity=quantity, seller=one, buyer=party_facts(user_id=9))
            for one in self.people()
        ]

    def orders(self) -> list[OrderFacts]:
        """Orders of all of them, priced and not."""
        return [
            order_facts(party=one, side=side, amount=amount)
            for one in self.people()
            for side in ("buy", "sell")
            for amount in (None, Money(EUR, 92_00))
        ]

    def test_c01_always_decides_about_trades(self) -> None:
        """Every trade gets a Decision: silence or an exception would hold it."""
        for cents in CENTS:
            for facts in self.trades(cents):
                assert type(self.provider.check_trade(facts, self.chosen)) is Decision

    def test_c02_always_decides_about_orders(self) -> None:
        """Every order too, whether its price is known or not."""
        for facts in self.orders():
            assert type(self.provider.check_order(facts, self.chosen)) is Decision

    def test_c03_the_same_answer_every_time(self) -> None:
        """Answers follow from facts and settings alone; the day is in the facts."""
        for facts in self.trades(1_000_00):
            first = self.provider.check_trade(facts, self.chosen)
            assert self.provider.check_trade(facts, self.chosen) == first

    def test_c04_says_why(self) -> None:
        """A denial or a hold has a reason of one line, which people are shown."""
        for facts in self.trades(10**9):
            decision = self.provider.check_trade(facts, self.chosen)
            if decision.verdict is not Verdict.ALLOW:
                assert decision.reason.strip()
                assert "\n" not in decision.reason

    def test_c05_smaller_is_never_judged_more_strictly(self) -> None:
        """Skipped when the suite says that the rules are not `monotonic`."""
        if not self.monotonic:
            pytest.skip("these rules are not monotonic")
        judged = [
            [
                _ORDER.index(self.provider.check_trade(facts, self.chosen).verdict)
                for facts in self.trades(cents)
            ]
            for cents in CENTS
        ]
        for smaller, larger in pairwise(judged):
            assert all(one <= other for one, other in zip(smaller, larger, strict=True))

    def test_c06_an_answer_that_holds_for_a_while_says_for_how_long(self) -> None:
        """`order_answer_seconds` is a number of seconds, not negative and at most a day."""
        assert 0 <= self.provider.order_answer_seconds <= 86_400
