"""Does the payer's name on a statement belong to the expected person?

MTCH: the same words, whatever their order, case, accents, punctuation and titles.
CMTC: close: an initial, a left-out middle name, one typing error, a company form on one side.
NMTC: another name. NOAP: no name given, or the two are in different scripts.
"""

import re
import unicodedata
from functools import reduce

from portal.plugin_api import NameMatch

_TITLES = frozenset((
    "mr", "mrs", "ms", "miss", "herr", "frau", "dr", "prof", "mme", "mlle", "monsieur",
    "madame", "sig", "sra",
))  # fmt: skip
_NOT_GIVEN = frozenset({"notprovided", "not provided", "unknown", "n a", "unbekannt"})
# Company forms, after folding; different spellings of one form share a value.
_COMPANY = {
    "ag": "ag", "ab": "ab", "as": "as", "bv": "bv", "nv": "nv", "gmbh": "gmbh", "ug": "ug",
    "kg": "kg", "ohg": "ohg", "ltd": "ltd", "limited": "ltd", "llc": "llc", "llp": "llp",
    "inc": "inc", "incorporated": "inc", "plc": "plc", "sa": "sa", "sas": "sas", "sarl": "sarl",
    "srl": "srl", "spa": "spa", "sro": "sro", "oy": "oy", "oyj": "oyj", "ou": "ou", "kft": "kft",
    "gbr": "gbr", "ev": "ev", "co": "co", "corp": "corp", "corporation": "corp", "se": "se",
}  # fmt: skip
# Letters that carry no separable accent, so that Unicode decomposition leaves them alone.
_PLAIN = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe"})
# "Müller" is written Mueller by banks that know no umlauts, and Muller by others.
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"})

_STRENGTH = (NameMatch.NO_MATCH, NameMatch.CLOSE, NameMatch.MATCH)


def match_names(expected: str, given: str) -> NameMatch:
    """How well `given` (from the statement) agrees with `expected` (the legal name)."""
    pairs = [(_words(expected, fold), _words(given, fold)) for fold in (False, True)]
    if not all(pairs[0]) or not _same_script(expected, given):
        return NameMatch.NOT_POSSIBLE
    outcomes = [_compare(*pair) for pair in pairs]
    outcomes.append(_compare(pairs[0][0], pairs[1][1]))
    outcomes.append(_compare(pairs[1][0], pairs[0][1]))
    return max(outcomes, key=_STRENGTH.index)


def _words(name: str, umlauts_spelt_out: bool) -> list[str]:
    lowered = unicodedata.normalize("NFC", name).casefold()
    if umlauts_spelt_out:
        lowered = lowered.translate(_UMLAUTS)
    decomposed = unicodedata.normalize("NFKD", lowered.translate(_PLAIN))
    plain = "".join(c for c in decomposed if not unicodedata.combining(c))
    # Dots and apostrophes join ("G.m.b.H.", "O'Brien"); anything else but letters separates.
    joined = re.sub(r"(?<=\w)[.'’`](?=\w)|[.'’`]", "", plain)
    words = re.sub(r"[\W_]+", " ", joined).strip()
    if words in _NOT_GIVEN:
        return []
    return [word for word in words.split() if word not in _TITLES]


def _compare(expected: list[str], given: list[str]) -> NameMatch:
    expected_form, expected_name = _split_company(expected)
    given_form, given_name = _split_company(given)
    outcome = _compare_people(expected_name, given_name)
    if outcome is NameMatch.MATCH and expected_form != given_form:
        return NameMatch.CLOSE
    return outcome


def _split_company(words: list[str]) -> tuple[frozenset[str], list[str]]:
    """Company forms apart from the name; a name that is nothing but forms stays whole."""
    name = [words[0]] + [word for word in words[1:] if word not in _COMPANY]
    return frozenset(_COMPANY[word] for word in words[1:] if word in _COMPANY), name


def _compare_people(expected: list[str], given: list[str]) -> NameMatch:
    if sorted(expected) == sorted(given) or "".join(expected) == "".join(given):
        return NameMatch.MATCH
    left = reduce(_without, given, list(expected))
    right = reduce(_without, expected, list(given))
    shared = len(expected) - len(left)
    if shared >= 2 and (not left or not right):
        return NameMatch.CLOSE
    if shared >= 1 and len(left) == 1 and len(right) == 1 and _nearly(left[0], right[0]):
        return NameMatch.CLOSE
    return NameMatch.NO_MATCH


def _without(words: list[str], word: str) -> list[str]:
    if word not in words:
        return words
    at = words.index(word)
    return words[:at] + words[at + 1 :]


def _nearly(one: str, other: str) -> bool:
    """An initial for a name, or one typing error in a word of four letters or more."""
    if len(one) == 1 or len(other) == 1:
        return one[0] == other[0]
    return min(len(one), len(other)) >= 4 and _one_edit_apart(one, other)


def _one_edit_apart(one: str, other: str) -> bool:
    """One letter added, left out, replaced, or two neighbours swapped."""
    short, long = sorted((one, other), key=len)
    start = 0
    while start < len(short) and short[start] == long[start]:
        start += 1
    if len(long) - len(short) == 1:
        return short[start:] == long[start + 1 :]
    if len(long) != len(short):
        return False
    swapped = long[start + 1 : start + 2] + long[start : start + 1]
    return short[start + 1 :] == long[start + 1 :] or (short[start:] == swapped + long[start + 2 :])


def _same_script(one: str, other: str) -> bool:
    return _latin(one) == _latin(other)


def _latin(name: str) -> bool:
    letters = [c for c in name if c.isalpha()]
    return any("LATIN" in unicodedata.name(c, "") for c in letters)
