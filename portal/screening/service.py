"""Importing lists, and asking them: the index is built anew when a list was imported."""

import hashlib
from pathlib import Path
from threading import Lock

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from portal.audit.service import record
from portal.core.clock import now_ms
from portal.core.errors import Conflict, InvalidInput
from portal.screening import ofac
from portal.screening.entries import ListEntry
from portal.screening.matching import Match, NameIndex, address_key
from portal.screening.models import ScreeningEntry, ScreeningList

READERS = {"ofac": ofac.read}
_LEAST_PERCENT = 80
Versions = tuple[tuple[str, int], ...]


def import_list(
    session: Session, name: str, file: Path, *, actor: str, may_shrink: bool = False
) -> ScreeningList:
    """Put a file in the place of the list `name`, in the caller's transaction.

    Raises InvalidInput for a file that can't be read or is empty, and Conflict for one with less
    than 80 percent of the entries of the list in use, unless `may_shrink`.
    """
    if name not in READERS:
        raise InvalidInput(
            f"There is no list {name}.",
            field="list",
            value=name,
            hint=f"There are {', '.join(READERS)}.",
        )
    entries = _once_each(READERS[name](file))
    known = session.get(ScreeningList, name, with_for_update=True)
    if known and not may_shrink and len(entries) * 100 < known.entries * _LEAST_PERCENT:
        raise Conflict(
            f"{file.name} has {len(entries)} entries, the list in use {known.entries}.",
            hint="Check the file. --may-shrink takes it all the same.",
        )
    stored = known or ScreeningList(name=name, version=0)
    stored.version += 1
    stored.entries = len(entries)
    stored.sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    stored.imported_ms = now_ms()
    session.add(stored)
    session.flush()
    session.execute(delete(ScreeningEntry).where(ScreeningEntry.list_name == name))
    session.execute(insert(ScreeningEntry), [_row(name, entry) for entry in entries])
    told = {"version": stored.version, "entries": stored.entries, "sha256": stored.sha256}
    record(session, actor, "screening.imported", f"list:{name}", told)
    return stored


class Screener:
    """The lists in memory of one process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._versions: Versions | None = None
        self._index = NameIndex(())
        self._addresses: dict[str, tuple[str, str]] = {}

    def names(self, session: Session, name: str, threshold: int) -> list[Match]:
        """Entries whose names are like this one, best first."""
        return self._fresh(session)[0].search(name, threshold)

    def address(self, session: Session, address: str) -> tuple[str, str] | None:
        """List and number of the entry that has this wallet address."""
        return self._fresh(session)[1].get(address_key(address))

    def _fresh(self, session: Session) -> tuple[NameIndex, dict[str, tuple[str, str]]]:
        rows = session.execute(
            select(ScreeningList.name, ScreeningList.version).order_by(ScreeningList.name)
        )
        versions = tuple((name, version) for name, version in rows)
        with self._lock:
            if versions != self._versions:
                self._load(session)
                self._versions = versions
            return self._index, self._addresses

    def _load(self, session: Session) -> None:
        listed = [(row.list_name, _entry(row)) for row in session.scalars(select(ScreeningEntry))]
        self._index = NameIndex(listed)
        self._addresses = {
            address_key(address): (name, entry.uid)
            for name, entry in listed
            for address in entry.addresses
        }


def _once_each(entries: list[ListEntry]) -> list[ListEntry]:
    seen: set[str] = set()
    for entry in entries:
        if entry.uid in seen:
            raise InvalidInput(
                f"The file has the number {entry.uid} twice.", field="file", value=entry.uid
            )
        seen.add(entry.uid)
    return entries


def _row(name: str, entry: ListEntry) -> dict[str, object]:
    return {
        "list_name": name,
        "uid": entry.uid,
        "kind": entry.kind,
        "names": list(entry.names),
        "addresses": list(entry.addresses),
    }


def _entry(row: ScreeningEntry) -> ListEntry:
    return ListEntry(row.uid, row.kind, tuple(row.names), tuple(row.addresses))
