"""The Merkle tree: RFC 9162's vectors, and another implementation as the judge."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymerkle import InmemoryTree

from portal.audit import tree

# The tree of RFC 6962's reference implementation (certificate-transparency, merkle_tree_test.cc).
LEAVES = [bytes.fromhex(text) for text in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
)]  # fmt: skip
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def nodes(leaves: list[bytes]) -> tree.Node:
    hashes = [tree.leaf_hash(leaf) for leaf in leaves]

    def node(level: int, index: int) -> bytes:
        part = hashes[index << level : (index + 1) << level]
        assert len(part) == 1 << level
        return tree.perfect_root(part)

    return node


def judge(leaves: list[bytes]) -> InmemoryTree:
    found = InmemoryTree(algorithm="sha256")
    for leaf in leaves:
        found.append_entry(leaf)
    return found


def numbered(count: int) -> list[bytes]:
    return [b"leaf %d" % number for number in range(count)]


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_those_of_certificate_transparency(size: int) -> None:
    assert tree.root(nodes(LEAVES), size).hex() == ROOTS[size - 1]


def test_the_empty_tree_has_the_hash_of_nothing() -> None:
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert tree.root(nodes([]), 0).hex() == empty


@pytest.mark.parametrize("size", [1, 2, 3, 5, 64, 100, 255, 256, 257, 300])
def test_another_implementation_finds_the_same_root(size: int) -> None:
    leaves = numbered(size)
    assert tree.root(nodes(leaves), size) == judge(leaves).get_root()


@given(st.integers(1, 70).flatmap(lambda size: st.tuples(st.just(size), st.integers(0, size - 1))))
def test_every_leaf_is_proven_and_no_other(place: tuple[int, int]) -> None:
    size, index = place
    leaves = numbered(size)
    node = nodes(leaves)
    path = tree.inclusion_path(node, index, size)
    leaf, root = tree.leaf_hash(leaves[index]), tree.root(node, size)
    assert tree.root_by_inclusion(leaf, index, size, path) == root
    assert tree.root_by_inclusion(tree.leaf_hash(b"another"), index, size, path) != root
    for longer in ([*path, root], path[:-1]):
        if longer != path:
            assert leads_elsewhere(lambda: tree.root_by_inclusion(leaf, index, size, longer), root)  # noqa: B023


def leads_elsewhere(find: Callable[[], bytes], root: bytes) -> bool:
    try:
        return find() != root
    except ValueError:
        return True


@given(st.integers(0, 70).flatmap(lambda new: st.tuples(st.integers(0, new), st.just(new))))
def test_growth_is_proven_and_change_is_not(sizes: tuple[int, int]) -> None:
    old, new = sizes
    leaves = numbered(new)
    node = nodes(leaves)
    path = tree.consistency_path(node, old, new)
    before, after = tree.root(node, old), tree.root(node, new)
    assert tree.is_consistent(old, new, before, after, path)
    if 0 < old < new:
        changed = nodes([b"another", *leaves[1:]])
        assert not tree.is_consistent(old, new, tree.root(changed, old), after, path)
        assert not tree.is_consistent(old, new, before, tree.root(changed, new), path)
        assert not tree.is_consistent(old, new, before, after, [*path, before])
        assert not tree.is_consistent(old, new, before, after, path[:-1])


@pytest.mark.parametrize(("index", "size"), [(0, 0), (3, 3), (-1, 3)])
def test_there_is_no_proof_of_a_leaf_that_is_not_there(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="no leaf"):
        tree.inclusion_path(nodes(numbered(size)), index, size)
    with pytest.raises(ValueError, match="no leaf"):
        tree.root_by_inclusion(tree.leaf_hash(b""), index, size, [])
