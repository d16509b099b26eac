"""Plain orders: most of what machines send, a limit order at a fixed price without anything rare.

They are decided quickly, by no rules of their own. An order's words (all but its numbers and its
name) are decided by the usual way once; the result is kept as a pattern, good for as long as the
market, the person, the switches and the key are what they were. Of the next order with the same
words only what depends on its numbers is asked again, and its command is the pattern's with other
numbers in it. Whatever is not plain, is not known yet or is not right goes the usual way, which
also says what is wrong.
"""

import re
from collections import OrderedDict
from typing import Any, Literal

import msgspec
import orjson
from msgspec import Struct

from portal.core.errors import InvalidInput
from portal.core.units import quote_units
from portal.gateway.compliance import Size, Sort
from portal.gateway.records import Known, Switches
from portal.orders.draft import size_fits
from portal.orders.frame import Frame
from portal.orders.reading import read_amount, read_price
from portal.orders.shapes import OrderBody
from portal.users.signing import LiveKey

MOST_PATTERNS = 50_000
_CLIENT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
Words = tuple[Any, ...]


class PlainBody(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """The fields of an `OrderBody` that a plain order can have, with the same defaults.

    Texts are held against nothing here: `words` must be those of an order that was right, and
    the rest is looked into by `Patterns.decide`.
    """

    market: str
    side: str
    order_type: Literal["limit"]
    quantity: str
    methods: tuple[str, ...]
    price: str
    price_kind: Literal["fixed"] = "fixed"
    tif: str = "GTC"
    post_only: bool = False
    shared: bool = False
    stp: str = "cancel_newest"
    payment_accounts: dict[str, int] = {}
    client_id: str | None = None

    def words(self, user_id: int) -> Words:
        """Everything but numbers and name, and whose they are."""
        return (
            user_id, self.market, self.side, self.methods, self.tif, self.post_only,
            self.shared, self.stp, *self.payment_accounts.items(),
        )  # fmt: skip


class _PlainBatch(Struct, frozen=True, forbid_unknown_fields=True):
    orders: list[PlainBody]


_one = msgspec.json.Decoder(PlainBody).decode
_many = msgspec.json.Decoder(_PlainBatch).decode


def plain_body(raw: bytes) -> PlainBody | None:
    """A body that has only what a plain order can have; None for any other."""
    if b"\\" in raw or not raw.isascii():
        return None  # What text may hold is told by the usual reader alone.
    try:
        body = _one(raw)
    except msgspec.DecodeError:
        return None
    return body if body.client_id is None or _CLIENT_ID.fullmatch(body.client_id) else None


def plain_bodies(raw: bytes, most: int) -> list[PlainBody] | None:
    """The same for a batch, all of whose one to `most` orders must be plain."""
    if b"\\" in raw or not raw.isascii():
        return None
    try:
        bodies = _many(raw).orders
    except msgspec.DecodeError:
        return None
    if not 1 <= len(bodies) <= most:
        return None
    for body in bodies:
        if body.client_id is not None and not _CLIENT_ID.fullmatch(body.client_id):
            return None
    return bodies


class Pattern:
    """What was decided about some words, and the command without name and numbers."""

    __slots__ = ("_frame", "_head", "_key", "_known", "_middle", "_switches", "_tail", "sort")

    def __init__(
        self,
        frame: Frame,
        known: Known,
        switches: Switches,
        key: LiveKey,
        sort: Sort,
        command: dict[str, Any],
    ) -> None:
        self._frame, self._known, self._switches, self._key = frame, known, switches, key
        self.sort = sort
        names = list(command)
        name, price = names.index("key"), names.index("price")
        assert names[price + 1] == "quantity"
        self._head = b'{%b,"key":"' % _part(command, names[:name])
        self._middle = b'",%b,"price":' % _part(command, names[name + 1 : price])
        self._tail = b",%b}" % _part(command, names[price + 2 :])

    def holds(self, frame: Frame, known: Known, switches: Switches, key: LiveKey) -> bool:
        """Whether it was decided about just these. (A fixed price does not go by the index.)"""
        if (
            frame is self._frame
            and known is self._known
            and switches is self._switches
            and key is self._key
        ):
            return True
        mine = self._frame
        if (frame.market, frame.base, frame.quote) != (mine.market, mine.base, mine.quote):
            return False
        if known != self._known or switches != self._switches or key != self._key:
            return False
        self._frame, self._known, self._switches, self._key = frame, known, switches, key
        return True

    def command(self, engine_key: str, price: int, quantity: int) -> bytes:
        """The engine's command as JSON; the key is of characters that JSON leaves alone."""
        return b'%b%b%b%d,"quantity":%d%b' % (
            self._head, engine_key.encode(), self._middle, price, quantity, self._tail,
        )  # fmt: skip


def _part(command: dict[str, Any], names: list[str]) -> bytes:
    return orjson.dumps({name: command[name] for name in names})[1:-1]


class Patterns:
    """The patterns of one process."""

    def __init__(self) -> None:
        self._patterns: OrderedDict[Words, Pattern] = OrderedDict()

    def find(self, words: Words) -> Pattern | None:
        """The pattern of some words; whether it still holds is for the asker to see."""
        return self._patterns.get(words)

    def learn(self, words: Words, pattern: Pattern) -> None:
        """Keep what was decided about some words."""
        self._patterns[words] = pattern
        if len(self._patterns) > MOST_PATTERNS:
            self._patterns.popitem(last=False)


def plain_words(body: OrderBody, user_id: int) -> Words | None:
    """The words of a body that was right; None for one that is not plain."""
    if body.order_type != "limit" or body.price_kind != "fixed" or body.price is None:
        return None
    if not body.model_fields_set <= _FIELDS:
        return None
    return (
        user_id, body.market, body.side, tuple(body.methods), body.tif, body.post_only,
        body.shared, body.stp, *body.payment_accounts.items(),
    )  # fmt: skip


_FIELDS = frozenset(PlainBody.__struct_fields__)


def numbers(frame: Frame, body: PlainBody) -> tuple[int, int, Size] | None:
    """Price and quantity, and the size compliance goes by; None where anything is wrong."""
    try:
        quantity = read_amount(frame, body.quantity, "quantity") or 0
        price = read_price(frame, body.price, "price") or 0
    except InvalidInput:
        return None
    if not size_fits(frame.market, quantity):
        return None
    amount = quote_units(
        quantity,
        price,
        base_places=frame.base.places,
        price_places=frame.market.price_places,
        quote_places=frame.quote.places,
    )
    return price, quantity, Size(quantity, amount)
