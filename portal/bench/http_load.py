"""The load over HTTP: signed orders through the gateway, on the same fixed schedule.

As `portal.bench.load`; `options` has the `people` as (key, secret, user, account).
"""

import random
from typing import Any

from portal.bench.commands import MARKET, MID
from portal.bench.http_connections import HttpConnections, Request, Signer
from portal.bench.load import Load, Plan, on_request, read_plan
from portal.bench.people import METHOD, Person
from portal.bench.workloads import Answer, Setup

_POOL = 8_192
_CROSSING = 60
SINGLE, BATCH = b"/api/v1/orders", b"/api/v1/orders/batch"


class SignedOrders:
    """Orders as a machine writes them. Even people sell, odd ones buy; half of them cross."""

    expected: frozenset[str] = frozenset()

    def __init__(self, people: list[Person], per_request: int, seed: int = 1) -> None:
        rng = random.Random(seed)  # noqa: S311
        self._people, self._step = people, per_request
        self._pools = [[_order(rng, side) for _ in range(_POOL)] for side in ("sell", "buy")]
        self._accounts = [b"%d}}" % account for *_, account in people]
        self._trades = self._rested = 0

    @property
    def single(self) -> bool:
        """Whether every order has a request of its own."""
        return self._step == 1

    def person(self, number: int) -> int:
        """Whose turn it is in a slot; a whole request is one person's."""
        return (number // self._step) % len(self._people)

    def setup(self) -> Setup:
        """Nothing: the engine was prepared directly."""
        yield []

    def command(self, number: int) -> bytes:
        """The order of a slot, whole."""
        person = self.person(number)
        return self._pools[person % 2][number % _POOL] + self._accounts[person]

    def answered(self, number: int, answer: Answer) -> None:
        """Count what became of it."""
        self._trades += len(answer.trades)
        self._rested += answer.status == "open"

    def refused(self, number: int) -> None:
        """Nothing to note: no refusal is expected."""

    def figures(self) -> dict[str, Any]:
        """How many of each."""
        return {"trades": self._trades, "rested": self._rested}


def _order(rng: random.Random, side: str) -> bytes:
    """An order as JSON, but for the number of its payment account and what closes it."""
    outward = -1 if side == "buy" else 1
    away = -_CROSSING if rng.random() < 0.5 else rng.randint(1, _CROSSING)
    return (
        b'{"market":"%b","side":"%b","order_type":"limit","price_kind":"fixed","price":"%b",'
        b'"quantity":"%d.00","methods":["%b"],"payment_accounts":{"%b":'
    ) % (
        MARKET.encode(),
        side.encode(),
        f"{(MID + outward * away) / 10_000:.4f}".encode(),
        rng.randint(10, 100),
        METHOD.encode(),
        METHOD.encode(),
    )


class Requests(HttpConnections):
    """Makes requests of orders: one each, or a batch."""

    def __init__(self, plan: Plan, workload: SignedOrders, people: list[Person]) -> None:
        super().__init__(plan.port, plan.connections)
        self._run = plan.run.encode()
        self._workload = workload
        path = SINGLE if workload.single else BATCH
        self._signers = [Signer(key.encode(), secret.encode(), path) for key, secret, *_ in people]

    def keyed(self, key: bytes, text: bytes) -> bytes:
        """The order as it is: the request has the key."""
        return text

    def message(self, number: int, texts: list[bytes]) -> Request:
        """The request of a slot, not signed yet."""
        signer = self._signers[self._workload.person(number)]
        name = b"%b-%08d" % (self._run, number)
        body = texts[0] if self._workload.single else b'{"orders":[%b]}' % b",".join(texts)
        return Request(number, len(texts), signer, name, body)


def main() -> None:
    """Run the plan on standard input against a gateway."""
    plan = read_plan()
    people: list[Person] = [tuple(person) for person in plan.options["people"]]
    workload = SignedOrders(people, plan.per_frame)
    on_request(Load(plan, workload, Requests(plan, workload, people)))


if __name__ == "__main__":
    main()
