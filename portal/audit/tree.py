"""The Merkle tree of RFC 6962 / RFC 9162 over a log: roots, proofs, and checking them. Pure.

Hashes are 32 bytes of SHA-256. Trees are read through `Node`: the hash of the perfect subtree of
2**level leaves that is number `index` from the left.
"""

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256

Node = Callable[[int, int], bytes]
EMPTY = sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf (RFC 9162, 2.1.1)."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two subtrees put together (RFC 9162, 2.1.1)."""
    return sha256(b"\x01" + left + right).digest()


def perfect_root(hashes: Sequence[bytes]) -> bytes:
    """The root over a power of two of neighbouring hashes of one level."""
    while len(hashes) > 1:
        pairs = iter(hashes)
        hashes = [node_hash(left, right) for left, right in zip(pairs, pairs, strict=True)]
    return hashes[0]


def root(node: Node, size: int) -> bytes:
    """The root over the first `size` leaves."""
    return _range(node, 0, size) if size else EMPTY


def inclusion_path(node: Node, index: int, size: int) -> list[bytes]:
    """What proves that leaf `index` is in the tree of `size` leaves (RFC 9162, 2.1.3.1).

    Raises ValueError when there is no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    return list(_path(node, index, 0, size))


def consistency_path(node: Node, old: int, new: int) -> list[bytes]:
    """What proves that the tree of `old` leaves is the beginning of that of `new` (2.1.4.1).

    Raises ValueError when `old` is larger than `new`.
    """
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {new} leaves has no beginning of {old}")
    return list(_growth(node, old, 0, new, whole=True)) if 0 < old < new else []


def root_by_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root that a path leads to from a leaf's hash (RFC 9162, 2.1.3.2).

    Raises ValueError for a path of the wrong length.
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    place, last, found = index, size - 1, leaf
    for step in path:
        if not last:
            raise ValueError("the path is too long")
        if place & 1 or place == last:
            found = node_hash(step, found)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, step)
        place, last = place >> 1, last >> 1
    if last:
        raise ValueError("the path is too short")
    return found


def is_consistent(
    old: int, new: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]
) -> bool:
    """Whether a path proves that the old tree is the beginning of the new (RFC 9162, 2.1.4.2)."""
    if old == new or old == 0:
        return not path and (old == 0 or old_root == new_root)
    if not 0 < old < new or not path:
        return False
    steps = list(path) if old & (old - 1) else [old_root, *path]
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    before = after = steps[0]
    for step in steps[1:]:
        if not last:
            return False
        if place & 1 or place == last:
            before, after = node_hash(step, before), node_hash(step, after)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            after = node_hash(after, step)
        place, last = place >> 1, last >> 1
    return not last and before == old_root and after == new_root


def _range(node: Node, begin: int, end: int) -> bytes:
    """The root over leaves `begin` to before `end`; `begin` is a place where a subtree begins."""
    peaks = []
    while begin < end:
        level = (end - begin).bit_length() - 1
        peaks.append(node(level, begin >> level))
        begin += 1 << level
    found = peaks.pop()
    while peaks:
        found = node_hash(peaks.pop(), found)
    return found


def _split(count: int) -> int:
    """The largest power of two below `count` (above 1)."""
    return 1 << ((count - 1).bit_length() - 1)


def _path(node: Node, index: int, begin: int, end: int) -> Iterator[bytes]:
    if end - begin == 1:
        return
    middle = begin + _split(end - begin)
    if index < middle:
        yield from _path(node, index, begin, middle)
        yield _range(node, middle, end)
    else:
        yield from _path(node, index, middle, end)
        yield _range(node, begin, middle)


def _growth(node: Node, old: int, begin: int, end: int, *, whole: bool) -> Iterator[bytes]:
    if old == end:
        if not whole:
            yield _range(node, begin, end)
        return
    middle = begin + _split(end - begin)
    if old <= middle:
        yield from _growth(node, old, begin, middle, whole=whole)
        yield _range(node, middle, end)
    else:
        yield from _growth(node, old, middle, end, whole=False)
        yield _range(node, begin, middle)
