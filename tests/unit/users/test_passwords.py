"""What a password must be, and how it is stored."""

import pytest

from portal.core.errors import InvalidInput
from portal.users.passwords import check_new_password, hash_password, verify_password


def test_hashes_are_argon2id_and_salted() -> None:
    first, second = hash_password("a long enough phrase"), hash_password("a long enough phrase")
    assert first.startswith("$argon2id$")
    assert first != second
    assert verify_password(first, "a long enough phrase")
    assert not verify_password(first, "a long enough phrasf")


def test_nobody_has_no_password() -> None:
    assert not verify_password(None, "nobody's password")
    assert not verify_password("not a hash", "whatever it is")


def test_the_same_letters_typed_differently_are_the_same_password() -> None:
    assert verify_password(hash_password("Zu\u0308rich in winter"), "Z\u00fcrich in winter")


@pytest.mark.parametrize("password", ["correct horse battery", "ünïcödé is fine", "x y z 1 2 3 ;"])
def test_length_counts_and_composition_does_not(password: str) -> None:
    check_new_password(password, "ada@example.org")


@pytest.mark.parametrize(
    "password",
    ["", "elevenchars", "123456789012", "PasswordPassword", "aaaaaaaaaaaaaa", "ada@example.org"],
)
def test_short_known_and_own_words_are_refused(password: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        check_new_password(password, "ada@example.org")
    assert refusal.value.field == "password"
    assert refusal.value.value is None
