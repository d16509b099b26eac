"""A matcher nobody would run: it looks at every order every time, in the words of the rules.

Written from the rules alone: no lanes, no ladders, no heaps, no plans. Offers are ranked by the
price they ask before it is rounded to a tick, as an exact fraction.
"""

from fractions import Fraction

from portal.orders.conditions import Conditions, Facts
from portal.orders.rules import MarketTerms, OrderState, order_from

Trade = tuple[int, int, int, int]


class Reference:
    """All open orders of a market in one list. `funds`: what owners of shared orders can pay."""

    def __init__(self, terms: MarketTerms, funds: dict[int, int]) -> None:
        self.terms = terms
        self.funds = funds
        self.index: int | None = None
        self.open: list[OrderState] = []
        self.trades: list[Trade] = []
        self.number = 0
        self._met: list[int] = []

    def place(self, order: OrderState, at_ms: int) -> None:
        self.advance(at_ms)
        self._renumber(order)
        if not _in_hours(order, at_ms):
            order.paused = "hours"
        elif self._must_not_trade(order, at_ms):
            return
        else:
            self._match(order, at_ms)
        if order.status == "open" and order.tif in ("GTC", "GTD"):
            self.open.append(order)

    def take(self, order: OrderState, offer_id: int, at_ms: int, link: str | None) -> None:
        self.advance(at_ms)
        offer = self._find(offer_id)
        if offer is None or offer.paused is not None or offer.link != link:
            return
        if offer.owner_id == order.owner_id or offer.side == order.side:
            return
        if self._fits(order, offer, at_ms) and self._accepts(order, offer):
            self._trade(order, offer, at_ms)
            self._drop_spent()

    def cancel(self, order_id: int, at_ms: int) -> None:
        self.advance(at_ms)
        self.open = [order for order in self.open if order.id != order_id]

    def amend(
        self,
        order_id: int,
        at_ms: int,
        price: int | None,
        margin_bps: int | None,
        remaining: int | None,
        min_trade: int | None,
    ) -> None:
        self.advance(at_ms)
        order = self._find(order_id)
        if order is None:
            return
        new = {
            "price_ticks": order.price_ticks if price is None else price,
            "margin_bps": order.margin_bps if margin_bps is None else margin_bps,
            "remaining": order.remaining if remaining is None else remaining,
            "min_trade": order.min_trade if min_trade is None else min_trade,
        }
        old = {name: getattr(order, name) for name in new}
        self.open.remove(order)
        _set(order, new)
        loses = new["remaining"] > old["remaining"] or any(
            new[name] != old[name] for name in ("price_ticks", "margin_bps")
        )
        if loses:
            if order.paused is None and order.post_only and self._meets_somebody(order, at_ms):
                _set(order, old)
                self.open.append(order)
                return
            self._renumber(order)
            if order.paused is None:
                self._match(order, at_ms)
        if order.remaining < order.min_trade:
            order.status = "cancelled"
        if order.status == "open":
            self.open.append(order)

    def pause(self, order_id: int, paused: bool, at_ms: int) -> None:
        self.advance(at_ms)
        order = self._find(order_id)
        if order is None:
            return
        if paused:
            order.paused = "owner"
        elif order.paused == "owner":
            self._renumber(order)
            order.paused = None if _in_hours(order, at_ms) else "hours"
            if order.paused is None and not order.post_only:
                self.open.remove(order)
                self._match(order, at_ms)
                if order.status == "open":
                    self.open.append(order)

    def tick(self, index: int | None) -> None:
        self.index = index

    def advance(self, at_ms: int) -> None:
        """Time in steps of a minute, because working hours begin and end on one."""
        for order in list(self.open):
            if order.expires_ms is not None and order.expires_ms <= at_ms:
                self.open.remove(order)
        for order in sorted(self.open, key=lambda order: order.id):
            if order.paused is None and not _in_hours(order, at_ms):
                order.paused = "hours"
            elif order.paused == "hours" and _in_hours(order, at_ms):
                order.paused = None
                self._renumber(order)

    def book(self) -> list[tuple[object, ...]]:
        return sorted(
            (o.id, o.remaining, o.paused or "", o.price_ticks, o.margin_bps, o.min_trade)
            for o in self.open
        )

    def _match(self, order: OrderState, at_ms: int) -> None:
        if order.link is not None:
            return
        while order.remaining >= order.min_trade:
            best = self._best(order, at_ms)
            if best is None:
                break
            if best.owner_id == order.owner_id:
                if order.stp in ("cancel_oldest", "cancel_both"):
                    self.open.remove(best)
                if order.stp in ("cancel_newest", "cancel_both"):
                    order.status = "cancelled"
                    break
            elif not self._trade(order, best, at_ms):
                break
        self._drop_spent()
        self._met = []
        if order.remaining < order.min_trade:
            order.status = "cancelled"

    def _best(self, order: OrderState, at_ms: int) -> OrderState | None:
        """The best offer not met before in this walk."""
        offers = [
            offer
            for offer in self.open
            if offer.side != order.side
            and offer.link is None
            and offer.paused is None
            and offer.id not in self._met
            and self._accepts(order, offer)
            and self._fits(order, offer, at_ms)
        ]
        if not offers:
            return None
        sign = 1 if order.side == "buy" else -1
        return min(offers, key=lambda offer: (self._exact(offer) * sign, offer.priority))

    def _trade(self, order: OrderState, offer: OrderState, at_ms: int) -> bool:
        """False when the taker's own coins don't suffice."""
        size = self._size(order, offer, at_ms)
        least = max(order.min_trade, offer.min_trade)
        self._met = [*self._met, offer.id]
        if order.shared:
            size = min(size, _lots(self.funds[order.owner_id]))
            if size < least:
                return False
        if offer.shared:
            mine = _lots(self.funds[offer.owner_id])
            size = min(size, mine)
            if size < least:
                if mine < offer.min_trade:
                    offer.paused = "balance"
                return True
        for part in (order, offer):
            part.remaining -= size
            if part.shared:
                self.funds[part.owner_id] -= size
        price = self._price(offer)
        assert price is not None
        self.trades.append((order.id, offer.id, price, size))
        return True

    def _drop_spent(self) -> None:
        self.open = [order for order in self.open if order.remaining >= order.min_trade]

    def _must_not_trade(self, order: OrderState, at_ms: int) -> bool:
        if order.post_only and self._meets_somebody(order, at_ms):
            return True
        return order.tif == "FOK" and not self._fills_whole(order, at_ms)

    def _fills_whole(self, order: OrderState, at_ms: int) -> bool:
        copy, _ = self._tried(order, at_ms)
        return copy.remaining == 0

    def _meets_somebody(self, order: OrderState, at_ms: int) -> bool:
        """Whether anything would come of it but resting."""
        copy, trial = self._tried(order, at_ms)
        stopped = copy.status != "open" and copy.remaining >= copy.min_trade
        return stopped or bool(trial.trades) or trial.book() != self.book()

    def _tried(self, order: OrderState, at_ms: int) -> "tuple[OrderState, Reference]":
        """Match a copy of the order with a copy of everything."""
        trial = Reference(self.terms, dict(self.funds))
        trial.index = self.index
        trial.open = [order_from(each.as_dict()) for each in self.open]
        copy = order_from(order.as_dict())
        trial._match(copy, at_ms)
        return copy, trial

    def _fits(self, order: OrderState, offer: OrderState, at_ms: int) -> bool:
        if not set(order.methods) & set(offer.methods):
            return False
        if not _admits(offer.conditions, order.facts, at_ms):
            return False
        if not _admits(order.conditions, offer.facts, at_ms):
            return False
        return self._size(order, offer, at_ms) >= max(order.min_trade, offer.min_trade)

    def _size(self, order: OrderState, offer: OrderState, at_ms: int) -> int:
        sizes = [order.remaining, offer.remaining, order.max_trade, offer.max_trade]
        for mine, theirs in ((order, offer), (offer, order)):
            wanted = mine.conditions
            new_here = theirs.facts is None or theirs.facts.trades == 0
            if wanted is not None and wanted.first_trade_max is not None and new_here:
                sizes.append(wanted.first_trade_max)
        return _lots(min(sizes))

    def _accepts(self, order: OrderState, offer: OrderState) -> bool:
        limit, price = self._limit(order), self._price(offer)
        if limit is None or price is None:
            return False
        return price <= limit if order.side == "buy" else price >= limit

    def _limit(self, order: OrderState) -> int | None:
        if order.order_type == "market" and order.price_ticks is None:
            if self.index is None:
                return None
            part = self.index * self.terms.protection_bps
            if order.side == "buy":
                return (self.index * 10_000 + part) // 10_000
            return max(1, -((-self.index * 10_000 + part) // 10_000))
        return self._price(order)

    def _exact(self, order: OrderState) -> Fraction:
        if order.price_kind == "fixed":
            return Fraction(order.price_ticks or 0)
        price = Fraction((self.index or 0) * (10_000 + (order.margin_bps or 0)), 10_000)
        if order.floor_ticks is not None:
            price = max(price, Fraction(order.floor_ticks))
        if order.ceiling_ticks is not None:
            price = min(price, Fraction(order.ceiling_ticks))
        return price

    def _price(self, order: OrderState) -> int | None:
        """In ticks, half a tick up."""
        if order.price_kind == "floating" and self.index is None:
            return None
        return int(self._exact(order) + Fraction(1, 2))

    def _find(self, order_id: int) -> OrderState | None:
        return next((order for order in self.open if order.id == order_id), None)

    def _renumber(self, order: OrderState) -> None:
        self.number += 1
        order.priority = self.number


def _admits(wanted: Conditions | None, facts: Facts | None, at_ms: int) -> bool:
    if wanted is None:
        return True
    known = facts or Facts()
    return not (
        known.tier < wanted.min_tier
        or known.trades < wanted.min_trades
        or known.completion_bps < wanted.min_completion_bps
        or at_ms - known.since_ms < wanted.min_age_ms
        or (wanted.regions and known.region not in wanted.regions)
    )


def _in_hours(order: OrderState, at_ms: int) -> bool:
    """Weeks begin on Monday; the epoch was a Thursday."""
    minute = (at_ms // 60_000 + 3 * 1440) % 10_080
    return not order.hours or any(start <= minute < end for start, end in order.hours)


def _lots(units: int) -> int:
    return units // 10 * 10


def _set(order: OrderState, values: dict[str, int | None]) -> None:
    for name, value in values.items():
        setattr(order, name, value)
