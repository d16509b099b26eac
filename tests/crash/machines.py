"""Machines that place signed orders through the gateway, and keep the same log as other clients."""

import asyncio
import itertools
import random
from dataclasses import dataclass
from typing import Any

import httpx

from portal.users.signing import machine_key
from tests.crash.clients import Log, Sent
from tests.factories.machines import Machine

_PATH = "/api/v1/orders"
_TRY_AGAIN = {429, 503}
_SECONDS = 3.0
_MOST_PENDING = 60


@dataclass(frozen=True)
class Account:
    """A person's key, and an order of theirs that is right."""

    user_id: int
    machine: Machine
    order: dict[str, Any]


class GatewayClient:
    """Sends orders over HTTP in an open loop; asks again under the same key until answered."""

    def __init__(
        self, name: str, account: Account, port: int, log: Log, choose: random.Random
    ) -> None:
        self.name = name
        self.sending = False
        self._account = account
        self._url = f"http://127.0.0.1:{port}"
        self._log = log
        self._choose = choose
        self._numbers = itertools.count(1)
        self._pending: dict[str, Sent] = {}
        self._acknowledged: list[Sent] = []
        self._deliveries: set[asyncio.Task[None]] = set()
        self._cuts = 0

    @property
    def idle(self) -> bool:
        return not self._pending

    async def send_for_ever(self, per_second: float) -> None:
        """New orders at random moments of the given rate, each on its way by itself."""
        async with (
            httpx.AsyncClient(base_url=self._url, timeout=_SECONDS) as self._http,
            asyncio.TaskGroup() as self._tasks,
        ):
            while True:
                await asyncio.sleep(self._choose.expovariate(per_second))
                if self.sending and len(self._pending) < _MOST_PENDING:
                    name = f"{self.name}-{next(self._numbers):06d}"
                    key = machine_key(self._account.user_id, name)
                    sent = Sent(key, self._order(), next(self._log.ticks), by_gateway=True)
                    self._log.sent.append(sent)
                    self._deliver_soon(sent)

    def hang_up(self) -> None:
        """Hear no answer to what was sent so far."""
        self._cuts += 1

    def leave(self) -> None:
        """The same; the gateway is not told."""
        self.hang_up()

    def ask_again(self) -> None:
        """Send what was acknowledged since the last time once more, under the same keys."""
        again, self._acknowledged = self._acknowledged, []
        for sent in again:
            self._deliver_soon(sent)

    def waiting_for(self) -> str:
        """What it waits for, in words."""
        first = next(iter(self._pending.values()), None)
        return f"{self.name}: {len(self._pending)} pending, first {first}"

    def _order(self) -> dict[str, Any]:
        price = 60_000 + self._choose.randint(-20, 20)
        quantity = self._choose.choice(("0.01", "0.02", "0.000000001", "0.05"))
        return {**self._account.order, "price": str(price), "quantity": quantity}

    def _deliver_soon(self, sent: Sent) -> None:
        self._pending[sent.key] = sent
        self._tasks.create_task(self._deliver(sent))

    async def _deliver(self, sent: Sent) -> None:
        name = sent.key.rpartition(":")[2]
        while True:
            cuts = self._cuts
            body, headers = self._account.machine.order(_PATH, sent.raw, name)
            sent.times_sent += 1
            try:
                response = await self._http.post(_PATH, content=body, headers=headers)
            except httpx.HTTPError:
                sent.left_behind = True
                await asyncio.sleep(0.05)
                continue
            if cuts != self._cuts:
                sent.left_behind = True
                continue
            if response.status_code not in _TRY_AGAIN:
                break
            self._log.postponed += 1
            await asyncio.sleep(0.1)
        self._take(sent, response.status_code, response.json())
        self._pending.pop(sent.key, None)

    def _take(self, sent: Sent, status: int, told: dict[str, Any]) -> None:
        if status >= 500:
            self._log.contradictions.append(f"{sent.key} was answered {status}: {told}")
        result = {name: told.get(name) for name in ("order_id", "status", "trades")}
        if sent.result is not None:
            if status >= 400 or sent.result != result:
                self._log.contradictions.append(f"{sent.key}: {sent.result}, then {told}")
        elif status >= 400:
            sent.refusal = told["error"]
        else:
            sent.result, sent.answered = result, next(self._log.ticks)
            self._acknowledged.append(sent)
