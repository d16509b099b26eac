"""API keys: made by their owner with a fresh code, listed, revoked, and found for a request."""

import base64
import binascii
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_network

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.audit.service import record
from portal.core.clock import utc_now
from portal.core.db import Database
from portal.core.errors import Conflict, InvalidInput, NotFound
from portal.core.sealed import Sealer
from portal.users import login
from portal.users.models import ApiKey, User
from portal.users.signing import ED25519, HMAC, LiveKey, Network
from portal.users.totp import spend_code

MOST_KEYS = 20


@dataclass(frozen=True)
class KeyWish:
    """The key that somebody wants. `public_key` is base64 of 32 bytes, for Ed25519 only."""

    label: str
    algorithm: str
    scopes: tuple[str, ...]
    networks: tuple[str, ...] = ()
    max_open_orders: int | None = None
    public_key: str | None = None


@dataclass(frozen=True)
class NewKey:
    """A key just made. `secret` is shown this once; None where only its owner has it."""

    key: ApiKey
    secret: str | None


def create_key(
    database: Database, sealer: Sealer, user_id: int, wish: KeyWish, code: str
) -> NewKey:
    """Make a key of a person who gives a fresh code of their authenticator.

    Raises InvalidInput naming the field, LockedOut after too many wrong codes, Conflict when
    they have too many keys.
    """
    networks = [str(network) for network in _networks(wish.networks)]
    public = _public_key(wish)
    attempt = login.admit(database, sealer, f"api_key|{user_id}")
    with database.transaction() as session:
        user = session.get_one(User, user_id, with_for_update=True)
        if not spend_code(session, sealer, user, code):
            raise InvalidInput(
                "The code is wrong, or was used before.",
                field="code",
                hint="Wait for the next code of your authenticator app.",
            )
        login.forgive(session, attempt)
        _check_room(session, user_id)
        key_id, secret = secrets.token_hex(8), None
        if public is None:
            secret = secrets.token_urlsafe(32)
        key = ApiKey(
            id=key_id,
            user_id=user_id,
            label=wish.label.strip() or "Key",
            algorithm=wish.algorithm,
            sealed=sealer.seal(secret, _context(key_id)) if secret else None,
            public_key=public,
            scopes=sorted(set(wish.scopes)),
            networks=networks,
            max_open_orders=wish.max_open_orders,
        )
        session.add(key)
        session.flush()
        told = {
            name: getattr(key, name) for name in ("label", "algorithm", "scopes", "networks")
        } | {"key": key_id, "max_open_orders": key.max_open_orders}
        record(session, f"user:{user_id}", "api_key.created", f"user:{user_id}", told)
        return NewKey(key, secret)


def revoke_key(database: Database, user_id: int, key_id: str) -> None:
    """End a key of one's own; one that was revoked before stays so. Raises NotFound."""
    with database.transaction() as session:
        key = session.get(ApiKey, key_id, with_for_update=True)
        if key is None or key.user_id != user_id:
            raise NotFound("You have no such API key.", field="key_id", value=key_id)
        if key.revoked_at is None:
            key.revoked_at = utc_now()
            told = {"key": key_id, "label": key.label}
            record(session, f"user:{user_id}", "api_key.revoked", f"user:{user_id}", told)


def live_keys(session: Session, user_id: int) -> Sequence[ApiKey]:
    """A person's keys that were not revoked, oldest first."""
    return session.scalars(
        select(ApiKey)
        .where(ApiKey.user_id == user_id, ApiKey.revoked_at.is_(None))
        .order_by(ApiKey.created_at, ApiKey.id)
    ).all()


def find_key(session: Session, sealer: Sealer, key_id: str) -> tuple[LiveKey, User] | None:
    """A key that may be used, and its owner; None for one that is not, or whose owner is gone."""
    found = session.execute(
        select(ApiKey, User)
        .join(User, User.id == ApiKey.user_id)
        .where(
            ApiKey.id == key_id,
            ApiKey.revoked_at.is_(None),
            User.active.is_(True),
            User.kind == "trader",
        )
    ).first()
    if found is None:
        return None
    key, user = found
    return _live(sealer, key), user


def _live(sealer: Sealer, key: ApiKey) -> LiveKey:
    secret = sealer.unseal(key.sealed, _context(key.id)).encode() if key.sealed else None
    public = None
    if key.public_key is not None:
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key.public_key))
    return LiveKey(
        id=key.id,
        user_id=key.user_id,
        secret=secret,
        public=public,
        scopes=frozenset(key.scopes),
        networks=tuple(ip_network(text) for text in key.networks),
        max_open_orders=key.max_open_orders,
    )


def _check_room(session: Session, user_id: int) -> None:
    mine = select(func.count()).where(ApiKey.user_id == user_id, ApiKey.revoked_at.is_(None))
    if (session.scalar(mine) or 0) >= MOST_KEYS:
        raise Conflict(
            f"You have {MOST_KEYS} API keys, which is the limit.", hint="Revoke one first."
        )


def _networks(texts: Sequence[str]) -> list[Network]:
    found = []
    for at, text in enumerate(texts):
        try:
            found.append(ip_network(text))
        except ValueError:
            raise InvalidInput(
                "This is no address and no network.",
                field=f"networks.{at}",
                value=text,
                hint="Write it like 203.0.113.7 or 203.0.113.0/24.",
            ) from None
    return found


def _public_key(wish: KeyWish) -> str | None:
    if wish.algorithm == HMAC:
        if wish.public_key is not None:
            raise InvalidInput("An HMAC key has no public key.", field="public_key")
        return None
    assert wish.algorithm == ED25519
    try:
        raw = base64.b64decode(wish.public_key or "", validate=True)
        Ed25519PublicKey.from_public_bytes(raw)
    except (binascii.Error, ValueError):
        raise InvalidInput(
            "This is no Ed25519 public key.",
            field="public_key",
            value=wish.public_key,
            hint="Give its 32 bytes in base64.",
        ) from None
    return base64.b64encode(raw).decode()


def _context(key_id: str) -> str:
    return f"api_key|sealed|{key_id}"
