"""A trader's program: it signs requests as docs/api-machines.md says, with nothing of ours."""

import hashlib
import hmac
import itertools
import json
import time
import uuid
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_NUMBER = itertools.count(1)


def signature(secret: str | Ed25519PrivateKey, text: bytes) -> str:
    """The hexadecimal signature of a text."""
    if isinstance(secret, str):
        return hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()
    return secret.sign(text).hex()


@dataclass
class Machine:
    """A key and its secret."""

    key: str
    secret: str | Ed25519PrivateKey

    def headers(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        query: str = "",
        at_ms: int | None = None,
        nonce: str | None = None,
        idempotency_key: str = "",
    ) -> dict[str, str]:
        """Headers of a signed request; a fresh nonce unless there is a key of idempotency."""
        at = str(int(time.time() * 1000) if at_ms is None else at_ms)
        if nonce is None:
            nonce = "" if idempotency_key else f"nonce-{next(_NUMBER):08d}"
        digest = hashlib.sha256(body).hexdigest()
        lines = (
            "portal-request-v1", self.key, method, path, query, at, nonce, idempotency_key, digest,
        )  # fmt: skip
        headers = {
            "X-Portal-Key": self.key,
            "X-Portal-Time": at,
            "X-Portal-Signature": signature(self.secret, "\n".join(lines).encode()),
        }
        if nonce:
            headers["X-Portal-Nonce"] = nonce
        if idempotency_key:
            headers["Idempotency-Key"] = idempotency_key
        if body:
            headers["Content-Type"] = "application/json"
        return headers

    def order(self, path: str, body: Any, key: str | None = None) -> tuple[bytes, dict[str, str]]:
        """A POST with a fresh key of idempotency unless one is given."""
        raw = json.dumps(body).encode()
        return raw, self.headers("POST", path, raw, idempotency_key=key or uuid.uuid4().hex)
