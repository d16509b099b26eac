"""A name as lists of Latin words, whatever script it is written in. Pure.

Han characters become pinyin, with one and with two characters as the family name; scripts without
vowels (Arabic, Hebrew) become consonants, marked with `~`, which every Latin name has too.
"""

import re
import unicodedata

from anyascii import anyascii
from pypinyin import lazy_pinyin

Words = tuple[str, ...]
_HAN = re.compile(r"[㐀-䶿一-鿿]+")
_CONSONANTAL = re.compile(r"[֐-ۿݐ-ݿ]")
_NO_WORD = re.compile(r"[^a-z0-9]+")
_NO_LETTER = re.compile(r"[^\w֐-ۿ]+")
_NOT_HARD = re.compile(r"[aeiouwy']")
_TWICE = re.compile(r"(.)\1+")
_LONGEST = 200
_SYLLABLE = 6
_COMPANY = {
    "limited": "ltd",
    "company": "co",
    "corporation": "corp",
    "incorporated": "inc",
}


def asked_forms(name: str) -> list[Words]:
    """The ways in which a name that is looked up may stand on a list."""
    name = unicodedata.normalize("NFKC", name)[:_LONGEST]
    if han := "".join(_HAN.findall(name)):
        return _pinyin(han)
    if _CONSONANTAL.search(name):
        return [words] if (words := _consonants(_latin(name))) else []
    return _joined(words) if (words := _latin(name)) else []


def listed_forms(name: str) -> list[Words]:
    """The forms under which a name on a list is found."""
    asked = asked_forms(name)
    if _CONSONANTAL.search(name) or not asked:
        return asked
    return list(dict.fromkeys([*asked, _consonants(asked[0])]))


def _latin(name: str) -> Words:
    words = _NO_LETTER.split(name)
    plain = (_NO_WORD.sub("", anyascii(word).lower()) for word in words)
    return tuple(_COMPANY.get(word, word) for word in plain if word)


def _joined(words: Words) -> list[Words]:
    """Syllables of a Chinese or Korean given name are written apart or together."""
    if len(words) != 3 or max(map(len, words)) > _SYLLABLE:
        return [words]
    one, two, three = words
    return [words, (one, two + three), (one + two, three)]


def _consonants(words: Words) -> Words:
    hard = (_TWICE.sub(r"\1", _NOT_HARD.sub("", word)) for word in words)
    return tuple(f"~{word}" for word in hard if word)


def _pinyin(han: str) -> list[Words]:
    parts = [_NO_WORD.sub("", part.lower()) for part in lazy_pinyin(han)]
    forms = [tuple(parts)]
    for family in (1, 2):
        if len(parts) > family:
            forms.append(("".join(parts[:family]), "".join(parts[family:])))
    return list(dict.fromkeys(forms))
