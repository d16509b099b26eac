"""A tree that grows in parts has the root of one that was there at once."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.audit import tree
from portal.audit.tiles import WIDTH, Growing


def leaf(number: int) -> bytes:
    return tree.leaf_hash(b"%d" % number)


def whole(size: int) -> bytes:
    hashes = [leaf(number) for number in range(size)]
    return tree.root(
        lambda level, index: tree.perfect_root(hashes[index << level : (index + 1) << level]), size
    )


@pytest.mark.parametrize("size", [0, 1, 7, WIDTH - 1, WIDTH, WIDTH + 1, 1000, WIDTH * WIDTH + 3])
def test_the_root_is_that_of_all_leaves(size: int) -> None:
    growing = Growing()
    for number in range(size):
        growing.append(leaf(number))
    assert (growing.size, growing.root()) == (size, whole(size))


@settings(max_examples=25)
@given(st.lists(st.integers(0, 700), min_size=1, max_size=4))
def test_it_goes_on_from_what_was_stored(parts: list[int]) -> None:
    stored: dict[tuple[int, int], bytes] = {}
    size = 0
    for part in parts:
        growing = Growing(size, opened(stored, size))
        for number in range(size, size + part):
            growing.append(leaf(number))
        growing.close()
        stored |= growing.changed
        size = growing.size
        assert growing.root() == whole(size)


def opened(stored: dict[tuple[int, int], bytes], size: int) -> list[bytes]:
    found: list[bytes] = []
    while size:
        size, width = divmod(size, WIDTH)
        found.append(stored.get((len(found), size), b"")[: width * 32])
        assert len(found[-1]) == width * 32
    return found
