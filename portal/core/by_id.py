"""A dictionary by id that never stops to grow.

A plain dictionary of a million entries takes a quarter of a second, now and then, to move into
twice the room: whoever waits for the engine then waits for that. Here neighbouring ids share a
small dictionary, so that only small ones ever grow. Compiled by mypyc where a C compiler is
there, with the same results.
"""

from collections.abc import Iterable, Iterator
from typing import Final, Generic, TypeVar

Value = TypeVar("Value")
# Ids that share a dictionary: 2 to the power of this.
_BLOCK_BITS: Final = 13


class ById(Generic[Value]):
    """Values by whole numbers that are given one after the other."""

    __slots__ = ("_blocks", "_count")

    def __init__(self, pairs: Iterable[tuple[int, Value]] = ()) -> None:
        self._blocks: dict[int, dict[int, Value]] = {}
        self._count = 0
        for id_, value in pairs:
            self[id_] = value

    def get(self, id_: int) -> Value | None:
        """The value of an id, or None."""
        block = self._blocks.get(id_ >> _BLOCK_BITS)
        return None if block is None else block.get(id_)

    def discard(self, id_: int) -> None:
        """Forget an id, if it is there."""
        number = id_ >> _BLOCK_BITS
        block = self._blocks.get(number)
        if block is not None and id_ in block:
            del block[id_]
            self._count -= 1
            if not block:
                del self._blocks[number]

    def values(self) -> Iterator[Value]:
        """Every value; nothing may be added or taken away meanwhile."""
        for block in self._blocks.values():
            yield from block.values()

    def items(self) -> Iterator[tuple[int, Value]]:
        """Every id with its value; nothing may be added or taken away meanwhile."""
        for block in self._blocks.values():
            yield from block.items()

    def __getitem__(self, id_: int) -> Value:
        return self._blocks[id_ >> _BLOCK_BITS][id_]

    def __setitem__(self, id_: int, value: Value) -> None:
        number = id_ >> _BLOCK_BITS
        block = self._blocks.get(number)
        if block is None:
            block = self._blocks[number] = {}
        if id_ not in block:
            self._count += 1
        block[id_] = value

    def __contains__(self, id_: int) -> bool:
        block = self._blocks.get(id_ >> _BLOCK_BITS)
        return block is not None and id_ in block

    def __iter__(self) -> Iterator[int]:
        for block in self._blocks.values():
            yield from block

    def __len__(self) -> int:
        return self._count
