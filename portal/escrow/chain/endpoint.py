"""One RPC endpoint: its node, what it last did, and whether it is worth asking.

Health is this process's own memory of an endpoint. It only decides whom to ask first: what counts
is decided by what a quorum answers, never by health.
"""

import os
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

import structlog
from eth_utils.conversions import to_hex
from requests.exceptions import RequestException
from web3 import Web3
from web3.exceptions import Web3Exception
from web3.types import BlockIdentifier

from portal.core.addresses import public_part

log = structlog.get_logger(__name__)

Answer = TypeVar("Answer")
TIMEOUT_SECONDS = 10
REST_SECONDS = 2.0
LONGEST_REST_SECONDS = 60.0
# How long one that was outvoted is asked last, and one that kept the others waiting.
DISTRUST_SECONDS = 60.0
SLOW_SECONDS = 30.0
# Questions to one endpoint at a time; more wait, and keep no other endpoint waiting.
WORKERS = 8
# What a node can do wrong: not answer, refuse, or answer with what is no answer.
FAILURES = (RequestException, OSError, Web3Exception, ValueError, KeyError)


class State(StrEnum):
    """What is known of an endpoint; only one that is `ok` is asked while there are enough."""

    OK = "ok"
    BEHIND = "behind"
    DOWN = "down"
    SLOW = "slow"
    OUTVOTED = "outvoted"
    WRONG_CHAIN = "wrong chain"


@dataclass(frozen=True)
class Block:
    """A block's place in the chain. `timestamp` is a Unix second."""

    number: int
    hash: str
    parent_hash: str
    timestamp: int


@dataclass
class Health:
    """Counts since the process began. `latency_ms` is that of the last answer."""

    height: int | None = None
    latency_ms: int | None = None
    errors: int = 0
    disagreements: int = 0
    last_error: str | None = None


class Endpoint:
    """A node, asked by threads of its own.

    Args:
        chain_id: the chain it has to serve; None takes whichever it serves.
        patient: repeat a call that failed; with other endpoints to turn to there is no need.
    """

    def __init__(self, url: str, chain_id: int | None, *, patient: bool) -> None:
        self.url, self.name = url, public_part(url)
        kwargs: dict[str, Any] = {} if patient else {"exception_retry_configuration": None}
        request = {"timeout": TIMEOUT_SECONDS}
        self.node = Web3(Web3.HTTPProvider(url, request_kwargs=request, **kwargs))
        self.health = Health()
        self.behind = False
        self._wanted = chain_id
        self._served: int | None = None
        self._failures = 0
        self._rests_until = 0.0
        self._outvoted_until = 0.0
        self._slow_until = 0.0
        self._workers: tuple[int, ThreadPoolExecutor] | None = None

    @property
    def state(self) -> State:
        """What to think of it now."""
        now = time.monotonic()
        if self._served is not None and self._wanted not in (None, self._served):
            return State.WRONG_CHAIN
        if now < self._rests_until:
            return State.DOWN
        if now < self._outvoted_until:
            return State.OUTVOTED
        if now < self._slow_until:
            return State.SLOW
        return State.BEHIND if self.behind else State.OK

    def ask(self, question: Callable[[Web3], Answer]) -> Answer:
        """Its answer. Raises one of FAILURES, WrongChain among them."""
        began = time.monotonic()
        try:
            self._check_chain()
            answer = question(self.node)
        except (RequestException, OSError):
            self._rest()
            raise
        self._failures, self._rests_until = 0, 0.0
        self.health.latency_ms = round((time.monotonic() - began) * 1000)
        return answer

    def ask_soon(self, question: Callable[[Web3], Answer]) -> "Future[Answer]":
        """The same in a thread of its own; a process that was forked makes new ones."""
        if self._workers is None or self._workers[0] != os.getpid():
            self._workers = (os.getpid(), ThreadPoolExecutor(WORKERS, "chain-endpoint"))
        return self._workers[1].submit(self.ask, question)

    def too_slow(self) -> None:
        """Note that the others have answered long ago; a late answer changes nothing about it."""
        self._slow_until = time.monotonic() + SLOW_SECONDS
        self.failed(TimeoutError("it kept the others waiting"))
        log.warning("chain.endpoint_slow", endpoint=self.name)

    def block(self, identifier: BlockIdentifier) -> Block:
        """One of its blocks."""
        return self.ask(lambda node: read_block(node, identifier))

    def failed(self, error: Exception) -> str:
        """Note a failure; what to say about it."""
        self.health.errors += 1
        self.health.last_error = failure_of(error)
        return f"{self.name}: {self.health.last_error}"

    def outvoted(self, about: str) -> None:
        """Note that a quorum of the others says something else."""
        self.health.disagreements += 1
        self.health.last_error = f"It was outvoted about {about}."
        self._outvoted_until = time.monotonic() + DISTRUST_SECONDS
        log.error("chain.endpoint_outvoted", endpoint=self.name, about=about)

    def _check_chain(self) -> None:
        """Before its first answer, and again after it was away: somebody may have replaced it."""
        wrong = self._wanted is not None and self._served != self._wanted
        if self._served is None or self._failures or wrong:
            self._served = int(self.node.eth.chain_id)
        if self._wanted is not None and self._served != self._wanted:
            raise WrongChain(f"it serves chain {self._served}, but CHAIN_ID is {self._wanted}")

    def _rest(self) -> None:
        self._failures += 1
        pause = REST_SECONDS * 2 ** min(self._failures - 1, 10)
        self._rests_until = time.monotonic() + min(pause, LONGEST_REST_SECONDS)


class WrongChain(Web3Exception):
    """The endpoint serves another chain than CHAIN_ID."""


def read_block(node: Web3, identifier: BlockIdentifier) -> Block:
    """A block of a node, by number, hash or tag."""
    found = node.eth.get_block(identifier)
    return Block(
        int(found["number"]),
        to_hex(found["hash"]),
        to_hex(found["parentHash"]),
        int(found["timestamp"]),
    )


def failure_of(error: Exception) -> str:
    """What went wrong; words of the HTTP library are left out, since they repeat the address."""
    detail = "" if isinstance(error, RequestException | OSError) else f": {str(error)[:160]}"
    return f"{type(error).__name__}{detail}"
