"""Passwords: Argon2id hashes, and what a new one must be.

The rules are those of NIST SP 800-63B: length counts, composition does not, known passwords and
the person's own names are refused.
"""

import json
import unicodedata
from functools import cache
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from portal.core.errors import InvalidInput

MIN_LENGTH = 12
MAX_LENGTH = 128  # A longer one would only cost the server work.

_hasher = PasswordHasher()


def hash_password(password: str) -> str:
    """The Argon2id hash to store, with its parameters in it."""
    return _hasher.hash(_normal(password))


def verify_password(stored: str | None, password: str) -> bool:
    """Whether `password` is the one behind `stored`.

    Without a stored hash the same work is done against a dummy, so that the time taken says
    nothing about whether the person exists.
    """
    try:
        matches = _hasher.verify(stored or _dummy_hash(), _normal(password))
    except (Argon2Error, InvalidHashError):
        return False
    return matches and stored is not None


def needs_rehash(stored: str) -> bool:
    """Whether `stored` was made with weaker parameters than today's."""
    return _hasher.check_needs_rehash(stored)


def check_new_password(password: str, *own_words: str) -> None:
    """Raise InvalidInput for a password that is too short, too long, known or the person's name."""
    normal = _normal(password)
    if not MIN_LENGTH <= len(normal) <= MAX_LENGTH:
        raise InvalidInput(
            f"The password must have {MIN_LENGTH} to {MAX_LENGTH} characters.",
            field="password",
            hint="A few random words are long and easy to remember.",
        )
    if normal.lower() in _common() or len(set(normal)) < 4:
        raise InvalidInput(
            "This password is on the list of the most guessed ones.",
            field="password",
            hint="Choose one that nobody else would choose.",
        )
    if normal.lower() in {word.lower() for word in own_words}:
        raise InvalidInput(
            "The password must not be your e-mail address or your name.", field="password"
        )


def _normal(password: str) -> str:
    return unicodedata.normalize("NFKC", password)


@cache
def _common() -> frozenset[str]:
    return frozenset(json.loads(Path(__file__).with_name("common_passwords.json").read_text()))


@cache
def _dummy_hash() -> str:
    return _hasher.hash("nobody's password")
