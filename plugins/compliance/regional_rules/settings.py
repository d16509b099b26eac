"""The rules as data: every row says where it comes from and from which day it applies.

The defaults are a starting point from published sources; they are not legal advice, and counsel
must review them before real use.
"""

from datetime import date
from decimal import Decimal
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from portal.plugin_api import ProviderSettings

_FATF = "FATF, High-Risk Jurisdictions subject to a Call for Action"
_HOUSE = "House limit"
_AMOUNT = r"^[0-9]{1,15}(\.[0-9]{1,4})?$"


class Rule(BaseModel):
    """What every rule carries."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str = Field(min_length=3, title="Source", description="Law, notice or house decision")
    effective_date: date = Field(title="Applies from")

    def applies(self, day: date) -> bool:
        """Is the rule in force on this day (UTC)?"""
        return day >= self.effective_date


class BlockedCountry(Rule):
    """Nobody who lives there trades here."""

    country: str = Field(pattern=r"^[A-Z]{2}$", title="Country (ISO 3166-1)")
    place: str = Field(min_length=2, title="Name shown")


class IdentityRule(Rule):
    """The lowest tier that may trade at all."""

    min_tier: int = Field(1, ge=0, le=9, title="Lowest tier that may trade")


class TierLimit(Rule):
    """How much one person of a tier may trade, in local money."""

    tier: int = Field(ge=1, le=9, title="Tier")
    currency: str = Field(pattern=r"^[A-Z]{3}$", title="Currency")
    per_trade: str = Field(pattern=_AMOUNT, title="Per trade")
    per_day: str = Field(pattern=_AMOUNT, title="Per UTC day")

    @model_validator(mode="after")
    def _day_holds_a_trade(self) -> Self:
        if Decimal(self.per_day) < Decimal(self.per_trade):
            raise ValueError("the limit per day is below the limit per trade")
        return self


def _blocked(country: str, place: str, source: str, day: date) -> BlockedCountry:
    return BlockedCountry(country=country, place=place, source=source, effective_date=day)


def _limit(tier: int, per_trade: str, per_day: str) -> TierLimit:
    return TierLimit(
        tier=tier,
        currency="EUR",
        per_trade=per_trade,
        per_day=per_day,
        source=_HOUSE,
        effective_date=date(2026, 1, 1),
    )


class RegionalSettings(ProviderSettings):
    """Settings of the regional rules."""

    identity: IdentityRule = Field(
        IdentityRule(source=_HOUSE, effective_date=date(2026, 1, 1)), title="Identity check"
    )
    blocked: tuple[BlockedCountry, ...] = Field(
        (
            _blocked("KP", "North Korea", _FATF, date(2020, 2, 21)),
            _blocked("IR", "Iran", _FATF, date(2020, 2, 21)),
            _blocked("MM", "Myanmar", _FATF, date(2022, 10, 21)),
            _blocked("CN", "mainland China", "Notice Yinfa (2021) 237", date(2021, 9, 24)),
        ),
        title="Blocked countries",
    )
    limits: tuple[TierLimit, ...] = Field(
        (_limit(1, "1000", "5000"), _limit(2, "15000", "50000"), _limit(3, "100000", "500000")),
        title="Limits per tier",
        description="A person has the limit of the highest listed tier not above their own.",
    )
