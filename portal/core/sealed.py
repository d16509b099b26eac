"""Sensitive fields at rest: AES-256-GCM under the master key.

Format: version byte 1, 12-byte nonce, ciphertext with tag; URL-safe base64. `context`
(table|column|row) is authenticated, so a sealed value moved to another row does not open.
"""

import base64
import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_VERSION = b"\x01"


class SealBroken(Exception):
    """A sealed value does not open: wrong master key, wrong row, or it was changed."""


class Sealer:
    """Seals and opens text under a master key of any length (stretched with HKDF-SHA256)."""

    def __init__(self, master_key: str) -> None:
        self._aes = AESGCM(_derive(master_key, b"seal"))
        self._index_key = _derive(master_key, b"blind-index")

    def seal(self, plaintext: str, context: str) -> str:
        """Encrypt `plaintext` bound to `context`."""
        nonce = os.urandom(12)
        sealed = self._aes.encrypt(nonce, plaintext.encode(), context.encode())
        return base64.urlsafe_b64encode(_VERSION + nonce + sealed).decode()

    def unseal(self, sealed: str, context: str) -> str:
        """Open what `seal` made. Raises SealBroken, whatever the text is."""
        try:
            raw = base64.urlsafe_b64decode(sealed)
            if raw[:1] != _VERSION:
                raise SealBroken(f"unknown seal version for {context}")
            return self._aes.decrypt(raw[1:13], raw[13:], context.encode()).decode()
        except (InvalidTag, ValueError) as error:
            raise SealBroken(f"sealed value of {context} does not open") from error

    def blind_index(self, value: str, context: str) -> str:
        """A keyed hash for exact search over sealed values."""
        message = f"{context}|{value}".encode()
        return hmac.new(self._index_key, message, hashlib.sha256).hexdigest()


def _derive(master_key: str, purpose: bytes) -> bytes:
    return HKDF(SHA256(), 32, b"otc-portal", purpose).derive(master_key.encode())
