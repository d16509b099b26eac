"""The decisions of one rule about one person's side of a trade. Pure."""

from decimal import Decimal
from functools import lru_cache

from plugins.compliance.dated_packs.schema import (
    BlockedPlaces,
    CoolingOff,
    Denied,
    Identify,
    MinTier,
    PackRule,
    TierLimit,
    TravelRule,
    WalletProof,
)
from portal.plugin_api import Decision, Money, PartyFacts, TradeFacts, Verdict

ALLOW = Decision.allow()
SEVERITY = {Verdict.ALLOW: 0, Verdict.HOLD: 1, Verdict.DENY: 2}


def admission(rule: PackRule, party: PartyFacts) -> Decision:
    """May this person trade at all, by this rule?"""
    match rule:
        case Denied():
            return Decision.deny(f"People living in {rule.place} can't trade here ({cited(rule)}).")
        case BlockedPlaces() if party.country in rule.countries:
            return Decision.deny(f"People living in {party.country} can't trade ({cited(rule)}).")
        case MinTier() if party.kyc_tier == 0 and rule.tier > 0:
            return Decision.deny("Identity not checked yet.")
        case MinTier() if party.kyc_tier < rule.tier:
            return Decision.deny(f"Trading needs identity tier {rule.tier} ({cited(rule)}).")
        case CoolingOff() if party.account_age_days < rule.days:
            return Decision.deny(
                f"New people wait {rule.days} whole day(s) before they trade ({cited(rule)})."
            )
    return ALLOW


def about_trade(rule: PackRule, party: PartyFacts, facts: TradeFacts) -> Decision:
    """May this person's side of the trade go on, by this rule? Limits of tiers: see `limits`."""
    wallet = facts.wallet
    match rule:
        case Identify() if party.kyc_tier < rule.tier:
            if _reaches(_in_30_days(party, facts.amount), rule.in_30_days, above=False):
                return Decision.deny(
                    f"From this amount in 30 days on, identity tier {rule.tier} is needed "
                    f"({cited(rule)})."
                )
        case TravelRule() if wallet and not wallet.self_hosted and not wallet.travel_rule_sent:
            if _reaches(facts.amount, rule.threshold, above=rule.above):
                return Decision.hold(
                    f"Travel-rule data is missing: {', '.join(rule.data)} ({cited(rule)})."
                )
        case WalletProof() if wallet and wallet.self_hosted and not wallet.proved:
            if _reaches(facts.amount, rule.threshold, above=rule.above):
                return Decision.hold(
                    f"Control of {wallet.address} must be proved first ({cited(rule)})."
                )
    return admission(rule, party)


def limits(rules: tuple[TierLimit, ...], party: PartyFacts, amount: Money) -> Decision:
    """The limit of the highest tier not above the person's, in the trade's currency."""
    code, places = amount.asset.code, amount.asset.places
    fitting = [rule for rule in rules if rule.tier <= party.kyc_tier and code in rule.per_trade]
    if not fitting:
        return Decision.hold(f"No limit is set for tier {party.kyc_tier} in {code}.")
    rule = max(fitting, key=lambda row: row.tier)
    today = party.traded_today + amount
    for asked, allowed, span in (
        (amount, rule.per_trade[code], "trade"),
        (today, rule.per_day[code], "day"),
    ):
        if asked.units > units(allowed, places):
            return Decision.hold(
                f"{asked} is over the {allowed} {code} that tier {rule.tier} may trade per {span} "
                f"({cited(rule)})."
            )
    return ALLOW


def cited(rule: PackRule) -> str:
    """Where a rule comes from and since when, as people read it."""
    return f"{rule.source}, since {rule.effective_date.isoformat()}"


@lru_cache(maxsize=4096)
def units(text: str, places: int) -> int:
    """Decimal text in ledger units, rounded down: a limit is never wider than written."""
    return int(Decimal(text) * 10**places)


def _in_30_days(party: PartyFacts, amount: Money) -> Money:
    return amount if party.traded_30d is None else party.traded_30d + amount


def _reaches(amount: Money, threshold: dict[str, str], *, above: bool) -> bool:
    text = threshold.get(amount.asset.code)
    if text is None:
        return True
    least = units(text, amount.asset.places)
    return amount.units > least if above else amount.units >= least
