"""Asking endpoints side by side, so that one that hangs keeps nobody waiting.

Every question has a time limit, whatever the HTTP library makes of a node that answers a byte at a
time. Who is much later than the others is left behind, and asked last for a while.
"""

import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import TypeVar

from web3 import Web3
from web3.exceptions import ContractLogicError, TransactionNotFound

from portal.escrow.chain.endpoint import FAILURES, TIMEOUT_SECONDS, Endpoint, State

Answer = TypeVar("Answer")
# How much longer than the others an endpoint may take.
GRACE_SECONDS = 1.0
LIMIT_SECONDS = TIMEOUT_SECONDS + 1.0
_RESTING = (State.DOWN, State.SLOW)


def ask_together(
    question: Callable[[Web3], Answer],
    endpoints: Sequence[Endpoint],
    enough: int,
    *,
    patient: bool,
) -> list[Answer | Exception]:
    """What each endpoint answers, in their order; an error stands for the answer it is of.

    Once `enough` have answered the others have a moment more; those that rest have it only if
    `patient`.
    """
    if len(endpoints) == 1:
        return [_result(endpoints[0], lambda: endpoints[0].ask(question))]
    answers: dict[int, Answer | Exception] = {}
    resting = {at for at, one in enumerate(endpoints) if not patient and one.state in _RESTING}
    running = {one.ask_soon(question): place for place, one in enumerate(endpoints)}
    until = time.monotonic() + LIMIT_SECONDS
    answered = 0
    while running and (answered < enough or not resting.issuperset(running.values())):
        done, _ = wait(running, max(0.0, until - time.monotonic()), FIRST_COMPLETED)
        if not done:
            break
        for future in done:
            place = running.pop(future)
            answers[place] = _result(endpoints[place], future.result)
            answered += not isinstance(answers[place], Exception)
        if answered >= enough:
            until = min(until, time.monotonic() + GRACE_SECONDS)
    for future, place in running.items():
        future.cancel()
        if place not in resting:
            endpoints[place].too_slow()
        answers[place] = TimeoutError("no answer while the others had one")
    return [answers[place] for place in range(len(endpoints))]


def _result(endpoint: Endpoint, ask: Callable[[], Answer]) -> Answer | Exception:
    try:
        return ask()
    except (ContractLogicError, TransactionNotFound) as error:
        return error
    except FAILURES as error:
        endpoint.failed(error)
        return error


def ask_in_turn(
    question: Callable[[Web3], Answer],
    endpoints: Sequence[Endpoint],
    missing: Callable[[], int],
    reasons: list[str],
) -> Generator[tuple[Endpoint, Answer]]:
    """Answers as they come, of as many endpoints at a time as answers are `missing`.

    One that fails (why is added to `reasons`), or takes long, is replaced by the next. To be
    closed when no more answers are wanted.
    """
    left, running = deque(endpoints), dict[Future[Answer], tuple[Endpoint, float]]()
    try:
        while left or running:
            while left and _prompt(running) < missing():
                endpoint = left.popleft()
                future = _begin(endpoint, question, alone=len(endpoints) == 1)
                running[future] = (endpoint, time.monotonic())
            patience = GRACE_SECONDS if left else LIMIT_SECONDS
            done, _ = wait(running, patience, FIRST_COMPLETED)
            if not done and not left:
                reasons += [f"{one.name}: no answer in time" for one, _ in running.values()]
                return
            for future in done:
                endpoint, _ = running.pop(future)
                try:
                    answer = future.result()
                except FAILURES as error:
                    reasons.append(endpoint.failed(error))
                else:
                    yield endpoint, answer
    finally:
        for future, (endpoint, asked) in running.items():
            future.cancel()
            if time.monotonic() - asked >= GRACE_SECONDS:
                endpoint.too_slow()


def _prompt(running: dict[Future[Answer], tuple[Endpoint, float]]) -> int:
    """How many answers are still to be reckoned with soon."""
    now = time.monotonic()
    return sum(now - asked < GRACE_SECONDS for _, asked in running.values())


def _begin(
    endpoint: Endpoint, question: Callable[[Web3], Answer], *, alone: bool
) -> "Future[Answer]":
    """A single endpoint needs no thread."""
    if not alone:
        return endpoint.ask_soon(question)
    future: Future[Answer] = Future()
    try:
        future.set_result(endpoint.ask(question))
    except FAILURES as error:
        future.set_exception(error)
    return future
