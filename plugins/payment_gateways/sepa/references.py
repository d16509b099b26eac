"""Creditor references (ISO 11649): RF, two check digits, and up to 21 characters.

The body is "TR" and the trade's number, at least six digits: unique per trade and always the
same for the same trade. Digits only, because the check digits (ISO 7064, mod 97-10) catch every
wrong digit and every swap of two neighbours, but not every letter typed for a digit.
"""

import re

from stdnum import iso11649
from stdnum.iso7064 import mod_97_10

_OURS = re.compile(r"RF[0-9]{2}TR([0-9]{6,19})")
# As people copy it: blanks anywhere between the characters. Looked at without being consumed, so
# that a reference right after something that only looks like one is found too.
_CANDIDATE = re.compile(r"(?<![A-Z0-9])(?=(RF ?\d ?\d(?: ?[A-Z0-9]){1,21}))")


def creditor_reference(trade_id: int) -> str:
    """The RF reference of a trade, without blanks."""
    if trade_id < 0:
        raise ValueError(f"trade ids are not negative: {trade_id}")
    body = f"TR{trade_id:06d}"
    return f"RF{mod_97_10.calc_check_digits(body + 'RF')}{body}"


def trade_of(reference: str) -> int | None:
    """The trade of a reference that `creditor_reference` made; None for any other text."""
    match = _OURS.fullmatch(reference)
    if match is None:
        return None
    trade_id = int(match.group(1))
    return trade_id if creditor_reference(trade_id) == reference else None


def find_references(text: str) -> tuple[str, ...]:
    """Every valid RF reference in a free text, in order, each once."""
    found: dict[str, None] = {}
    for candidate in _CANDIDATE.finditer(text.upper()):
        found |= dict.fromkeys(_valid_cuts(candidate.group(1)))
    return tuple(found)


def grouped(reference: str) -> str:
    """The reference in groups of four, as people read it."""
    return " ".join(re.findall(".{1,4}", reference))


def _valid_cuts(candidate: str) -> list[str]:
    """Words after the reference look like more of it: every cut at a blank that is valid.

    One cut in 97 is valid by chance, so none is preferred; a caller that knows its own
    references tells them apart, and more than one of those is for a person.
    """
    words = candidate.split(" ")
    cuts = ["".join(words[:count]) for count in range(1, len(words) + 1)]
    return [cut for cut in cuts if iso11649.is_valid(cut)]
