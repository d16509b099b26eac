"""Conditions on the other side: read from a person's words, told in words, held against a person.

The engine decides (`portal.orders.conditions`); this tells people beforehand what it would say.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from portal.core.errors import InvalidInput
from portal.core.money import parse_units, units_text

DAY_MS = 86_400_000
_WHOLE_BPS = 10_000
_RATE_PLACES = 4

Stored = Mapping[str, Any]


@dataclass(frozen=True)
class WantedConditions:
    """What a person demands of the other side.

    `min_completion_rate` is decimal text from "0" to "1", `first_trade_max` an amount of coins:
    the most that somebody without a completed trade may trade at once. No `regions` means all.
    """

    min_kyc_tier: int = 0
    min_completed_trades: int = 0
    min_completion_rate: str | None = None
    min_account_days: int = 0
    first_trade_max: str | None = None
    regions: tuple[str, ...] = ()


@dataclass(frozen=True)
class ConditionsView:
    """The same as shown to others; `words` has a sentence for each."""

    min_kyc_tier: int
    min_completed_trades: int
    min_completion_rate: str | None
    min_account_days: int
    first_trade_max: str | None
    regions: list[str]
    words: list[str]


def engine_conditions(wanted: WantedConditions, first_trade_max: int | None) -> dict[str, Any]:
    """The conditions of a command (`portal.engine.commands.Conditions`), only what is asked.

    `first_trade_max` is in base units. Raises InvalidInput for a rate outside 0 to 1.
    """
    found: dict[str, Any] = {
        "min_tier": wanted.min_kyc_tier,
        "min_trades": wanted.min_completed_trades,
        "min_completion_bps": _rate_bps(wanted.min_completion_rate),
        "min_age_ms": wanted.min_account_days * DAY_MS,
        "first_trade_max": first_trade_max,
        "regions": sorted(set(wanted.regions)),
    }
    return {name: value for name, value in found.items() if value}


def view_of(
    conditions: Stored | None, amount: Callable[[int], str], coin: str
) -> ConditionsView | None:
    """Stored conditions as people see them; None where there are none (a link is not shown)."""
    words = in_words(conditions, amount, coin)
    if not conditions or not words:
        return None
    rate, first = conditions.get("min_completion_bps"), conditions.get("first_trade_max")
    return ConditionsView(
        min_kyc_tier=conditions.get("min_tier", 0),
        min_completed_trades=conditions.get("min_trades", 0),
        min_completion_rate=units_text(rate, _RATE_PLACES) if rate else None,
        min_account_days=conditions.get("min_age_ms", 0) // DAY_MS,
        first_trade_max=amount(first) if first else None,
        regions=list(conditions.get("regions", ())),
        words=words,
    )


def in_words(conditions: Stored | None, amount: Callable[[int], str], coin: str) -> list[str]:
    """A sentence for each condition."""
    asked = conditions or {}
    found = []
    if tier := asked.get("min_tier"):
        found.append(f"Identity tier {tier} or higher.")
    if trades := asked.get("min_trades"):
        found.append(f"At least {trades} completed {_trades(trades)}.")
    if rate := asked.get("min_completion_bps"):
        found.append(f"At least {_percent(rate)} of trades completed.")
    if age := asked.get("min_age_ms"):
        found.append(f"An account at least {_days(age)} old.")
    if first := asked.get("first_trade_max"):
        found.append(f"A first trade of at most {amount(first)} {coin}.")
    if regions := asked.get("regions"):
        found.append(f"Only people from {', '.join(regions)}.")
    return found


def unmet(conditions: Stored | None, facts: Stored, at_ms: int) -> str | None:
    """The first condition that a person does not satisfy, as a sentence with their own value.

    `facts` are those of a command. What a first trade may be at most is `largest_for`.
    """
    asked = conditions or {}
    if facts["tier"] < (tier := asked.get("min_tier", 0)):
        return f"It asks for identity tier {tier} or higher; yours is {facts['tier']}."
    if facts["trades"] < (trades := asked.get("min_trades", 0)):
        return f"It asks for {trades} completed {_trades(trades)}; you have {facts['trades']}."
    if facts["completion_bps"] < (rate := asked.get("min_completion_bps", 0)):
        return _rate_unmet(rate, facts)
    if at_ms - facts["since_ms"] < (age := asked.get("min_age_ms", 0)):
        yours = _days(max(0, at_ms - facts["since_ms"]))
        return f"It asks for an account at least {_days(age)} old; yours is {yours} old."
    regions: Sequence[str] = asked.get("regions", ())
    if regions and facts["region"] not in regions:
        return f"It trades only with people from {', '.join(regions)}."
    return None


def largest_for(conditions: Stored | None, facts: Stored, largest: int) -> int:
    """The most a person may trade at once with an offer of `largest`, in base units."""
    first: int | None = (conditions or {}).get("first_trade_max")
    return largest if facts["trades"] or not first else min(largest, first)


def _rate_unmet(rate: int, facts: Stored) -> str:
    yours = f"yours is {_percent(facts['completion_bps'])}" if facts["trades"] else "you have none"
    return f"It asks for a completion rate of at least {_percent(rate)}; {yours}."


def _rate_bps(text: str | None) -> int:
    if text is None:
        return 0
    field = "conditions.min_completion_rate"
    bps = parse_units(text, _RATE_PLACES, field=field)
    if not 0 <= bps <= _WHOLE_BPS:
        raise InvalidInput(f"{field} must be between 0 and 1.", field=field, value=text)
    return bps


def _percent(bps: int) -> str:
    return f"{bps / 100:g}%"


def _days(age_ms: int) -> str:
    days = age_ms // DAY_MS
    return "1 day" if days == 1 else f"{days} days"


def _trades(count: int) -> str:
    return "trade" if count == 1 else "trades"
