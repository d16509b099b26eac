"""Who has which orders open: what limits, holidays and shared balances ask for."""

from portal.orders.rules import OrderState


class OpenOrders:
    """Open orders by owner, with counts a market and an API key."""

    def __init__(self) -> None:
        self._by_owner: dict[int, dict[int, OrderState]] = {}
        self._by_market: dict[tuple[int, str], int] = {}
        self._by_key: dict[str, int] = {}
        self._sharing: dict[int, dict[int, OrderState]] = {}

    def add(self, order: OrderState) -> None:
        """Note an order that is open now."""
        self._by_owner.setdefault(order.owner_id, {})[order.id] = order
        self._count(order, 1)
        if order.shared:
            self._sharing.setdefault(order.owner_id, {})[order.id] = order

    def remove(self, order: OrderState) -> None:
        """Forget an order that is over."""
        for places in (self._by_owner, self._sharing):
            mine = places.get(order.owner_id)
            if mine is not None and mine.pop(order.id, None) is not None and not mine:
                del places[order.owner_id]
        self._count(order, -1)

    def of(self, owner: int) -> list[OrderState]:
        """An owner's open orders, oldest first."""
        return sorted(self._by_owner.get(owner, {}).values(), key=lambda order: order.id)

    def sharing(self, owner: int) -> list[OrderState]:
        """Those of an owner that share a balance, oldest first."""
        return sorted(self._sharing.get(owner, {}).values(), key=lambda order: order.id)

    def shares(self, owner: int) -> bool:
        """Whether an owner has orders over a shared balance."""
        return owner in self._sharing

    def in_market(self, owner: int, market: str) -> int:
        """How many orders an owner has open in a market."""
        return self._by_market.get((owner, market), 0)

    def by_key(self, key: str) -> int:
        """How many open orders came by an API key."""
        return self._by_key.get(key, 0)

    def _count(self, order: OrderState, change: int) -> None:
        place = (order.owner_id, order.market_id)
        left = self._by_market.get(place, 0) + change
        if left:
            self._by_market[place] = left
        else:
            del self._by_market[place]
        if order.via is None:
            return
        left = self._by_key.get(order.via, 0) + change
        if left:
            self._by_key[order.via] = left
        else:
            del self._by_key[order.via]
