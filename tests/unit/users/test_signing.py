"""Signed requests: the test vectors of docs/api-machines.md, and what is refused."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from portal.core.errors import Forbidden, InvalidInput, PortalError, Unauthorized
from portal.users import signing
from portal.users.signing import LiveKey, Replays, Signed
from tests.factories.machines import Machine, signature

PAGE = (Path(__file__).parents[3] / "docs" / "api-machines.md").read_text()
VECTORS = json.loads(re.findall(r"```json vectors\n(.*?)```", PAGE, re.S)[0])
HEADERS = VECTORS["headers"]


def live(**changes: object) -> LiveKey:
    values = {
        "id": HEADERS["X-Portal-Key"],
        "user_id": 7,
        "secret": VECTORS["hmac"]["secret"].encode(),
        "public": None,
        "scopes": frozenset({"trade"}),
    }
    return LiveKey(**{**values, **changes})  # type: ignore[arg-type]


def finder(headers: Mapping[str, str | None]) -> Callable[[str], str | None]:
    return {name.lower(): value for name, value in headers.items()}.get


def signed(**changes: str) -> Signed:
    return signing.read_headers(finder({**HEADERS, "X-Portal-Signature": "0" * 64, **changes}))


def text() -> bytes:
    body = VECTORS["body"].encode()
    return signing.signed_text(signed(), VECTORS["method"], VECTORS["path"], VECTORS["query"], body)


def private() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(VECTORS["ed25519"]["private"]))


def test_the_signed_text_is_that_of_the_page() -> None:
    assert text().decode() == VECTORS["text"]


def test_the_hmac_vector() -> None:
    given_signature = VECTORS["hmac"]["signature"]
    assert signature(VECTORS["hmac"]["secret"], text()) == given_signature
    signing.check_signature(live(), signed(**{"X-Portal-Signature": given_signature}), text())


def test_the_ed25519_vector() -> None:
    given_signature = VECTORS["ed25519"]["signature"]
    assert signature(private(), text()) == given_signature
    assert private().public_key().public_bytes_raw().hex() == VECTORS["ed25519"]["public"]
    key = live(secret=None, public=private().public_key())
    signing.check_signature(key, signed(**{"X-Portal-Signature": given_signature}), text())


@pytest.mark.parametrize("kind", ["hmac", "ed25519"])
@given(st.data())
def test_any_other_text_or_signature_is_refused(kind: str, data: st.DataObject) -> None:
    key = live() if kind == "hmac" else live(secret=None, public=private().public_key())
    right = VECTORS[kind]["signature"]
    at = data.draw(st.integers(0, len(right) - 1))
    other = data.draw(st.sampled_from("0123456789abcdef".replace(right[at], "")))
    wrong = signed(**{"X-Portal-Signature": right[:at] + other + right[at + 1 :]})
    with pytest.raises(Unauthorized, match="does not fit"):
        signing.check_signature(key, wrong, text())
    place = data.draw(st.integers(0, len(text()) - 1))
    changed = bytearray(text())
    changed[place] ^= 1
    with pytest.raises(Unauthorized, match="does not fit"):
        # The last line is told to the sender; a broken one must not hide the refusal.
        signing.check_signature(
            key, signed(**{"X-Portal-Signature": right}), bytes(changed[:-64]) + b"0" * 64
        )


@pytest.mark.parametrize("length", [64, 128])
def test_a_signature_of_the_other_kind_is_refused(length: int) -> None:
    for key in (live(), live(secret=None, public=private().public_key())):
        with pytest.raises(Unauthorized):
            signing.check_signature(key, signed(**{"X-Portal-Signature": "a" * length}), text())


@pytest.mark.parametrize(
    ("header", "value", "error"),
    [
        ("X-Portal-Key", None, Unauthorized),
        ("X-Portal-Key", "ABCDEF0123456789", Unauthorized),
        ("X-Portal-Key", "0123456789abcdef\n", Unauthorized),
        ("X-Portal-Time", None, Unauthorized),
        ("X-Portal-Time", "1.7e12", Unauthorized),
        ("X-Portal-Time", "-170000000000", Unauthorized),
        ("X-Portal-Time", "١٧٠٠٠٠٠٠٠٠٠٠٠", Unauthorized),
        ("X-Portal-Signature", None, Unauthorized),
        ("X-Portal-Signature", "A" * 64, Unauthorized),
        ("X-Portal-Signature", "a" * 63, Unauthorized),
        ("X-Portal-Nonce", "short", InvalidInput),
        ("X-Portal-Nonce", "spaces are not one", InvalidInput),
        ("Idempotency-Key", "é" * 8, InvalidInput),
        ("Idempotency-Key", "x" * 65, InvalidInput),
    ],
)
def test_headers_are_read_strictly(
    header: str, value: str | None, error: type[PortalError]
) -> None:
    headers = {**HEADERS, "X-Portal-Signature": "0" * 64, header: value}
    with pytest.raises(error) as refusal:
        signing.read_headers(finder(headers))
    assert refusal.value.field == header


def test_two_requests_never_look_alike() -> None:
    headers = {name: value for name, value in HEADERS.items() if "Idem" not in name}
    headers.pop("X-Portal-Nonce", None)
    with pytest.raises(Unauthorized, match="Nonce"):
        signing.read_headers(finder({**headers, "X-Portal-Signature": "0" * 64}))


@pytest.mark.parametrize(("off", "fits"), [(0, True), (5000, True), (-5000, True), (5001, False)])
def test_the_time_must_be_near_ours(off: int, fits: bool) -> None:
    now = signed().at_ms + off
    if fits:
        signing.check_time(signed(), 5000, lambda: now)
    else:
        with pytest.raises(Unauthorized, match="5001 ms"):
            signing.check_time(signed(), 5000, lambda: now)


def test_addresses() -> None:
    from ipaddress import ip_network

    key = live(networks=(ip_network("203.0.113.0/24"), ip_network("2001:db8::/48")))
    for good in ("203.0.113.9", "::ffff:203.0.113.9", "2001:db8::7"):
        signing.check_address(key, good)
    for bad in ("203.0.114.9", "2001:db9::7", "unknown", ""):
        with pytest.raises(Forbidden):
            signing.check_address(key, bad)
    signing.check_address(live(), "unknown")


def test_scopes() -> None:
    live().require("trade")
    with pytest.raises(Forbidden, match="may not read"):
        live().require("read")


def test_a_signature_counts_once_and_is_forgotten_when_its_time_is_over() -> None:
    now = [1_700_000_000_000]
    replays = Replays(5000, lambda: now[0])
    machine = Machine("0123456789abcdef", "secret")

    def sign(at_ms: int) -> Signed:
        return signing.read_headers(finder(machine.headers("GET", "/x", at_ms=at_ms)))

    first = sign(now[0])
    replays.check(first)
    with pytest.raises(Unauthorized, match="sent before"):
        replays.check(first)
    replays.check(sign(now[0]))
    now[0] += 4_000
    with pytest.raises(Unauthorized, match="sent before"):
        replays.check(first)
    now[0] += 60_000
    replays.check(sign(now[0]))
    assert len(replays) == 1
