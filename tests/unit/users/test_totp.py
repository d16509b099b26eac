"""One-time codes against the vectors of RFC 6238."""

import base64

import pytest

from portal.users.totp import matching_step, new_secret, provisioning_uri

# RFC 6238 appendix B (SHA-1), the last six of its eight digits.
SECRET = base64.b32encode(b"12345678901234567890").decode()
VECTORS = [
    (59, "287082"),
    (1111111109, "081804"),
    (1111111111, "050471"),
    (1234567890, "005924"),
    (2000000000, "279037"),
    (20000000000, "353130"),
]


@pytest.mark.parametrize(("second", "code"), VECTORS)
def test_the_vectors_of_the_rfc(second: int, code: str) -> None:
    assert matching_step(SECRET, code, second * 1000) == second // 30


@pytest.mark.parametrize(("steps", "accepted"), [(-2, False), (-1, True), (1, True), (2, False)])
def test_one_step_of_drift_is_accepted(steps: int, accepted: bool) -> None:
    second, code = VECTORS[2]
    found = matching_step(SECRET, code, (second + 30 * steps) * 1000)
    assert (found == second // 30) is accepted


@pytest.mark.parametrize("code", ["", "050472", "50471", "0504710"])
def test_other_codes_are_not(code: str) -> None:
    assert matching_step(SECRET, code, 1111111111000) is None


def test_secrets_are_long_and_new() -> None:
    assert len(base64.b32decode(new_secret())) >= 20
    assert new_secret() != new_secret()


def test_the_uri_names_issuer_and_account() -> None:
    uri = provisioning_uri(SECRET, "ada@example.org", "OTC Portal")
    assert uri.startswith("otpauth://totp/OTC%20Portal:ada%40example.org?secret=")
    assert "issuer=OTC%20Portal" in uri
