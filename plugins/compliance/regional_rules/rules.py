"""The decisions: blocked countries and unchecked identities are denied, over a limit is held."""

from collections.abc import Callable
from datetime import date

from plugins.compliance.regional_rules.settings import RegionalSettings, TierLimit
from portal.plugin_api import (
    ComplianceRules,
    Decision,
    Money,
    OrderFacts,
    PartyFacts,
    TradeFacts,
    Verdict,
)

Check = Callable[[PartyFacts], Decision]


class RegionalRules(ComplianceRules):
    """Country blocks, identity tiers, and limits per trade and day."""

    slug = "regional_rules"
    label = "Regional rules"
    settings_model = RegionalSettings
    order_answer_seconds = 60.0  # Country and tier decide, and a change of those ends an answer.

    def check_order(self, facts: OrderFacts, settings: RegionalSettings) -> Decision:
        """Country and tier only: an order may be larger than any one trade made from it."""
        return _admission(facts.party, facts.at.date(), settings)

    def check_trade(self, facts: TradeFacts, settings: RegionalSettings) -> Decision:
        """Both sides: country, tier, then the limits of each."""
        day = facts.at.date()
        checks: tuple[Check, ...] = (
            lambda party: _admission(party, day, settings),
            lambda party: _within_limits(party, facts.amount, day, settings),
        )
        for check in checks:
            for party in (facts.buyer, facts.seller):
                decision = check(party)
                if decision.verdict is not Verdict.ALLOW:
                    return decision
        return Decision.allow()


def _admission(party: PartyFacts, day: date, settings: RegionalSettings) -> Decision:
    for rule in settings.blocked:
        if rule.country == party.country and rule.applies(day):
            return Decision.deny(
                f"People living in {rule.place} can't trade here ({rule.source}, "
                f"since {rule.effective_date.isoformat()})."
            )
    identity = settings.identity
    if identity.applies(day) and party.kyc_tier < identity.min_tier:
        if party.kyc_tier == 0:
            return Decision.deny("Identity not checked yet.")
        return Decision.deny(f"Trading needs identity tier {identity.min_tier}.")
    if not party.country:
        return Decision.hold("The country of residence is not known.")
    return Decision.allow()


def _within_limits(
    party: PartyFacts, amount: Money, day: date, settings: RegionalSettings
) -> Decision:
    limit = _limit_of(party, amount.asset.code, day, settings)
    if limit is None:
        return Decision.hold(f"No limit is set for tier {party.kyc_tier} in {amount.asset.code}.")
    per_trade = Money.parse(limit.per_trade, amount.asset, field="per_trade")
    per_day = Money.parse(limit.per_day, amount.asset, field="per_day")
    today = party.traded_today + amount
    for asked, allowed, span in ((amount, per_trade, "trade"), (today, per_day, "day")):
        if allowed < asked:
            return Decision.hold(
                f"{asked} is over the {allowed} that tier {limit.tier} may trade per {span} "
                f"({limit.source}, since {limit.effective_date.isoformat()})."
            )
    return Decision.allow()


def _limit_of(
    party: PartyFacts, currency: str, day: date, settings: RegionalSettings
) -> TierLimit | None:
    """The highest tier not above the person's; of two rows for it, the later one."""
    fitting = [
        row
        for row in settings.limits
        if row.currency == currency and row.tier <= party.kyc_tier and row.applies(day)
    ]
    return max(fitting, key=lambda row: (row.tier, row.effective_date), default=None)
