"""Signed notes, the form in which checkpoints are published (C2SP signed-note, tlog-checkpoint).

A checkpoint is three lines (origin, size, base64 of the root), a blank line, and a line for
each signature: an em dash, the key's name, and base64 of the key's id with the signature.
"""

import base64
import binascii
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_ED25519 = b"\x01"
_DASH = "\u2014"
_ID_BYTES = 4


class BadNote(ValueError):
    """A note that is no checkpoint, or has no good signature of the key asked for."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """A key that checkpoints are checked with."""

    name: str
    public: bytes

    @property
    def key_id(self) -> bytes:
        """The four bytes that name the key in a signature (C2SP signed-note)."""
        return sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:_ID_BYTES]

    def __str__(self) -> str:
        """The key as it is handed to others: name, id and key."""
        key = base64.b64encode(_ED25519 + self.public).decode()
        return f"{self.name}+{self.key_id.hex()}+{key}"

    @classmethod
    def parse(cls, text: str) -> "Verifier":
        """A key as `str` wrote it. Raises BadNote."""
        name, _, rest = text.strip().partition("+")
        key_id, _, encoded = rest.partition("+")
        try:
            raw = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            raw = b""
        if not name or len(raw) != 33 or raw[:1] != _ED25519:
            raise BadNote("this is no Ed25519 key of a signed note: name+id+key")
        verifier = cls(name, raw[1:])
        if verifier.key_id.hex() != key_id:
            raise BadNote("the key's id does not belong to the key")
        return verifier


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The log `origin` had `size` leaves under `root` (32 bytes)."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def sign(checkpoint: Checkpoint, key: Ed25519PrivateKey) -> str:
    """The checkpoint as a note signed under its origin's name."""
    text = checkpoint.text()
    verifier = verifier_of(checkpoint.origin, key)
    signature = base64.b64encode(verifier.key_id + key.sign(text.encode())).decode()
    return f"{text}\n{_DASH} {verifier.name} {signature}\n"


def verifier_of(name: str, key: Ed25519PrivateKey) -> Verifier:
    """The public half of a signing key."""
    return Verifier(name, key.public_key().public_bytes_raw())


def read(note: str, *verifiers: Verifier) -> Checkpoint:
    """The checkpoint of a note that one of the keys signed. Raises BadNote."""
    text, found, lines = note.partition("\n\n")
    if not found:
        raise BadNote("the note has no signatures")
    checkpoint = _parse(text + "\n")
    for line in lines.splitlines():
        dash, _, rest = line.partition(" ")
        name, _, encoded = rest.partition(" ")
        for verifier in verifiers:
            if (dash, name) == (_DASH, verifier.name) and _holds(text + "\n", encoded, verifier):
                return checkpoint
    names = ", ".join(sorted({verifier.name for verifier in verifiers}))
    raise BadNote(f"the note has no good signature of {names}")


def _parse(text: str) -> Checkpoint:
    lines = text.split("\n")
    if len(lines) < 4 or not lines[0] or not (lines[1].isascii() and lines[1].isdigit()):
        raise BadNote("the note is no checkpoint: origin, size and root are missing")
    try:
        root = base64.b64decode(lines[2], validate=True)
    except binascii.Error as error:
        raise BadNote("the checkpoint's root is not base64") from error
    if len(root) != 32 or str(int(lines[1])) != lines[1]:
        raise BadNote("the checkpoint's size or root is not one")
    return Checkpoint(lines[0], int(lines[1]), root)


def _holds(text: str, encoded: str, verifier: Verifier) -> bool:
    try:
        raw = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        return False
    if raw[:_ID_BYTES] != verifier.key_id:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(verifier.public).verify(raw[_ID_BYTES:], text.encode())
    except InvalidSignature:
        return False
    return True
