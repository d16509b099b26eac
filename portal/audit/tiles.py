"""The tree's hashes in the database, in tiles of 256 neighbours (as C2SP tlog-tiles cuts them).

Tile `number` of level t holds the hashes of 256 perfect subtrees of 2**(8t) leaves each; the last
one of a level has as many as there are whole. A proof then reads a few rows, whatever the size.
"""

from typing import Final

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from portal.audit import tree
from portal.audit.models import AuditTile

WIDTH_BITS: Final = 8
WIDTH: Final = 1 << WIDTH_BITS
_HASH: Final = 32
_STORE_AT: Final = 500


class Tiles:
    """The tiles of one session, read when they are needed."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._read: dict[tuple[int, int], bytes] = {}

    def node(self, level: int, index: int) -> bytes:
        """The hash of a perfect subtree, as `tree.Node`. Raises LookupError when it is missing."""
        tile, above = divmod(level, WIDTH_BITS)
        first = index << above
        hashes = self.tile(tile, first >> WIDTH_BITS)
        begin = (first & (WIDTH - 1)) * _HASH
        part = hashes[begin : begin + (_HASH << above)]
        if len(part) != _HASH << above:
            raise LookupError(f"the tree has no subtree {index} of level {level}")
        return tree.perfect_root(_cut(part))

    def tile(self, level: int, number: int) -> bytes:
        """The hashes of a tile; none where there is no such tile."""
        found = self._read.get((level, number))
        if found is None:
            row = self._session.get(AuditTile, (level, number))
            found = self._read[level, number] = row.hashes if row else b""
        return found


class Growing:
    """A tree that gets leaves at its end. Pure: it begins with what `open_tiles` read.

    `changed` are the tiles that are not written yet, by level and number; the last one of each
    level is in there only after `close`.
    """

    def __init__(self, size: int = 0, open_hashes: list[bytes] | None = None) -> None:
        self.size = size
        self.changed: dict[tuple[int, int], bytes] = {}
        self._open = [bytearray(hashes) for hashes in open_hashes or []]

    def append(self, leaf: bytes) -> None:
        """One more leaf, by its hash."""
        level, index = 0, self.size
        self.size += 1
        while True:
            if level == len(self._open):
                self._open.append(bytearray())
            hashes = self._open[level]
            hashes += leaf
            if len(hashes) < WIDTH * _HASH:
                return
            index >>= WIDTH_BITS
            self.changed[level, index] = bytes(hashes)
            leaf = tree.perfect_root(_cut(hashes))
            hashes.clear()
            level += 1

    def root(self) -> bytes:
        """The root over all leaves so far."""
        found: bytes | None = None
        for hashes in self._open:
            whole = _cut(hashes)
            while whole:
                width = len(whole) & -len(whole)
                peak = tree.perfect_root(whole[-width:])
                found = peak if found is None else tree.node_hash(peak, found)
                del whole[-width:]
        return tree.EMPTY if found is None else found

    def close(self) -> None:
        """Note the last tile of each level as changed too."""
        for level, hashes in enumerate(self._open):
            if hashes:
                self.changed[level, self.size >> (WIDTH_BITS * (level + 1))] = bytes(hashes)


def open_tiles(session: Session, size: int) -> list[bytes]:
    """The last, unfinished tile of each level of a tree of `size` leaves, for `Growing`.

    Raises LookupError when the stored tiles do not reach so far.
    """
    tiles, count = Tiles(session), size
    found: list[bytes] = []
    while count:
        count, width = divmod(count, WIDTH)
        hashes = tiles.tile(len(found), count)[: width * _HASH]
        if len(hashes) != width * _HASH:
            raise LookupError(f"tile {count} of level {len(found)} of the tree is not whole")
        found.append(hashes)
    return found


def write(session: Session, growing: Growing) -> None:
    """Store the tiles that changed."""
    rows = [
        {"level": level, "number": number, "hashes": hashes}
        for (level, number), hashes in growing.changed.items()
    ]
    for begin in range(0, len(rows), _STORE_AT):
        added = insert(AuditTile).values(rows[begin : begin + _STORE_AT])
        session.execute(
            added.on_conflict_do_update(
                index_elements=["level", "number"], set_={"hashes": added.excluded.hashes}
            )
        )
    growing.changed.clear()


def _cut(hashes: bytes | bytearray) -> list[bytes]:
    return [bytes(hashes[i : i + _HASH]) for i in range(0, len(hashes), _HASH)]
