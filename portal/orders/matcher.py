"""One market in memory, without money: what a bench and the proofs of matching drive.

An order takes only when its owner acts (places it, changes it, puts it back); time and a new
index only change where it stands. The engine walks the same book in the same way, and moves
coins besides. Compiled by mypyc where a C compiler is there, with the same results.
"""

from portal.orders.book import Book
from portal.orders.rules import (
    BY_OWNER,
    CANCELLED,
    FILLED,
    NO_BALANCE,
    OPEN,
    OUT_OF_HOURS,
    MarketTerms,
    OrderState,
    limit_price,
)
from portal.orders.timers import Timers, has_expired, is_open
from portal.orders.walk import Fill, Funds, Plan, Walker


class Matcher:
    """The open orders of a market. Times are milliseconds, and never run backwards."""

    def __init__(self, terms: MarketTerms, funds: Funds | None = None) -> None:
        self.protection_bps = terms.protection_bps
        self.index: int | None = None
        self.orders: dict[int, OrderState] = {}
        self.book = Book(terms.min_trade)
        self.funds = funds or Funds()
        self.walker = Walker(self.book, terms.lot, self.funds)
        self.timers = Timers()
        self._last_number = 0

    def place(self, order: OrderState, at_ms: int) -> list[Fill]:
        """Match a new order and rest what is left, if it may rest; `status` tells.

        Its priority number becomes the next one here.
        """
        if at_ms >= self.timers.next_ms:
            self.advance(at_ms)
        self._last_number = order.priority = self._last_number + 1
        if order.hours and not is_open(order.hours, at_ms):
            order.paused = OUT_OF_HOURS
        plan: Plan | None = None
        if order.paused is None and order.link is None:
            # As `_plan` does, without two calls for nearly every order.
            limit = order.price_ticks
            if limit is None:
                limit = limit_price(order, self.index, self.protection_bps)
            if limit is not None:
                plan = self.walker.plan(order, limit, self.index, at_ms)
        tif = order.tif
        if plan is None:
            fills: list[Fill] = []
        elif order.post_only or (tif == "FOK" and (plan.left or plan.stopped)):
            order.status = CANCELLED
            return []
        else:
            self._execute(order, plan)
            fills = plan.fills
            if order.status != OPEN:
                return fills
        if tif in ("IOC", "FOK"):
            order.status = CANCELLED
            return fills
        self.orders[order.id] = order
        if order.paused is None:
            self.book.add(order)
        if order.hours or order.expires_ms is not None:
            self.timers.watch(order, at_ms)
        return fills

    def take(
        self, order: OrderState, offer_id: int, at_ms: int, link: str | None = None
    ) -> list[Fill]:
        """Trade with one offer by name, whatever else is in the book; nothing of it rests."""
        if at_ms >= self.timers.next_ms:
            self.advance(at_ms)
        offer = self.orders.get(offer_id)
        order.status = CANCELLED
        if offer is None or offer.paused is not None or offer.link != link:
            return []
        fill = self.walker.single(order, offer, self.index, at_ms)
        if fill is None:
            return []
        plan = Plan(order.remaining - fill[2])
        plan.fills.append(fill)
        self._execute(order, plan)
        return plan.fills

    def cancel(self, order_id: int, at_ms: int = 0) -> bool:
        """Take an order out; False when it isn't open."""
        if at_ms >= self.timers.next_ms:
            self.advance(at_ms)
        order = self.orders.pop(order_id, None)
        if order is None:
            return False
        order.status = CANCELLED
        self.book.remove(order)
        return True

    def amend(
        self,
        order_id: int,
        at_ms: int,
        *,
        price: int | None = None,
        margin_bps: int | None = None,
        remaining: int | None = None,
        min_trade: int | None = None,
    ) -> list[Fill]:
        """Change an open order; it may match when it loses its place. Nothing: it could not be."""
        if at_ms >= self.timers.next_ms:
            self.advance(at_ms)
        order = self.orders.get(order_id)
        if order is None:
            return []
        before = (order.price_ticks, order.margin_bps, order.remaining, order.min_trade)
        self.book.remove(order)
        if price is not None:
            order.price_ticks = price
        if margin_bps is not None:
            order.margin_bps = margin_bps
        if remaining is not None:
            order.remaining = remaining
        if min_trade is not None:
            order.min_trade = min_trade
        kept = order.remaining <= before[2] and (
            order.price_ticks == before[0] and order.margin_bps == before[1]
        )
        fills: list[Fill] = []
        if not kept and order.paused is None:
            plan = self._plan(order, at_ms)
            if plan is not None and order.post_only:
                order.price_ticks, order.margin_bps, order.remaining, order.min_trade = before
                self.book.add(order)
                return []
            order.priority = self._number()
            if plan is not None:
                self._execute(order, plan)
                fills = plan.fills
        elif not kept:
            order.priority = self._number()
        if order.remaining < order.min_trade:
            order.status = CANCELLED if order.remaining else FILLED
        self._rest(order)
        return fills

    def pause(self, order_id: int, paused: bool, at_ms: int) -> list[Fill]:
        """Take an order out of the book, or put it back as the last at its price."""
        if at_ms >= self.timers.next_ms:
            self.advance(at_ms)
        order = self.orders.get(order_id)
        if order is None:
            return []
        if paused:
            self.book.remove(order)
            order.paused = BY_OWNER
            return []
        if order.paused != BY_OWNER:
            return []
        order.priority = self._number()
        order.paused = None if is_open(order.hours, at_ms) else OUT_OF_HOURS
        fills: list[Fill] = []
        plan = self._plan(order, at_ms) if order.paused is None and not order.post_only else None
        if plan is not None:
            self._execute(order, plan)
            fills = plan.fills
        self._rest(order)
        return fills

    def tick(self, index: int | None) -> None:
        """A new index price in ticks, or none. Resting orders never match each other on it."""
        self.index = index
        self.book.set_index(index)

    def advance(self, at_ms: int) -> None:
        """Do what is due: orders whose time is over go, working hours begin and end."""
        for order_id in self.timers.due(at_ms):
            order = self.orders.get(order_id)
            if order is None:
                continue
            if has_expired(order, at_ms):
                self._close(order, CANCELLED)
                continue
            within = is_open(order.hours, at_ms)
            if order.paused is None and not within:
                self.book.remove(order)
                order.paused = OUT_OF_HOURS
            elif order.paused == OUT_OF_HOURS and within:
                order.paused = None
                order.priority = self._number()
                self.book.add(order)
            self.timers.watch(order, at_ms)
        self.timers.tidy(self.orders, len(self.orders))

    def _number(self) -> int:
        self._last_number += 1
        return self._last_number

    def _plan(self, order: OrderState, at_ms: int) -> Plan | None:
        limit = limit_price(order, self.index, self.protection_bps)
        if limit is None or order.link is not None:
            return None
        return self.walker.plan(order, limit, self.index, at_ms)

    def _execute(self, order: OrderState, plan: Plan) -> None:
        if plan.own or plan.unbacked:
            self._clear_away(plan)
        shared = order.shared
        for maker, price, size in plan.fills:
            if maker.shared:
                self.funds.pay(maker, price, size)
            if shared:
                self.funds.pay(order, price, size)
            maker.remaining = left = maker.remaining - size
            if left < maker.min_trade:
                # As `_close` does, without a call: most trades end their offer.
                maker.status = CANCELLED if left else FILLED
                self.book.remove(maker)
                del self.orders[maker.id]
        order.remaining = left = plan.left
        if not left:
            order.status = FILLED
        elif plan.stopped or left < order.min_trade:
            order.status = CANCELLED

    def _clear_away(self, plan: Plan) -> None:
        """Resting orders of the same owner go; shared ones without the coins leave the book."""
        for maker in plan.own:
            self._close(maker, CANCELLED)
        for maker in plan.unbacked:
            self.book.remove(maker)
            maker.paused = NO_BALANCE

    def _rest(self, order: OrderState) -> None:
        """Put an order that was changed where it belongs now."""
        if order.status != OPEN:
            self.orders.pop(order.id, None)
        elif order.paused is None:
            self.book.add(order)

    def _close(self, order: OrderState, status: str) -> None:
        order.status = status
        self.book.remove(order)
        del self.orders[order.id]
