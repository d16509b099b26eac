"""One answer per idempotency key: a retry gets what the first request got.

The stored answer is sealed, because it may show a payment account. Only success is stored: a
refused request changed nothing, so its key may be used again.
"""

import hashlib
from collections.abc import Callable
from datetime import timedelta

import orjson
from flask import Response, request
from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert

from portal.api.context import caller, services
from portal.api.shapes import IDEMPOTENCY_HEADER as HEADER
from portal.core.clock import utc_now
from portal.core.errors import Conflict
from portal.users.models import IdempotencyKey
from portal.users.signing import machine_key

# An unfinished request older than this died with its process; the engine's own keys make it
# safe to run it again.
_ABANDONED = timedelta(seconds=60)


def engine_key(client_id: str | None = None) -> str:
    """The key of this request for the engine, unique per person.

    A machine's `client_id` comes before the header, and its keys are those of the gateway: an
    order that is retried through the other door is the same order.
    """
    who = caller()
    if who.key is not None:
        return machine_key(who.id, client_id or request.headers[HEADER])
    return f"api:{who.id}:{request.headers[HEADER]}"


def answer_once(work: Callable[[], Response]) -> Response:
    """Do `work`, or repeat its stored answer.

    Raises Conflict when the key was used for something else, or its request is still running.
    """
    user_id, key = caller().id, request.headers[HEADER]
    stored = _claim(user_id, key, _fingerprint())
    if stored is not None:
        return stored
    try:
        response = work()
    except BaseException:
        _forget(user_id, key)
        raise
    if response.status_code < 400:
        _store(user_id, key, response)
    else:
        _forget(user_id, key)
    return response


def _fingerprint() -> str:
    content = orjson.loads(request.get_data() or b"null")
    parts = [request.method, request.path, content]
    return hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _claim(user_id: int, key: str, fingerprint: str) -> Response | None:
    with services().database.transaction() as session:
        inserted = session.execute(
            insert(IdempotencyKey)
            .values(user_id=user_id, key=key, fingerprint=fingerprint)
            .on_conflict_do_nothing()
            .returning(IdempotencyKey.key)
        ).first()
        if inserted is not None:
            return None
        row = session.get(IdempotencyKey, (user_id, key), with_for_update=True)
        if row is None or row.fingerprint != fingerprint:
            raise Conflict(
                "This idempotency key was used for another request.",
                field=HEADER,
                value=key,
                hint="Use a new key for a new act.",
            )
        if row.status is not None and row.body is not None:
            return _stored(row)
        if utc_now() - row.at < _ABANDONED:
            raise Conflict(
                "The request with this key is still being worked on.",
                field=HEADER,
                value=key,
                hint="Ask again in a moment with the same key.",
            )
        row.at = utc_now()
        return None


def _stored(row: IdempotencyKey) -> Response:
    sealed = (row.body or {})["sealed"]
    text = services().sealer.unseal(sealed, _context(row.user_id, row.key))
    return Response(text, row.status, mimetype="application/json")


def _store(user_id: int, key: str, response: Response) -> None:
    sealed = services().sealer.seal(response.get_data(as_text=True), _context(user_id, key))
    with services().database.transaction() as session:
        session.execute(
            update(IdempotencyKey)
            .where(IdempotencyKey.user_id == user_id, IdempotencyKey.key == key)
            .values(status=response.status_code, body={"sealed": sealed})
        )


def _forget(user_id: int, key: str) -> None:
    with services().database.transaction() as session:
        row = session.get(IdempotencyKey, (user_id, key))
        if row is not None:
            session.delete(row)


def _context(user_id: int, key: str) -> str:
    return f"idempotency_key|body|{user_id}|{key}"
