"""Requests that a machine signs with its API key: what is signed, and how it is checked.

The signed text is nine lines, joined by line feeds, without one at the end:

    portal-request-v1
    <X-Portal-Key>
    <method>
    <path>
    <query as sent, without the question mark>
    <X-Portal-Time>
    <X-Portal-Nonce, or nothing>
    <Idempotency-Key, or nothing>
    <SHA-256 of the body, in lower-case hexadecimal>

It is signed with HMAC-SHA256 (the secret's text is the key) or Ed25519; the signature is
hexadecimal. Everything that decides what happens is in it: whoever replays a request can change
nothing, and whoever records one can't put their own key of idempotency under it.
"""

import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec import Struct

from portal.core.clock import Clock, now_ms
from portal.core.errors import Forbidden, InvalidInput, Unauthorized

VERSION = "portal-request-v1"
KEY_HEADER = "X-Portal-Key"
TIME_HEADER = "X-Portal-Time"
NONCE_HEADER = "X-Portal-Nonce"
SIGNATURE_HEADER = "X-Portal-Signature"
IDEMPOTENCY_HEADER = "Idempotency-Key"
HMAC, ED25519 = "hmac-sha256", "ed25519"
ALGORITHMS = (HMAC, ED25519)
READ, TRADE = "read", "trade"
SCOPES = (READ, TRADE)
_MANUAL = "See docs/api-machines.md."
_KEY = re.compile(r"[0-9a-f]{16}", re.ASCII)
_TIME = re.compile(r"[0-9]{13}", re.ASCII)
_NONCE_FORM = "8 to 64 of A-Z a-z 0-9 _ -; new for each request."
_NONCE = re.compile(r"[A-Za-z0-9_-]{8,64}", re.ASCII)
_SIGNATURE = re.compile(r"[0-9a-f]{64}(?:[0-9a-f]{64})?", re.ASCII)

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class LiveKey:
    """A key as its holder may use it now.

    `secret` is the HMAC secret, `public` the Ed25519 public key; one of them is there.
    `networks` empty: from everywhere. `max_open_orders` None: the portal's own bound.
    """

    id: str
    user_id: int
    secret: bytes | None
    public: Ed25519PublicKey | None
    scopes: frozenset[str]
    networks: tuple[Network, ...] = ()
    max_open_orders: int | None = None

    def require(self, scope: str) -> None:
        """Raises Forbidden unless the key has this scope."""
        if scope not in self.scopes:
            raise Forbidden(
                f"This API key may not {scope}.",
                field=KEY_HEADER,
                value=self.id,
                hint=f"It may {' and '.join(sorted(self.scopes))}. Make another key.",
            )


class Signed(Struct, frozen=True, gc=False):
    """The headers of a signed request, in the right form; `at_ms` is what the machine says."""

    key: str
    time: str
    nonce: str
    idempotency_key: str
    signature: str

    @property
    def at_ms(self) -> int:
        """When it was signed, in milliseconds since 1970."""
        return int(self.time)


def read_headers(get: Callable[[str], str | None]) -> Signed:
    """The signing headers of a request, by a function that finds one by its lower-case name.

    Raises Unauthorized naming the header that is missing or not in its form, InvalidInput for a
    nonce or key of idempotency that can't be one.
    """
    key, time, signature = get("x-portal-key"), get("x-portal-time"), get("x-portal-signature")
    if key is None or not _KEY.fullmatch(key):
        raise _wrong(key, KEY_HEADER, "It is the 16 characters shown with the key.")
    if time is None or not _TIME.fullmatch(time):
        raise _wrong(time, TIME_HEADER, "Milliseconds since 1970, as now.")
    if signature is None or not _SIGNATURE.fullmatch(signature):
        raise _wrong(signature, SIGNATURE_HEADER, "Lower-case hexadecimal.")
    nonce = _optional(get("x-portal-nonce"), NONCE_HEADER)
    idempotency_key = _optional(get("idempotency-key"), IDEMPOTENCY_HEADER)
    if not nonce and not idempotency_key:
        raise Unauthorized(
            f"{NONCE_HEADER} is missing.",
            field=NONCE_HEADER,
            hint=f"Send {IDEMPOTENCY_HEADER} or {NONCE_HEADER}: two requests never look alike.",
        )
    return Signed(key, time, nonce, idempotency_key, signature)


def _wrong(value: str | None, name: str, hint: str) -> Unauthorized:
    if value is None:
        return Unauthorized(f"{name} is missing.", field=name, hint=_MANUAL)
    return Unauthorized(f"{name} is not in its form.", field=name, hint=hint)


def _optional(value: str | None, name: str) -> str:
    if value is None:
        return ""
    if not _NONCE.fullmatch(value):
        raise InvalidInput(f"{name} is not in its form.", field=name, value=value, hint=_NONCE_FORM)
    return value


def signed_text(signed: Signed, method: str, path: str, query: str, body: bytes) -> bytes:
    """What is signed; see the head of this module."""
    return (
        f"{VERSION}\n{signed.key}\n{method}\n{path}\n{query}\n{signed.time}\n{signed.nonce}\n"
        f"{signed.idempotency_key}\n{hashlib.sha256(body).hexdigest()}"
    ).encode()


def check_time(signed: Signed, window_ms: int, clock: Clock = now_ms) -> None:
    """Raises Unauthorized for a request signed outside the window around our clock."""
    now = clock()
    if abs(now - signed.at_ms) > window_ms:
        raise Unauthorized(
            f"{TIME_HEADER} is {abs(now - signed.at_ms)} ms from the portal's clock; "
            f"{window_ms} are allowed.",
            field=TIME_HEADER,
            value=signed.time,
            hint=f"It is {now} here. Set your clock, and sign just before you send.",
        )


def check_signature(key: LiveKey, signed: Signed, text: bytes) -> None:
    """Raises Unauthorized unless `key` signed `text`."""
    given = bytes.fromhex(signed.signature)
    if not (_hmac_fits if key.secret is not None else _ed25519_fits)(key, given, text):
        raise Unauthorized(
            "The signature does not fit the request.",
            field=SIGNATURE_HEADER,
            hint=f"The body that arrived has SHA-256 {text[-64:].decode()}. {_MANUAL}",
        )


def _hmac_fits(key: LiveKey, given: bytes, text: bytes) -> bool:
    assert key.secret is not None
    return hmac.compare_digest(hmac.digest(key.secret, text, "sha256"), given)


def _ed25519_fits(key: LiveKey, given: bytes, text: bytes) -> bool:
    assert key.public is not None
    try:
        key.public.verify(given, text)
    except InvalidSignature:
        return False
    return True


def check_address(key: LiveKey, address: str) -> None:
    """Raises Forbidden for an address outside the key's networks."""
    if not key.networks:
        return
    found = _plain(address)
    if found is None or not any(found in network for network in key.networks):
        raise Forbidden(
            f"This API key may not be used from {address}.",
            field=KEY_HEADER,
            value=key.id,
            hint="Its owner named the addresses it may be used from.",
        )


def _plain(address: str) -> IPv4Address | IPv6Address | None:
    """The address, an IPv4 one that came by IPv6 as itself."""
    try:
        found = ip_address(address)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


def machine_key(user_id: int, client_key: str) -> str:
    """The engine's key of what a person's machine asks for under its own key."""
    return f"gateway:{user_id}:{client_key}"


def unknown_key(key_id: str) -> Unauthorized:
    """The one answer for a key that never was and one that was revoked."""
    return Unauthorized(
        "There is no such API key, or it was revoked.",
        field=KEY_HEADER,
        value=key_id,
        hint="Make a new one on your profile.",
    )


class Replays:
    """The signatures of one process's last seconds: none is accepted twice.

    They are forgotten once the time they were signed for is out of the window, because from then
    on the time refuses them. Another process has not seen them; there a replayed order meets its
    key of idempotency and gets the first one's answer, so nothing happens twice either.
    """

    def __init__(self, window_ms: int, clock: Clock = now_ms) -> None:
        self._window_ms, self._clock = window_ms, clock
        self._seconds: dict[int, dict[bytes, object]] = {}

    def check(self, signed: Signed) -> None:
        """Raises Unauthorized for a signature that was here before."""
        second = signed.at_ms // 1000
        seen = self._seconds.get(second)
        if seen is None:
            self._forget()
            seen = self._seconds.setdefault(second, {})
        mine = object()
        # One operation, so of two threads one wins; half a signature is as unlikely to repeat.
        if seen.setdefault(bytes.fromhex(signed.signature[:32]), mine) is not mine:
            raise Unauthorized(
                "This request was sent before.",
                field=SIGNATURE_HEADER,
                hint=f"Sign again to ask again; under the same {IDEMPOTENCY_HEADER} or client_id "
                "you get the first one's answer.",
            )

    def _forget(self) -> None:
        oldest = (self._clock() - self._window_ms) // 1000
        for second in [second for second in self._seconds if second < oldest]:
            self._seconds.pop(second, None)

    def __len__(self) -> int:
        return sum(map(len, self._seconds.values()))
