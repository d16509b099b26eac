"""What a pack is made of. Every rule names its source and the days on which it is in force.

Thresholds and limits are decimal text for each currency. A currency that a threshold does not
name counts as over it, and one that a limit does not name has none: the trade waits for a person.
"""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Amount = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,15}(\.[0-9]{1,8})?$")]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{2,10}$")]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
Amounts = dict[Currency, Amount]
DataField = Literal[
    "name", "account", "address", "national_id", "date_of_birth", "customer_number", "vasp"
]


class PackRule(BaseModel):
    """What every rule carries. `end_date` is the first day on which it is no longer in force."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{2,60}$")
    source: str = Field(min_length=3)
    effective_date: date
    end_date: date | None = None

    @model_validator(mode="after")
    def _ends_after_it_began(self) -> Self:
        if self.end_date is not None and self.end_date <= self.effective_date:
            raise ValueError("end_date is not after effective_date")
        return self

    def applies(self, day: date) -> bool:
        """Is the rule in force on this day (UTC)?"""
        return self.effective_date <= day and (self.end_date is None or day < self.end_date)


class Denied(PackRule):
    """Nobody who lives in the pack's places trades."""

    kind: Literal["denied"]
    place: str = Field(min_length=2)


class BlockedPlaces(PackRule):
    """Nobody trades with who lives in these places."""

    kind: Literal["blocked_places"]
    countries: tuple[Country, ...] = Field(min_length=1)


class MinTier(PackRule):
    """The lowest identity tier that may trade."""

    kind: Literal["min_tier"]
    tier: int = Field(ge=0, le=9)


class TierLimit(PackRule):
    """What people of a tier may trade without a look from an officer; a higher tier has no less."""

    kind: Literal["tier_limit"]
    tier: int = Field(ge=1, le=9)
    per_trade: Amounts
    per_day: Amounts

    @model_validator(mode="after")
    def _a_day_holds_a_trade(self) -> Self:
        if set(self.per_day) != set(self.per_trade):
            raise ValueError("per_trade and per_day name different currencies")
        for currency, amount in self.per_trade.items():
            if Decimal(self.per_day[currency]) < Decimal(amount):
                raise ValueError(f"per_day is below per_trade in {currency}")
        return self


class TravelRule(PackRule):
    """From the threshold on, IVMS101 data must go with coins that another provider holds."""

    kind: Literal["travel_rule"]
    threshold: Amounts = Field(description="Empty: every amount.")
    above: bool = Field(False, description="True: only amounts over the threshold.")
    data: tuple[DataField, ...] = Field(min_length=1)


class WalletProof(PackRule):
    """Control of an own address outside must be proved."""

    kind: Literal["wallet_proof"]
    threshold: Amounts = Field(description="Empty: every amount.")
    above: bool = False


class CoolingOff(PackRule):
    """New people wait for so many whole days before their first trade."""

    kind: Literal["cooling_off"]
    days: int = Field(ge=1, le=365)


class Identify(PackRule):
    """From so much in 30 days on, this trade included, a person needs this identity tier."""

    kind: Literal["identify"]
    in_30_days: Amounts
    tier: int = Field(ge=1, le=9)


class Reporting(PackRule):
    """What staff must report to whom; it decides nothing, and nobody is told of it."""

    kind: Literal["reporting"]
    duty: str = Field(min_length=5)


class RecordKeeping(PackRule):
    """How long records of a trade are kept."""

    kind: Literal["record_keeping"]
    years: int = Field(ge=1, le=30)


Rule = Annotated[
    Denied
    | BlockedPlaces
    | MinTier
    | TierLimit
    | TravelRule
    | WalletProof
    | CoolingOff
    | Identify
    | Reporting
    | RecordKeeping,
    Field(discriminator="kind"),
]


class Pack(BaseModel):
    """The rules of one place. `countries` empty: of everybody."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z]{2,8}$")
    title: str = Field(min_length=2)
    countries: tuple[Country, ...]
    rules: tuple[Rule, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _each_rule_once_a_day(self) -> Self:
        seen: dict[str, list[PackRule]] = {}
        for rule in self.rules:
            for other in seen.setdefault(rule.id, []):
                if _overlap(rule, other):
                    raise ValueError(f"the rule {rule.id} is there twice on the same day")
            seen[rule.id].append(rule)
        return self

    @model_validator(mode="after")
    def _a_higher_tier_may_no_less(self) -> Self:
        rows = [rule for rule in self.rules if isinstance(rule, TierLimit)]
        for low, high in ((a, b) for a in rows for b in rows if a.tier < b.tier):
            if not _overlap(low, high):
                continue
            for amounts, others in ((low.per_trade, high.per_trade), (low.per_day, high.per_day)):
                for code in amounts.keys() & others.keys():
                    if Decimal(others[code]) < Decimal(amounts[code]):
                        raise ValueError(f"{high.id} allows less {code} than {low.id}")
        return self


def _overlap(one: PackRule, other: PackRule) -> bool:
    last_start = max(one.effective_date, other.effective_date)
    return one.applies(last_start) and other.applies(last_start)
