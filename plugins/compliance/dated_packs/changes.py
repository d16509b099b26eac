"""What begins and ends on a day, so that nobody is surprised by a date in a file."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Literal

from plugins.compliance.dated_packs.schema import Pack


@dataclass(frozen=True, slots=True)
class Change:
    """A rule that begins, ends, or is replaced by another text of itself on a day."""

    pack: str
    rule: str
    what: Literal["begins", "ends", "changes"]
    source: str


def changes_on(packs: Iterable[Pack], day: date) -> list[Change]:
    """Every rule that is another on this day than on the day before."""
    found = []
    for pack in packs:
        begun = {rule.id: rule for rule in pack.rules if rule.effective_date == day}
        ended = {rule.id: rule for rule in pack.rules if rule.end_date == day}
        for name in dict.fromkeys((*begun, *ended)):
            rule = begun.get(name) or ended[name]
            what: Literal["begins", "ends", "changes"] = "begins" if name in begun else "ends"
            if name in begun and name in ended:
                what = "changes"
            found.append(Change(pack.name, name, what, rule.source))
    return found


def days_of_change(packs: Iterable[Pack]) -> list[date]:
    """Every day on which something changes, in order."""
    rules = [rule for pack in packs for rule in pack.rules]
    ends = {rule.end_date for rule in rules if rule.end_date is not None}
    return sorted({rule.effective_date for rule in rules} | ends)
