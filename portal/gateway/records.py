"""What a gateway remembers of the database: keys, markets, people, switches."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from typing import Any

from portal.core.db import Database
from portal.core.errors import NotFound
from portal.core.sealed import Sealer
from portal.gateway.memory import Ages, Remembered
from portal.orders.frame import Frame
from portal.orders.person import Person
from portal.orders.queries import load_frame
from portal.orders.service import load_person
from portal.plugin_host.host import PluginHost
from portal.users.api_keys import find_key
from portal.users.facts import facts_of
from portal.users.signing import LiveKey, unknown_key

_KEYS = Ages(young=5.0, life=60.0)
# An index price is in a frame; it tells compliance what a floating order may cost.
_FRAMES = Ages(young=1.0, life=15.0)
# How many trades somebody completed is not told by a trigger, and may be half a minute old.
_PEOPLE = Ages(young=30.0, life=90.0)
_SWITCHES = Ages(young=5.0, life=60.0)


@dataclass(frozen=True, slots=True)
class Known:
    """A trader: what an order is held against, and what the engine is told of them."""

    person: Person
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Switches:
    """Gateways for new trades, and how long compliance's answer to an order holds."""

    methods: frozenset[str]
    order_answer_seconds: float


class Records:
    """The remembered records of one gateway process. Made on its event loop."""

    def __init__(
        self,
        database: Database,
        sealer: Sealer,
        plugins: PluginHost,
        threads: ThreadPoolExecutor,
        trusted: Callable[[], bool],
    ) -> None:
        self._database, self._sealer, self._plugins = database, sealer, plugins
        self.keys = Remembered(self._read_key, _KEYS, threads, trusted)
        self.frames = Remembered(self._read_frame, _FRAMES, threads, trusted)
        self.people = Remembered(self._read_person, _PEOPLE, threads, trusted)
        self.switches = Remembered(self._read_switches, _SWITCHES, threads, trusted)

    def changed(self, what: str, which: str) -> None:
        """Forget what a change in the database makes wrong."""
        if what == "key":
            self.keys.forget(which)
        elif what == "market":
            self.frames.forget(which)
        elif what == "person":
            user_id = int(which)
            self.people.forget(user_id)
            # A key is worth what its owner is.
            self.keys.forget_where(lambda key: isinstance(key, Missing) or key.user_id == user_id)
        elif what == "plugins":
            self.switches.clear()
        else:
            self.frames.clear()

    def clear(self) -> None:
        """Forget everything."""
        for memory in (self.keys, self.frames, self.people, self.switches):
            memory.clear()

    async def key(self, key_id: str) -> LiveKey:
        """A key that may be used. Raises Unauthorized."""
        found = self.keys.now(key_id) or await self.keys.get(key_id)
        if isinstance(found, Missing):
            raise unknown_key(key_id)
        return found

    async def frame(self, market_id: str) -> Frame:
        """A market with its assets. Raises NotFound."""
        found = self.frames.now(market_id) or await self.frames.get(market_id)
        if isinstance(found, Missing):
            raise NotFound("There is no such market.", field="market", value=market_id)
        return found

    async def known(self, user_id: int) -> Known:
        """A trader."""
        return self.people.now(user_id) or await self.people.get(user_id)

    async def switched(self) -> Switches:
        """Which plugins are switched on."""
        return self.switches.now("") or await self.switches.get("")

    def _read_key(self, key_id: str) -> "LiveKey | Missing":
        with self._database.reader() as session:
            found = find_key(session, self._sealer, key_id)
        return found[0] if found else Missing()

    def _read_frame(self, market_id: str) -> "Frame | Missing":
        with self._database.reader() as session:
            try:
                return _plain(load_frame(session, market_id))
            except NotFound:
                return Missing()

    def _read_person(self, user_id: int) -> Known:
        with self._database.reader() as session:
            person = load_person(session, user_id)
            # Of a machine's open orders the engine counts those of its key.
            counted = Person(person.has_wallet, person.accounts)
            return Known(counted, facts_of(session, user_id))

    def _read_switches(self, _: str) -> Switches:
        methods = frozenset(gateway.slug for gateway in self._plugins.gateways())
        return Switches(methods, self._plugins.order_answer_seconds())


@dataclass(frozen=True, slots=True)
class Terms:
    """A market's terms as plain values: a row of the table takes a while for each attribute."""

    id: str
    price_places: int
    lot: int
    min_trade: int
    max_trade: int
    escrow: str
    settlement: str
    status: str
    protection_bps: int
    band_bps: int
    max_fee_bps: int
    methods: list[str]


def _plain(frame: Frame) -> Frame:
    terms = Terms(**{field.name: getattr(frame.market, field.name) for field in fields(Terms)})
    return Frame(
        terms, frame.base, frame.quote, frame.index_ticks, frame.index_at_ms, frame.index_reason
    )


class Missing:
    """There is none: remembered too, so that asking again and again costs nothing."""
