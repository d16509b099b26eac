"""What becomes of orders that stand: amended, paused, cancelled, one or all of them."""

from dataclasses import dataclass

from portal.core.clock import now_ms
from portal.core.db import Database
from portal.core.errors import Conflict, PortalError, Unavailable
from portal.core.jobs import Engine
from portal.orders.amend import WantedChange, amend_command
from portal.orders.authority import check_still_covers
from portal.orders.models import Order
from portal.orders.queries import find_own, load_frame
from portal.orders.rules import BY_OWNER, CANCELLED, OPEN
from portal.orders.service import ids_of, in_words


@dataclass(frozen=True)
class ChangeDesk:
    """Where owners change their orders. Everything raises NotFound for other people's orders
    and Conflict when the order's state does not allow it; then nothing changed.
    """

    database: Database
    engine: Engine

    def amend(self, user_id: int, order_id: int, wanted: WantedChange, key: str) -> list[int]:
        """Change an order; ids of the trades that the change made. `key` makes it idempotent.

        Raises InvalidInput naming the field, Conflict when the seller's signed authority does
        not cover it any more.
        """
        with self.database.reader() as session:
            order = find_own(session, user_id, order_id)
            frame = load_frame(session, order.market_id)
            command = amend_command(frame, order, wanted, user_id, key, now_ms())
            remaining = command.get("remaining", order.remaining)
            check_still_covers(session, frame, order, remaining, command.get("max_trade"))
        try:
            answer = self.engine.submit(command)
        except Unavailable:
            raise
        except PortalError as refusal:
            raise in_words(refusal, frame) from refusal
        return ids_of(answer["trades"])

    def pause(self, user_id: int, order_id: int, *, paused: bool) -> None:
        """Take an order out of the book for a while, or put it back; twice is once."""
        order = self._own(user_id, order_id)
        if order.status != OPEN:
            raise _over(order)
        if paused is (order.paused == BY_OWNER):
            return
        command = {"kind": "pause_order", "order_id": order_id, "owner": user_id}
        self.engine.submit({**command, "paused": paused})

    def set_away(self, user_id: int, *, away: bool) -> list[int]:
        """A holiday: all orders that stand leave the book, or come back; their ids."""
        answer = self.engine.submit({"kind": "set_away", "owner": user_id, "away": away})
        return ids_of(answer["orders"])

    def cancel(self, user_id: int, order_id: int) -> None:
        """Take what is left of an order out of the book; a cancelled one stays as it is."""
        order = self._own(user_id, order_id)
        if order.status == CANCELLED:
            return
        if order.status != OPEN:
            raise _over(order)
        self.engine.submit({"kind": "cancel_order", "order_id": order_id, "owner": user_id})

    def cancel_all(
        self, user_id: int, market: str | None, side: str | None
    ) -> tuple[list[int], list[int]]:
        """Take all orders out of the book, of one market or side where named.

        Ids of those that went, and of those that are too young to go in their market.
        """
        command: dict[str, object] = {"kind": "cancel_all", "owner": user_id}
        if market is not None:
            with self.database.reader() as session:
                load_frame(session, market)
            command["market"] = market
        if side is not None:
            command["side"] = side
        answer = self.engine.submit(command)
        return ids_of(answer["cancelled"]), ids_of(answer["kept"])

    def _own(self, user_id: int, order_id: int) -> Order:
        with self.database.reader() as session:
            return find_own(session, user_id, order_id)


def _over(order: Order) -> Conflict:
    return Conflict(f"This order is {order.status}.", field="order_id", value=order.id)
