"""What every fee model must hold."""

from collections.abc import Sequence
from typing import ClassVar

from portal.plugin_api import Asset, FeeModel, Fees, Money, TradeFacts
from portal.testing.facts import trade_facts
from portal.testing.providers import ProviderConformance

# From one unit to near the largest amount there is.
UNITS = (1, 2, 3, 9, 10, 99, 101, 9_999, 10_001, 33_333_333, 10**9 + 7, 10**15 + 1, 2**62)
# USDT, BTC, ETH, a coin without fractions, and one with many.
COINS = tuple(
    Asset(code, places)
    for code, places in (("USDT", 6), ("BTC", 8), ("ETH", 9), ("XAU", 0), ("DAI", 18))
)


class FeeModelConformance(ProviderConformance):
    """Cases F01 to F07 beside those of every provider. Name your `provider`.

    `coins`: those that your settings have a fee for, if that is not every coin.
    """

    provider: ClassVar[FeeModel]
    coins: ClassVar[Sequence[Asset]] = COINS

    def quote(self, facts: TradeFacts) -> Fees:
        """What the model says of a trade."""
        return self.provider.quote(facts, self.chosen)

    def trades(self) -> list[TradeFacts]:
        """Trades of every size, coin and side."""
        return [
            trade_facts(quantity=Money(coin, units), maker_side=side)
            for coin in self.coins
            for units in UNITS
            for side in ("buy", "sell")
        ]

    def test_f01_gives_fees(self) -> None:
        """Every trade gets an answer, of the right type."""
        assert all(type(self.quote(facts)) is Fees for facts in self.trades())

    def test_f02_in_the_coin_of_the_trade(self) -> None:
        """Both fees are in the base coin, in whole ledger units."""
        for facts in self.trades():
            fees = self.quote(facts)
            for fee in (fees.maker, fees.taker):
                assert fee.asset == facts.quantity.asset
                assert type(fee.units) is int

    def test_f03_never_negative_never_more_than_the_trade(self) -> None:
        """No fee is below zero, none is more than what is traded."""
        for facts in self.trades():
            fees = self.quote(facts)
            assert 0 <= fees.maker.units <= facts.quantity.units
            assert 0 <= fees.taker.units <= facts.quantity.units

    def test_f04_the_same_answer_every_time(self) -> None:
        """A pure function: no clock, no chance, nothing remembered."""
        first = [self.quote(facts) for facts in self.trades()]
        assert [self.quote(facts) for facts in self.trades()] == first

    def test_f05_tells_how(self) -> None:
        """The explanation is one line, and not empty: people recompute the fee from it."""
        for facts in self.trades():
            told = self.quote(facts).explanation
            assert told.strip()
            assert "\n" not in told
            assert len(told) <= 500

    def test_f06_the_number_of_a_trade_does_not_matter(self) -> None:
        """Two equal trades pay the same."""
        for facts in self.trades()[:20]:
            other = trade_facts(
                trade_id=2**52, quantity=facts.quantity, maker_side=facts.maker_side
            )
            mine, theirs = self.quote(facts), self.quote(other)
            assert (mine.maker, mine.taker) == (theirs.maker, theirs.taker)

    def test_f07_rounds_by_less_than_a_unit_at_scale(self) -> None:
        """Ten thousand times the trade pays no more than ten thousand times the fee, unit for unit.

        Rounding may take a part of a unit from each trade, never more; a minimum is paid once.
        """
        for units in (10_001, 33_333_333):
            one = self.quote(trade_facts(quantity=Money(self.coins[0], units)))
            many = self.quote(trade_facts(quantity=Money(self.coins[0], units * 10_000)))
            assert many.maker.units <= (one.maker.units + 1) * 10_000
            assert many.taker.units <= (one.taker.units + 1) * 10_000
