"""`portal bench plugins`: fees, compliance and screening on one core, each a line."""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from xml.sax.saxutils import escape

import psutil

from portal.bench.results import ack_ms, machine, print_result
from portal.core.settings import Settings
from portal.plugin_api import (
    Asset,
    ComplianceRules,
    FeeModel,
    Money,
    PartyFacts,
    TradeFacts,
    WalletFacts,
)
from portal.plugin_host import composing
from portal.plugin_host.loading import load_registry
from portal.screening import ofac
from portal.screening.matching import NameIndex

_NAMES = "maker_taker,volume_tiers,flat,promotions,composed,dated_packs,regional_rules"
_FEES_PER_S, _DECISIONS_PER_S, _SCREEN_MS = 50_000, 5_000, 20
_ENTRIES, _QUESTIONS = 18_000, 2_000
_EUR, _USDT = Asset("EUR", 2), Asset("USDT", 6)
_COUNTRIES = ("DE", "FR", "GB", "US", "SG", "HK", "JP", "CH", "AE", "IN", "BR", "NG", "CN", "CA")


def main(settings: Settings, *, seconds: float) -> int:
    """Print a line for each thing measured; the exit code is 1 when one is too slow."""
    del settings  # Nothing here needs a database.
    providers = load_registry(_NAMES.split(",")).providers
    if missing := set(_NAMES.split(",")) - set(providers):
        print_result({"bench": "plugins", "problems": [f"not loaded: {sorted(missing)}"]})
        return 1
    facts = _trades(random.Random(7))  # noqa: S311
    models = {slug: one for slug, one in providers.items() if isinstance(one, FeeModel)}
    slow = 0
    for slug, model in models.items():
        slow += _rate("fees", slug, _FEES_PER_S, seconds, facts, _quoting(model, models))
    for slug, rules in providers.items():
        if isinstance(rules, ComplianceRules):
            slow += _rate("decisions", slug, _DECISIONS_PER_S, seconds, facts, _deciding(rules))
    return 1 if slow + _screening() else 0


def _quoting(model: FeeModel, models: dict[str, FeeModel]) -> Callable[[TradeFacts], object]:
    """As the host asks: with settings, and through what is composed. Every part has its rows."""
    values = {slug: one.default_settings() for slug, one in models.items()}
    if model.slug == "composed":
        rows = [{"countries": ["FR"], "model": "flat"}, {"methods": ["x"], "model": "promotions"}]
        rows.append({"countries": ["DE", "US"], "model": "volume_tiers"})
        values["composed"] = model.settings_model.model_validate({"rows": rows})
    if model.slug == "promotions":
        sale = {"starts": "2026-01-01T00:00:00Z", "ends": "2027-01-01T00:00:00Z", "discount": 25}
        sales = [{"name": name, "group": name, **sale} for name in ("pilots", "friends", "")]
        sales[-1]["name"] = "all"
        values["promotions"] = model.settings_model.model_validate({"promotions": sales})

    def find(slug: str) -> tuple[FeeModel, object]:
        return models[slug], values[slug]

    return lambda facts: composing.quote(model, values[model.slug], facts, find)


def _deciding(rules: ComplianceRules) -> Callable[[TradeFacts], object]:
    values = rules.default_settings()
    return lambda facts: rules.check_trade(facts, values)


def _rate(
    what: str,
    slug: str,
    least: int,
    seconds: float,
    facts: list[TradeFacts],
    ask: Callable[[TradeFacts], object],
) -> bool:
    for one in facts:
        ask(one)
    done, started = 0, time.process_time()
    while (spent := time.process_time() - started) < seconds:
        for one in facts:
            ask(one)
        done += len(facts)
    rate = int(done / spent)
    _tell(what, {"plugin": slug, "per_core_s": rate, "wanted_per_s": least, "asked": done})
    return rate < least


def _screening() -> bool:
    chance = random.Random(11)  # noqa: S311
    with TemporaryDirectory() as folder:
        file = Path(folder) / "SDN.XML"
        file.write_text("".join(_sdn(chance)), encoding="utf-8")
        started = time.perf_counter()
        entries = ofac.read(file)
    index = NameIndex(("ofac", entry) for entry in entries)
    built = time.perf_counter() - started
    listed = [entry.names[0] for entry in entries]
    asked = [
        _name(chance) if number % 4 else _misspelt(chance.choice(listed), chance)
        for number in range(_QUESTIONS)
    ]
    for name in asked[:100]:
        index.search(name, 88)
    taken, hits = [], 0
    for name in asked[100:]:
        begun = time.perf_counter_ns()
        hits += bool(index.search(name, 88))
        taken.append((time.perf_counter_ns() - begun) // 1_000)
    spread = ack_ms(taken)
    told = {"entries": len(entries), "names": len(index), "built_s": round(built, 2)}
    _tell("screening", told | {"asked": len(taken), "with_hits": hits, "ms": spread})
    return (spread["p99"] or 0) >= _SCREEN_MS


def _tell(what: str, found: dict[str, Any]) -> None:
    memory = round(psutil.Process().memory_info().rss / 1e6, 1)
    print_result({"bench": "plugins", "what": what, **found, "memory_mb": memory, **machine()})


def _trades(chance: random.Random) -> list[TradeFacts]:
    """A thousand trades of people from everywhere, a third of them with a wallet outside."""
    wallets = (None, WalletFacts("0x01", self_hosted=True), WalletFacts("0x02", self_hosted=False))
    at = datetime(2026, 3, 2, 10, tzinfo=UTC)
    base = PartyFacts(1, 1, "DE", 3, 40, Money(_EUR, 0), Money(_EUR, 0), ("pilots",))
    found = []
    for number in range(1_000):
        buyer, seller = (
            replace(
                base,
                user_id=number * 2 + side,
                kyc_tier=chance.randint(1, 3),
                country=chance.choice(_COUNTRIES),
                traded_30d=Money(_EUR, chance.randint(0, 200_000_000)),
            )
            for side in (0, 1)
        )
        quantity, amount = chance.randint(10**6, 10**10), chance.randint(100, 10**6)
        found.append(
            TradeFacts(
                trade_id=number,
                market="USDT-EUR",
                quantity=Money(_USDT, quantity),
                amount=Money(_EUR, amount),
                price="0.9200",
                maker_side="sell" if number % 2 else "buy",
                method="sepa",
                buyer=buyer,
                seller=seller,
                at=at,
                wallet=chance.choice(wallets),
            )
        )
    return found


_COMMON = ("mohammed", "ahmed", "ali", "hassan", "ivan", "vladimir", "kim", "li", "wang", "jose")
_SYLLABLES = "kamohamirialabduhmanivovsergeivladimirpetrchenwanglixijomagonzezbashfatezomu"
_PARTS = [_SYLLABLES[at : at + 2] for at in range(0, len(_SYLLABLES) - 1, 2)]


def _rare(number: int) -> str:
    return "".join(random.Random(number).choices(_PARTS, k=2 + number % 3))  # noqa: S311


_RARE = [_rare(number) for number in range(12_000)]


def _name(chance: random.Random) -> str:
    """Two to four words; one in four is among the commonest, as in names from everywhere."""
    words = [chance.choice(_RARE) for _ in range(chance.randint(2, 4))]
    if chance.random() < 0.6:
        words[0] = chance.choice(_COMMON)
    if chance.random() < 0.1:
        words[-1] = chance.choice(_COMMON)
    return " ".join(words)


def _misspelt(name: str, chance: random.Random) -> str:
    place = chance.randrange(len(name))
    return name[:place] + name[place + 1 :]


def _sdn(chance: random.Random) -> Iterator[str]:
    """A list in OFAC's format, as long as the real one."""
    yield '<?xml version="1.0"?><sdnList xmlns="http://tempuri.org/sdnList.xsd">'
    for number in range(_ENTRIES):
        first, _, last = _name(chance).partition(" ")
        yield f"<sdnEntry><uid>{number + 1}</uid><firstName>{escape(first)}</firstName>"
        yield f"<lastName>{escape(last)}</lastName><sdnType>Individual</sdnType><akaList>"
        for alias in range(chance.randint(0, 3)):
            yield f"<aka><uid>{alias}</uid><lastName>{_name(chance)}</lastName></aka>"
        yield "</akaList></sdnEntry>"
    yield "</sdnList>"
