"""The provider: the rules in force on the day, for each side, and the strictest answer."""

from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from pydantic import BaseModel, ConfigDict, Field, field_validator

from plugins.compliance.dated_packs.deciding import ALLOW, SEVERITY, about_trade, admission, limits
from plugins.compliance.dated_packs.loading import bundled
from plugins.compliance.dated_packs.schema import (
    Pack,
    PackRule,
    RecordKeeping,
    Reporting,
    TierLimit,
)
from portal.plugin_api import (
    ComplianceRules,
    Decision,
    OrderFacts,
    PartyFacts,
    ProviderSettings,
    TradeFacts,
    Verdict,
)

ALL_PACKS = ("fatf", "ae", "br", "ch", "cn", "eu", "gb", "hk", "in", "jp", "ng", "sg", "us")


class BlockedPerson(BaseModel):
    """Somebody who may not trade."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    user_id: int = Field(ge=1, title="Person's number")
    source: str = Field(min_length=3, title="Source")
    effective_date: date = Field(title="Applies from")
    end_date: date | None = Field(None, title="No longer from")

    def applies(self, day: date) -> bool:
        """Is the person blocked on this day (UTC)?"""
        return self.effective_date <= day and (self.end_date is None or day < self.end_date)


class DatedPacksSettings(ProviderSettings):
    """Which packs count, and who is blocked."""

    packs: tuple[str, ...] = Field(
        ALL_PACKS, title="Packs", description="By name. Have counsel review what you rely on."
    )
    blocked: tuple[BlockedPerson, ...] = Field((), title="Blocked persons")

    @field_validator("packs")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in names if name not in bundled()]
        if unknown:
            raise ValueError(f"there is no pack {unknown[0]}; there are {', '.join(bundled())}")
        if "fatf" not in names:
            raise ValueError("the baseline fatf can't be left out: without it limits are missing")
        return names


@dataclass(frozen=True, slots=True)
class InForce:
    """The rules for people of one country on one day."""

    admission: tuple[PackRule, ...]
    limits: tuple[TierLimit, ...]
    keep_years: int


class DatedPacks(ComplianceRules):
    """Rules of each place on each day, from packs."""

    slug = "dated_packs"
    label = "Dated packs"
    settings_model = DatedPacksSettings
    order_answer_seconds = 60.0  # Country, tier and the day decide; see ComplianceRules.

    def check_order(self, facts: OrderFacts, settings: DatedPacksSettings) -> Decision:
        """Who may trade at all; an order may be larger than any one trade made from it."""
        day = facts.at.date()
        answers = [_blocked(facts.party, day, settings)]
        if not facts.party.country:
            answers.append(Decision.hold("The country of residence is not known."))
        rules = in_force(settings.packs, facts.party.country, day)
        answers += [admission(rule, facts.party) for rule in rules.admission]
        return strictest(answers)

    def check_trade(self, facts: TradeFacts, settings: DatedPacksSettings) -> Decision:
        """Both sides: all rules of their places on that day."""
        day = facts.at.date()
        answers: list[Decision] = []
        for party in (facts.buyer, facts.seller):
            answers.append(_blocked(party, day, settings))
            if not party.country:
                answers.append(Decision.hold("The country of residence is not known."))
            rules = in_force(settings.packs, party.country, day)
            answers += [about_trade(rule, party, facts) for rule in rules.admission]
            answers.append(limits(rules.limits, party, facts.amount))
        return strictest(answers)


def strictest(answers: list[Decision]) -> Decision:
    """The strictest; of equal ones the first."""
    return max(answers, key=lambda answer: SEVERITY[answer.verdict], default=ALLOW)


@lru_cache(maxsize=2048)
def in_force(packs: tuple[str, ...], country: str, day: date) -> InForce:
    """What counts for people of a country on a day (UTC).

    A place that sets limits for tiers replaces those of the baseline; everything else adds up.
    """
    chosen = [pack for pack in (bundled()[name] for name in packs) if concerns(pack, country)]
    rules = [rule for pack in chosen for rule in pack.rules if rule.applies(day)]
    own = [
        rule
        for pack in chosen
        if pack.countries
        for rule in pack.rules
        if isinstance(rule, TierLimit) and rule.applies(day)
    ]
    tiers = own or [rule for rule in rules if isinstance(rule, TierLimit)]
    kept = [rule.years for rule in rules if isinstance(rule, RecordKeeping)]
    asked = [rule for rule in rules if not isinstance(rule, TierLimit | RecordKeeping | Reporting)]
    return InForce(tuple(asked), tuple(tiers), max(kept, default=0))


def concerns(pack: Pack, country: str) -> bool:
    """Does a pack say anything about people of this country?"""
    return not pack.countries or country in pack.countries


def _blocked(party: PartyFacts, day: date, settings: DatedPacksSettings) -> Decision:
    for person in settings.blocked:
        if person.user_id == party.user_id and person.applies(day):
            return Decision(Verdict.DENY, "This person may not trade here.")
    return ALLOW
