"""Several RPC endpoints as one: what a quorum of them says counts.

Each endpoint that answers has a vote. A reverted call and a missing transaction are answers like
any other. Who is outvoted about something that can have one answer only (a block, a contract's
state at a block) is named in the log, counted, and asked last for a while. An endpoint far behind
is left out until it catches up. With one endpoint, or a quorum of one, the first answer counts.
They are asked side by side (see `asking`), so many as are needed for a quorum.
"""

import itertools
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog
from eth_typing import BlockNumber
from web3 import Web3
from web3.exceptions import ContractLogicError, TransactionNotFound
from web3.types import BlockIdentifier

from portal.core.errors import InvalidInput, Unavailable
from portal.escrow.chain.asking import ask_in_turn, ask_together
from portal.escrow.chain.endpoint import (
    FAILURES,
    Block,
    Endpoint,
    State,
    failure_of,
    read_block,
)

log = structlog.get_logger(__name__)

Answer = TypeVar("Answer")
MAX_LAG_BLOCKS = 5
PROBE_SECONDS = 5.0
# How far below the newest block a quorum is looked for while nodes stand on different forks.
FORK_STEPS = 8


def majority(endpoints: int) -> int:
    """The quorum of three endpoints or more; one or two can only stand in for each other."""
    return endpoints // 2 + 1 if endpoints >= 3 else 1


@dataclass(frozen=True)
class Vote(Generic[Answer]):
    """What an endpoint said: an answer, or that the call reverts, or that there is no such thing.

    `mark` is what has to be equal for two votes to be the same.
    """

    mark: object
    answer: Answer | None = None
    error: Exception | None = None


Votes = defaultdict[object, list[tuple[Endpoint, Vote[Answer]]]]


class Pool:
    """Asks endpoints until a quorum agrees.

    Args:
        quorum: how many must say the same; None is `majority`.
        chain_id: the chain that every endpoint has to serve; None leaves it open.
        max_lag: blocks that an endpoint may be behind.

    Raises InvalidInput when there are fewer endpoints than the quorum.
    """

    def __init__(
        self,
        urls: Sequence[str],
        quorum: int | None = None,
        chain_id: int | None = None,
        max_lag: int = MAX_LAG_BLOCKS,
    ) -> None:
        several = len(urls) > 1
        self.endpoints = [Endpoint(url, chain_id, patient=not several) for url in urls]
        self.quorum = majority(len(urls)) if quorum is None else quorum
        if not 1 <= self.quorum <= len(urls):
            raise InvalidInput(
                f"CHAIN_QUORUM is {self.quorum}, but CHAIN_RPC_URLS names {len(urls)} endpoints.",
                field="CHAIN_QUORUM",
                value=self.quorum,
            )
        self._max_lag = max_lag
        self._turn = itertools.count()
        self._probed = -PROBE_SECONDS

    def agree(
        self,
        question: Callable[[Web3], Answer],
        mark: Callable[[Answer], object],
        pinned: str | None = None,
    ) -> Answer:
        """What a quorum says. The answer returned is that of the first who said it.

        `mark` gives the part of an answer that must be equal. `pinned` names the question where
        it has one right answer: then whoever is outvoted is told about.

        Raises Unavailable without a quorum, else the agreed ContractLogicError or
        TransactionNotFound.
        """
        votes: Votes[Answer] = defaultdict(list)
        reasons: list[str] = []

        def missing() -> int:
            return self.quorum - max(map(len, votes.values()), default=0)

        ask = _voter(question, mark)
        with closing(ask_in_turn(ask, self._in_order(), missing, reasons)) as answers:
            for endpoint, vote in answers:
                votes[vote.mark].append((endpoint, vote))
                if missing() <= 0:
                    _tell_outvoted(votes, vote.mark, pinned)
                    return _result(votes[vote.mark][0][1])
        raise self._no_quorum([one for same in votes.values() for one, _ in same], reasons)

    def each(
        self, question: Callable[[Web3], Answer], endpoints: Sequence[Endpoint] | None = None
    ) -> list[Answer | Exception]:
        """What every endpoint answers, in their order. An endpoint's error stands for its answer;
        so does a TimeoutError for one that the others would have to wait for. Those that rest are
        asked, but waited for only where they are named in `endpoints`.
        """
        asked, patient = endpoints or self.endpoints, endpoints is not None
        return ask_together(question, asked, self.quorum, patient=patient)

    def reached(
        self, question: Callable[[Web3], int], endpoints: Sequence[Endpoint] | None = None
    ) -> int:
        """The highest number that a quorum has reached, and half of those that answer: one that
        overstates it moves nothing. Raises Unavailable when fewer than a quorum answer.
        """
        answers = self.each(question, endpoints)
        numbers = sorted((a for a in answers if not isinstance(a, Exception)), reverse=True)
        if len(numbers) < self.quorum:
            failed = [answer for answer in answers if isinstance(answer, Exception)]
            raise self._no_quorum([], [failure_of(error) for error in failed])
        return numbers[max(self.quorum - 1, len(numbers) // 2)]

    def first(self, question: Callable[[Web3], Answer]) -> Answer:
        """The answer of one endpoint, for what must not be asked twice. Raises Unavailable."""
        reasons = []
        for endpoint in self._in_order():
            try:
                return endpoint.ask(question)
            except (ContractLogicError, TransactionNotFound):
                raise
            except FAILURES as error:
                reasons.append(endpoint.failed(error))
        raise self._no_quorum([], reasons)

    def head(self) -> Block:
        """The newest block that a quorum has.

        The height is one that a quorum has reached, so a node that claims to be far ahead moves
        nothing. While the nodes stand on forks, the block before the fork is the newest.
        """
        if self.quorum == 1:
            return self.agree(lambda node: read_block(node, "latest"), lambda _: None)
        for everybody in (False, True):
            heads = self.probe(everybody)
            found = self._agreed_head(heads)
            if found is not None:
                return found
        said = [f"{one.name} at block {block.number}" for one, block in heads]
        silent = [f"{e.name}: {e.health.last_error}" for e in self.endpoints if e.state != State.OK]
        raise self._no_quorum([], [*said, *silent])

    def block(self, number: int) -> Block:
        """The block of this number. Raises Unavailable when a quorum has not got it."""
        return self.agree(
            lambda node: read_block(node, number), lambda block: block.hash, f"block {number}"
        )

    def finalized(self) -> Block | None:
        """The newest block that a quorum calls final; None where nodes know no finality."""
        fit = self._worth_probing()
        try:
            number = self.reached(lambda node: read_block(node, "finalized").number, fit)
        except Unavailable:
            return None
        return self.block(number)

    def probe(self, everybody: bool = False) -> list[tuple[Endpoint, Block]]:
        """Ask for the newest block and see who is behind; those that rest only if `everybody`."""
        self._probed = time.monotonic()
        endpoints = self.endpoints if everybody else self._worth_probing()
        heads = self._blocks("latest", endpoints)
        for endpoint, block in heads:
            endpoint.health.height = block.number
        self._note_lag(heads)
        return heads

    def _blocks(
        self, identifier: BlockIdentifier, endpoints: Sequence[Endpoint]
    ) -> list[tuple[Endpoint, Block]]:
        """Whoever has the block, with it."""
        answers = self.each(lambda node: read_block(node, identifier), endpoints)
        return [
            (endpoint, block)
            for endpoint, block in zip(endpoints, answers, strict=True)
            if isinstance(block, Block)
        ]

    def _worth_probing(self) -> list[Endpoint]:
        """All but those that rest, were outvoted or slow, unless they are needed."""
        out = (State.DOWN, State.OUTVOTED, State.SLOW)
        fit = [endpoint for endpoint in self.endpoints if endpoint.state not in out]
        return fit if len(fit) >= self.quorum else self.endpoints

    def _note_lag(self, heads: list[tuple[Endpoint, Block]]) -> None:
        """Measured against the height that a quorum has: one liar can't make the others late."""
        heights = sorted((block.number for _, block in heads), reverse=True)
        if len(heights) < self.quorum:
            return
        best = heights[self.quorum - 1]
        for endpoint, block in heads:
            behind = block.number < best - self._max_lag
            if behind != endpoint.behind:
                word = "chain.endpoint_behind" if behind else "chain.endpoint_caught_up"
                log.warning(word, endpoint=endpoint.name, height=block.number, best=best)
            endpoint.behind = behind

    def _agreed_head(self, heads: list[tuple[Endpoint, Block]]) -> Block | None:
        heights = sorted((block.number for _, block in heads), reverse=True)
        if len(heights) < self.quorum:
            return None
        top = heights[self.quorum - 1]
        numbers = range(top, max(-1, top - FORK_STEPS), -1)
        return next(filter(None, (self._agreed_at(number, heads) for number in numbers)), None)

    def _agreed_at(self, number: int, heads: list[tuple[Endpoint, Block]]) -> Block | None:
        """The block at this number if a quorum has the same one; who differs is no liar yet."""
        have = [found for found in heads if found[1].number == number]
        asked = [endpoint for endpoint, newest in heads if newest.number > number]
        have += self._blocks(BlockNumber(number), asked) if asked else []
        hashes = [block.hash for _, block in have]
        agreed = (block for _, block in have if hashes.count(block.hash) >= self.quorum)
        return next(agreed, None)

    def _in_order(self) -> list[Endpoint]:
        """Those that are well, taking turns; then the others, in case they are needed."""
        if len(self.endpoints) > 1 and time.monotonic() - self._probed > PROBE_SECONDS:
            self.probe()
        well = [endpoint for endpoint in self.endpoints if endpoint.state is State.OK]
        if well and self.quorum > 1:
            turn = next(self._turn) % len(well)
            well = well[turn:] + well[:turn]
        return well + [endpoint for endpoint in self.endpoints if endpoint not in well]

    def _no_quorum(self, voted: list[Endpoint], reasons: list[str]) -> Unavailable:
        said = [f"{endpoint.name} says something else than others" for endpoint in voted]
        why = "; ".join([*reasons, *said])
        lead = "No chain node answered" if self.quorum == 1 else f"No {self.quorum} nodes agree"
        return Unavailable(
            f"{lead}: {why}.",
            field="CHAIN_RPC_URLS",
            hint="Start the chain, or set CHAIN_RPC_URLS to nodes that answer.",
        )


def _voter(
    question: Callable[[Web3], Answer], mark: Callable[[Answer], object]
) -> Callable[[Web3], Vote[Answer]]:
    def vote(node: Web3) -> Vote[Answer]:
        try:
            answer = question(node)
        except ContractLogicError as error:
            return Vote(("reverts", str(error.data or "")), error=error)
        except TransactionNotFound as error:
            return Vote("missing", error=error)
        return Vote(("answer", mark(answer)), answer)

    return vote


def _result(vote: Vote[Answer]) -> Answer:
    if vote.error is not None:
        raise vote.error
    return vote.answer  # type: ignore[return-value]  # Without an error there is an answer.


def _tell_outvoted(votes: Votes[Answer], winner: object, pinned: str | None) -> None:
    if pinned is None:
        return
    for mark, same in votes.items():
        if mark != winner:
            for endpoint, _ in same:
                endpoint.outvoted(pinned)
