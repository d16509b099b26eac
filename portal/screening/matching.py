"""Finding names on lists: every word is compared with every word that lists use. Pure.

A name's score, 0 to 100: the words of both are paired, each once, by their likeness (rapidfuzz's
normalised Indel distance); it is the paired likeness, weighted by the words' lengths, over the
length of the shorter name, when at least two words pair or the names have one word only; a name
that only contains the other scores 5 less.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

from rapidfuzz import fuzz, process

from portal.screening.entries import ListEntry
from portal.screening.forms import Words, asked_forms, listed_forms

_ALIKE = 75  # Words less alike are different words.
_ONLY_A_PART = 5
_REMEMBERED = 2_000  # Words asked for again and again, above all the common ones.
Near = dict[int, tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Match:
    """A name on a list that is like the one asked for."""

    list_name: str
    uid: str
    name: str
    score: int


class NameIndex:
    """The names of all lists, for many questions."""

    def __init__(self, lists: Iterable[tuple[str, ListEntry]]) -> None:
        """`lists`: each entry with the name of its list."""
        self._names: list[tuple[str, str, str]] = []
        self._forms: list[tuple[int, Words]] = []
        places: defaultdict[str, list[int]] = defaultdict(list)
        for list_name, entry in lists:
            for name in entry.names:
                self._names.append((list_name, entry.uid, name))
                for words in listed_forms(name):
                    self._forms.append((len(self._names) - 1, words))
                    for word in set(words):
                        places[word].append(len(self._forms) - 1)
        self._places = dict(places)
        self._near = lru_cache(maxsize=_REMEMBERED)(self._find_near)
        self._lengths = [sum(map(len, words)) for _, words in self._forms]
        by_length: defaultdict[int, list[str]] = defaultdict(list)
        for word in self._places:
            by_length[len(word)].append(word)
        self._by_length = dict(by_length)

    def __len__(self) -> int:
        return len(self._names)

    def search(self, name: str, threshold: int) -> list[Match]:
        """Names that score at least `threshold`, best first; one for each entry of a list."""
        found: dict[tuple[str, str], Match] = {}
        for words in asked_forms(name):
            for form in self._candidates(words, threshold):
                number, listed = self._forms[form]
                score = score_of(words, listed)
                list_name, uid, text = self._names[number]
                known = found.get((list_name, uid))
                if score >= threshold and (known is None or known.score < score):
                    found[list_name, uid] = Match(list_name, uid, text, score)
        return sorted(found.values(), key=lambda match: (-match.score, match.list_name, match.uid))

    def _candidates(self, words: Words, threshold: int) -> Iterable[int]:
        """Forms that may score `threshold`: a bound that lets words pair twice is enough."""
        near = [self._near(word) for word in words]
        if len(near) == 1:
            shared = {form for form in near[0] if len(self._forms[form][1]) == 1}
        else:
            pairs = (one.keys() & other.keys() for one, other in combinations(near, 2))
            shared = set().union(*pairs)
        length = sum(map(len, words))
        return [form for form in shared if self._may(form, near, length, threshold)]

    def _may(self, form: int, near: list[Near], length: int, threshold: int) -> bool:
        found = [one[form] for one in near if form in one]
        mine = sum(pair[0] for pair in found) / length
        theirs = sum(pair[1] for pair in found) / self._lengths[form]
        if max(mine, theirs) >= threshold + _ONLY_A_PART:
            return True
        return min(mine, theirs) >= threshold and len(self._forms[form][1]) == len(near)

    def _find_near(self, word: str) -> Near:
        """Forms with a word like this one: the best likeness, weighted by either's length."""
        near: Near = {}
        for other, likeness in self._alike(word):
            mine, theirs = likeness * len(word), likeness * len(other)
            for form in self._places[other]:
                known = near.get(form, (0.0, 0.0))
                near[form] = (max(known[0], mine), max(known[1], theirs))
        return near

    def _alike(self, word: str) -> list[tuple[str, float]]:
        """Listed words that are like this one."""
        shortest, longest = _lengths(len(word))
        found: list[tuple[str, float]] = []
        for length in range(shortest, longest + 1):
            if choices := self._by_length.get(length):
                hits = process.extract(
                    word, choices, scorer=fuzz.ratio, score_cutoff=_ALIKE, limit=None
                )
                found += [(hit[0], hit[1]) for hit in hits]
        return found


def score_of(asked: Words, listed: Words) -> int:
    """How alike two names are: see the module."""
    pairs = sorted(
        (
            (likeness, len(one) + len(other), place, where)
            for place, one in enumerate(asked)
            for where, other in enumerate(listed)
            if (likeness := _likeness(one, other)) >= _ALIKE
        ),
        reverse=True,
    )
    mine: dict[int, float] = {}
    theirs: dict[int, float] = {}
    for likeness, _, place, where in pairs:
        if place not in mine and where not in theirs:
            mine[place] = likeness * len(asked[place])
            theirs[where] = likeness * len(listed[where])
    lone = len(asked) == 1 and len(listed) == 1
    if not mine or (len(mine) < 2 and not lone):
        return 0
    one = sum(mine.values()) / sum(map(len, asked))
    other = sum(theirs.values()) / sum(map(len, listed))
    whole = len(asked) == len(listed) == len(mine)
    return int(min(one, other)) if whole else max(0, int(max(one, other)) - _ONLY_A_PART)


@lru_cache(maxsize=65_536)
def _likeness(one: str, other: str) -> float:
    return float(fuzz.ratio(one, other))


def _lengths(length: int) -> tuple[int, int]:
    """Words of other lengths can't be alike enough: ratio <= 200 * shorter / (sum of both)."""
    return -(-length * _ALIKE // (200 - _ALIKE)), length * (200 - _ALIKE) // _ALIKE


def address_key(address: str) -> str:
    """An address as it is compared: EVM addresses differ in case only by their checksum."""
    text = address.strip()
    return text.lower() if text[:2].lower() == "0x" else text
