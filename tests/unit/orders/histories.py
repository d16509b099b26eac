"""Random histories of a market, with every feature of an order mixed."""

from typing import Any

from hypothesis import strategies as st

from portal.orders.conditions import Conditions, Facts
from portal.orders.matcher import Matcher
from portal.orders.rules import OrderState
from portal.orders.walk import Funds
from tests.unit.orders.market import HOUR, LOT, order, terms
from tests.unit.orders.reference import Reference, Trade

METHODS = ("sepa", "pix", "upi")
LINKS = (None, "first-secret", "other-secret")
Step = tuple[str, dict[str, Any]]

sizes = st.integers(2, 40).map(lambda lots: lots * LOT)
# Index 100 with margins of 25 bps: many prices share a tick, many are apart.
margins = st.integers(-12, 12).map(lambda n: n * 25)
ticks = st.integers(94, 106)
pickers = st.integers(0, 30)
facts = st.builds(
    Facts,
    tier=st.integers(0, 2),
    trades=st.sampled_from([0, 0, 5]),
    completion_bps=st.sampled_from([0, 9_000]),
    since_ms=st.sampled_from([0, 50 * HOUR]),
    region=st.sampled_from(["DE", "BR"]),
)
conditions = st.builds(
    Conditions,
    min_tier=st.sampled_from([0, 0, 1, 2]),
    min_trades=st.sampled_from([0, 0, 1]),
    min_completion_bps=st.sampled_from([0, 0, 5_000]),
    min_age_ms=st.sampled_from([0, 0, 10 * HOUR]),
    first_trade_max=st.sampled_from([None, None, 50]),
    regions=st.sampled_from([(), (), ("DE",)]),
)
hours = st.sampled_from([(), (), (), ((0, 5_000),), ((4_500, 4_700), (4_800, 10_080))])


@st.composite
def orders(draw: st.DrawFn) -> dict[str, Any]:
    """What is special about an order; it gets its id when it is placed."""
    quantity = draw(sizes)
    values: dict[str, Any] = {
        "side": draw(st.sampled_from(["buy", "sell"])),
        "owner_id": draw(st.integers(1, 4)),
        "quantity": quantity,
        "min_trade": min(quantity, draw(st.sampled_from([20, 20, 20, 50, 110, 200]))),
        "max_trade": max(20, draw(st.sampled_from([quantity, quantity, quantity // 20 * 10]))),
        "methods": tuple(
            draw(st.lists(st.sampled_from(METHODS), min_size=1, max_size=3, unique=True))
        ),
        "stp": draw(st.sampled_from(["cancel_newest", "cancel_oldest", "cancel_both"])),
        "shared": draw(st.integers(0, 5)) == 0,
        "facts": draw(st.none() | facts),
        "conditions": draw(st.none() | st.none() | conditions),
        "hours": draw(hours),
        "tif": draw(st.sampled_from(["GTC", "GTC", "GTC", "GTD", "IOC", "FOK"])),
    }
    values["max_trade"] = max(values["min_trade"], values["max_trade"])
    if values["tif"] in ("GTC", "GTD"):
        values["post_only"] = draw(st.integers(0, 6)) == 0
        values["link"] = draw(st.sampled_from([None, None, None, None, *LINKS]))
    if values["tif"] == "GTD":
        values["lives_ms"] = draw(st.integers(1, 30)) * HOUR // 10
    return values | draw(prices(values["tif"]))


@st.composite
def prices(draw: st.DrawFn, tif: str) -> dict[str, Any]:
    kind = draw(st.sampled_from(["fixed", "floating", "bounded", "market"]))
    if kind == "market" and tif in ("IOC", "FOK"):
        return {"order_type": "market", "price_ticks": None}
    if kind in ("fixed", "market"):
        return {"price_ticks": draw(ticks)}
    floating: dict[str, Any] = {
        "price_kind": "floating",
        "price_ticks": None,
        "margin_bps": draw(margins),
    }
    if kind == "bounded":
        floor = draw(ticks)
        floating["floor_ticks"] = draw(st.sampled_from([None, floor]))
        floating["ceiling_ticks"] = draw(st.sampled_from([None, floor + draw(st.integers(0, 6))]))
    return floating


def _step(name: str, **parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Step]:
    return st.tuples(st.just(name), st.fixed_dictionaries(parts))


_PLACE = _step("place", order=orders())
steps: st.SearchStrategy[Step] = st.one_of(
    _PLACE,
    _PLACE,
    _PLACE,
    _PLACE,
    _step("take", order=orders(), pick=pickers, link=st.sampled_from(LINKS)),
    _step("cancel", pick=pickers),
    _step(
        "amend",
        pick=pickers,
        price=st.none() | ticks,
        remaining=st.none() | sizes,
        min_trade=st.sampled_from([None, None, 20, 50]),
    ),
    _step("pause", pick=pickers, paused=st.booleans()),
    _step("tick", index=st.sampled_from([None, 80, 95, 98, 99, 100, 101, 102, 120])),
    _step("wait", ms=st.integers(1, 20).map(lambda n: n * HOUR // 4)),
)


class OwnersFunds(Funds):
    """One kind of coins an owner: a unit a base unit."""

    def __init__(self, units: dict[int, int]) -> None:
        self.units = units

    def most(self, order: OrderState, price: int, spent: int) -> int:
        return self.units[order.owner_id] - spent

    def cost(self, order: OrderState, price: int, size: int) -> int:
        return size

    def pay(self, order: OrderState, price: int, size: int) -> None:
        self.units[order.owner_id] -= size


class Both:
    """The matcher and the reference, fed the same steps."""

    def __init__(self) -> None:
        self.matcher = Matcher(terms(), OwnersFunds(dict.fromkeys(range(5), 300)))
        self.reference = Reference(terms(), dict.fromkeys(range(5), 300))
        self.trades: list[Trade] = []
        self.at_ms = 70 * HOUR
        self.next_id = 1

    def do(self, name: str, values: dict[str, Any]) -> None:
        """Take one step with both."""
        values = dict(values)
        if "pick" in values:
            values["order_id"] = self._picked(values.pop("pick"))
        getattr(self, f"_{name}")(**values)

    def _picked(self, number: int) -> int:
        ids = sorted(self.matcher.orders)
        return ids[number % len(ids)] if ids else 0

    def _new(self, values: dict[str, Any]) -> tuple[OrderState, OrderState]:
        values = dict(values)
        if lives := values.pop("lives_ms", None):
            values["expires_ms"] = self.at_ms + lives
        self.next_id += 1
        return order(self.next_id, **values), order(self.next_id, **values)

    def _place(self, order: dict[str, Any]) -> None:
        mine, theirs = self._new(order)
        self._note(mine, self.matcher.place(mine, self.at_ms))
        self.reference.place(theirs, self.at_ms)

    def _take(self, order: dict[str, Any], order_id: int, link: str | None) -> None:
        plain = dict.fromkeys(("link", "margin_bps", "floor_ticks", "ceiling_ticks", "lives_ms"))
        price = order["price_ticks"] or 100
        fixed = {"order_type": "limit", "price_kind": "fixed", "price_ticks": price, "tif": "IOC"}
        mine, theirs = self._new(order | plain | fixed)
        self._note(mine, self.matcher.take(mine, order_id, self.at_ms, link))
        self.reference.take(theirs, order_id, self.at_ms, link)

    def _cancel(self, order_id: int) -> None:
        self.matcher.cancel(order_id, self.at_ms)
        self.reference.cancel(order_id, self.at_ms)

    def _amend(
        self, order_id: int, price: int | None, remaining: int | None, min_trade: int | None
    ) -> None:
        order = self.matcher.orders.get(order_id)
        if order is None:
            return
        margin = None
        if order.price_kind == "floating" and price is not None:
            price, margin = None, (price - 100) * 50
        self._note(
            order,
            self.matcher.amend(
                order_id,
                self.at_ms,
                price=price,
                margin_bps=margin,
                remaining=remaining,
                min_trade=min_trade,
            ),
        )
        self.reference.amend(order_id, self.at_ms, price, margin, remaining, min_trade)

    def _pause(self, order_id: int, paused: bool) -> None:
        order = self.matcher.orders.get(order_id)
        if order is not None:
            self._note(order, self.matcher.pause(order_id, paused, self.at_ms))
            self.reference.pause(order_id, paused, self.at_ms)

    def _tick(self, index: int | None) -> None:
        self.matcher.tick(index)
        self.reference.tick(index)

    def _wait(self, ms: int) -> None:
        self.at_ms += ms
        self.matcher.advance(self.at_ms)
        self.reference.advance(self.at_ms)

    def _note(self, taker: OrderState, fills: list[tuple[OrderState, int, int]]) -> None:
        self.trades += [(taker.id, maker.id, price, size) for maker, price, size in fills]

    def book(self) -> list[tuple[object, ...]]:
        """What is open in the matcher, as the reference tells it."""
        return sorted(
            (o.id, o.remaining, o.paused or "", o.price_ticks, o.margin_bps, o.min_trade)
            for o in self.matcher.orders.values()
        )
