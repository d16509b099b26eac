"""From what several sources said to one price, or to the reason why there is none. Pure.

The one rounding rule: sources are compared and averaged as exact decimals; the median is rounded
once, half to even, to the market's tick.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext

from portal.core.money import ticks_from_decimal
from portal.core.units import MAX_UNITS

# Enough digits that nothing is rounded before the one rounding to a tick.
PRECISION = 60
# An exchange's clock may run this far ahead of ours before its ticker is disbelieved.
CLOCK_SKEW_MS = 5_000
# A price of more than 10**30 or less than 10**-30 is a broken feed.
MAX_MAGNITUDE = 30


@dataclass(frozen=True, slots=True)
class Reading:
    """What one source answered: a price in quote per whole base coin, or the problem.

    `at_ms` is the exchange's own time of the ticker (the oldest leg's), None where the exchange
    sends none; `fetched_ms` is when we asked. Milliseconds, UTC.
    """

    source: str
    fetched_ms: int
    price: Decimal | None = None
    at_ms: int | None = None
    problem: str | None = None

    @property
    def observed_ms(self) -> int:
        """The age that counts: the older of the two times."""
        return self.fetched_ms if self.at_ms is None else min(self.at_ms, self.fetched_ms)


@dataclass(frozen=True, slots=True)
class Policy:
    """When a source counts: age limit (ms), distance from the median (bps), how many must agree."""

    staleness_ms: int
    outlier_bps: int
    min_sources: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """One source's part in a quote: used, or why not."""

    reading: Reading
    used: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """A price in ticks of its market, or None with the reason; always with every source's part.

    `observed_ms` is the oldest observation used: the price stays good for the staleness limit
    counted from there, not from when it was computed.
    """

    price_ticks: int | None
    at_ms: int
    reason: str | None
    verdicts: tuple[Verdict, ...]
    observed_ms: int | None = None


def median(prices: Sequence[Decimal]) -> Decimal:
    """The middle price; of an even number, the mean of the two middle ones.

    Raises ValueError when there are none.
    """
    if not prices:
        raise ValueError("no prices, no median")
    ranked = sorted(prices)
    middle = len(ranked) // 2
    if len(ranked) % 2:
        return ranked[middle]
    with localcontext() as context:
        context.prec = PRECISION
        return (ranked[middle - 1] + ranked[middle]) / 2


def judge(
    readings: Sequence[Reading], policy: Policy, *, price_places: int, now_ms: int
) -> Judgement:
    """The market's price from its sources, with the part each of them played."""
    with localcontext() as context:
        context.prec = PRECISION
        refusals = [refusal(reading, policy, now_ms) for reading in readings]
        fresh = [r.price for r, no in zip(readings, refusals, strict=True) if not no and r.price]
        centre = median(fresh) if fresh else Decimal(0)
        verdicts = tuple(
            Verdict(reading, False, no) if no else _against(reading, centre, policy)
            for reading, no in zip(readings, refusals, strict=True)
        )
        used = [verdict.reading for verdict in verdicts if verdict.used]
        reason = _shortage(len(readings), len(fresh), len(used), policy)
        price = None if reason else _ticks([r.price for r in used if r.price], price_places)
    if not reason and price is None:
        reason = "The median does not fit the market's price ticks."
    observed = min((reading.observed_ms for reading in used), default=None)
    return Judgement(price, now_ms, reason, verdicts, None if price is None else observed)


def refusal(reading: Reading, policy: Policy, now_ms: int) -> str:
    """Why this reading can't count whatever the others say; empty when it can."""
    price = reading.price
    if reading.problem or price is None:
        return reading.problem or "no price"
    if not price.is_finite() or price <= 0 or abs(price.adjusted()) > MAX_MAGNITUDE:
        return f"not a price: {price:.6g}"
    if reading.observed_ms > now_ms + CLOCK_SKEW_MS:
        return f"from the future: {(reading.observed_ms - now_ms) // 1000} s ahead"
    age = now_ms - reading.observed_ms
    if age > policy.staleness_ms:
        return f"stale: {age // 1000} s old, limit {policy.staleness_ms // 1000} s"
    return ""


def _against(reading: Reading, centre: Decimal, policy: Policy) -> Verdict:
    price = reading.price or Decimal(0)
    distance = abs(price - centre)
    if distance * 10_000 <= policy.outlier_bps * centre:
        return Verdict(reading, True, "used")
    off = distance * 100 / centre
    limit = _percent(policy.outlier_bps)
    return Verdict(reading, False, f"outlier: {off:.2f} % from the median, limit {limit}")


def _percent(bps: int) -> str:
    return f"{(Decimal(bps) / 100).normalize():f} %"


def _shortage(asked: int, fresh: int, used: int, policy: Policy) -> str | None:
    if asked == 0:
        return "No price: the market has no price sources."
    if fresh < policy.min_sources:
        return f"No fresh price: {fresh} of {asked} sources answered, {policy.min_sources} needed."
    if used < policy.min_sources:
        return (
            f"Sources disagree: {used} of {fresh} within {_percent(policy.outlier_bps)} of the "
            f"median, {policy.min_sources} needed."
        )
    return None


def _ticks(prices: Sequence[Decimal], price_places: int) -> int | None:
    ticks = ticks_from_decimal(median(prices), price_places)
    return ticks if 0 < ticks <= MAX_UNITS else None
