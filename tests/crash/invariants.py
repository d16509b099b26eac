"""What must hold after every round, whatever was broken. Each check lists where it does not."""

from collections.abc import Iterator
from itertools import pairwise

from portal.audit.checks import (
    chain_differences,
    journal_end_differences,
    ledger_differences,
)
from portal.core.db import Database
from portal.engine import replay
from tests.crash import stored
from tests.crash.clients import Log, Sent
from tests.crash.stored import Connection, Stored

_UNBOUNDED = "outside"


def audited(database: Database) -> list[str]:
    """What `portal audit verify` finds in ledger, event chains and journal."""
    with database.reader() as session:
        return [
            *ledger_differences(session),
            *chain_differences(session),
            *journal_end_differences(session),
        ]


def differences(connection: Connection, log: Log) -> list[str]:
    """Every broken promise, in words; empty when all is well."""
    journal = stored.journal(connection)
    by_key = {entry.raw["key"]: entry for entry in journal if entry.raw.get("key")}
    return [
        *log.contradictions,
        *_sequence(journal, stored.head(connection)),
        *_one_effect_per_key(journal),
        *_acknowledged(log, by_key),
        *_refused(log, by_key),
        *_real_time_order(log, by_key),
        *_ledger(connection),
        *replay.differences(connection, "main"),
    ]


def _sequence(journal: list[Stored], head: tuple[int, int]) -> Iterator[str]:
    """No gap, time and epochs never fall: whoever was fenced off wrote nothing later."""
    for number, entry in enumerate(journal, 1):
        if entry.seq != number:
            yield f"the journal has {entry.seq} where {number} should be"
            return
    for before, after in pairwise(journal):
        if after.epoch < before.epoch:
            yield f"sequence {after.seq} is of epoch {after.epoch}, after one of {before.epoch}"
        if after.at_ms < before.at_ms:
            yield f"sequence {after.seq} is {before.at_ms - after.at_ms} ms before the last one"
    if journal and (head[1] != journal[-1].seq or head[0] < journal[-1].epoch):
        yield f"the head says {head}, the journal ends at {journal[-1].seq}"


def _one_effect_per_key(journal: list[Stored]) -> Iterator[str]:
    seen: dict[str, int] = {}
    for entry in journal:
        key = entry.raw.get("key")
        if key and key in seen:
            yield f"key {key} was carried out at {seen[key]} and again at {entry.seq}"
        if key:
            seen[key] = entry.seq


def _acknowledged(log: Log, by_key: dict[str, Stored]) -> Iterator[str]:
    for sent in log.acknowledged:
        entry = by_key.get(sent.key)
        if entry is None:
            yield f"{sent.key} was acknowledged with {sent.result} and is gone"
        elif not sent.by_gateway and entry.raw != sent.raw:
            yield f"{sent.key} was sent as {sent.raw} and stored as {entry.raw}"
        elif not _same_answer(sent, entry):
            yield f"{sent.key} was answered {sent.result}, stored is {entry.answer}"


def _same_answer(sent: Sent, entry: Stored) -> bool:
    """The gateway passes on a part of the engine's answer."""
    told, stored = sent.result or {}, entry.answer or {}
    return told == ({name: stored.get(name) for name in told} if sent.by_gateway else stored)


def _refused(log: Log, by_key: dict[str, Stored]) -> Iterator[str]:
    """A refusal is final, unless the client itself had left an attempt behind."""
    for sent in log.refused:
        if sent.key in by_key and not sent.left_behind:
            yield f"{sent.key} was refused ({sent.refusal}) and is in the journal"


def _real_time_order(log: Log, by_key: dict[str, Stored]) -> Iterator[str]:
    """What was sent after another's answer had come is carried out after it."""
    moments: list[tuple[int, bool, Sent]] = []
    for sent in (sent for sent in log.acknowledged if sent.key in by_key):
        moments.append((sent.first_sent, False, sent))
        moments.append((sent.answered or 0, True, sent))
    latest = 0
    floor: dict[str, int] = {}
    for _, is_answer, sent in sorted(moments, key=lambda moment: moment[0]):
        seq = by_key[sent.key].seq
        if not is_answer:
            floor[sent.key] = latest
            continue
        if seq <= floor[sent.key]:
            yield f"{sent.key} got {seq}, but was sent after the answer of {floor[sent.key]}"
        latest = max(latest, seq)


def _ledger(connection: Connection) -> Iterator[str]:
    moved, balances = stored.moved(connection), stored.balances(connection)
    totals: dict[str, int] = {}
    for (owner, asset, kind), (id_, balance) in balances.items():
        totals[asset] = totals.get(asset, 0) + balance
        if moved.get(id_, 0) != balance:
            yield f"account {id_} holds {balance}, its ledger rows add up to {moved.get(id_, 0)}"
        if balance < 0 and kind != _UNBOUNDED:
            yield f"{kind} of user {owner} is {balance} {asset}"
    yield from (f"all of {asset} together is {units}" for asset, units in totals.items() if units)
    wanted = stored.backing(connection)
    for key in {*wanted, *(k for k in balances if k[2] in ("held", "escrow"))}:
        found = balances.get(key, (0, 0))[1]
        if found != wanted.get(key, 0):
            yield f"{key[2]} of user {key[0]} is {found} {key[1]}, needed is {wanted.get(key, 0)}"
