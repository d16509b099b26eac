"""Who has which orders open: what limits, holidays and shared balances ask for."""

from portal.orders.rules import OrderState

_Orders = dict[int, OrderState]


class OpenOrders:
    """Open orders by owner and market, with counts an API key."""

    def __init__(self) -> None:
        self._by_owner: dict[int, dict[str, _Orders]] = {}
        self._by_key: dict[str, int] = {}
        self._sharing: dict[int, _Orders] = {}

    def add(self, order: OrderState) -> None:
        """Note an order that is open now."""
        markets = self._by_owner.get(order.owner_id)
        if markets is None:
            markets = self._by_owner[order.owner_id] = {}
        mine = markets.get(order.market_id)
        if mine is None:
            mine = markets[order.market_id] = {}
        mine[order.id] = order
        if order.via is not None:
            self._by_key[order.via] = self._by_key.get(order.via, 0) + 1
        if order.shared:
            self._sharing.setdefault(order.owner_id, {})[order.id] = order

    def remove(self, order: OrderState) -> None:
        """Forget an order that is over; it must have been open."""
        markets = self._by_owner[order.owner_id]
        mine = markets[order.market_id]
        del mine[order.id]
        if not mine:
            del markets[order.market_id]
            if not markets:
                del self._by_owner[order.owner_id]
        if order.via is not None:
            self._forget_key(order.via)
        if order.shared:
            shared = self._sharing[order.owner_id]
            del shared[order.id]
            if not shared:
                del self._sharing[order.owner_id]

    def of(self, owner: int) -> list[OrderState]:
        """An owner's open orders, oldest first."""
        found: list[OrderState] = []
        for mine in self._by_owner.get(owner, {}).values():
            found += mine.values()
        return sorted(found, key=lambda order: order.id)

    def sharing(self, owner: int) -> list[OrderState]:
        """Those of an owner that share a balance, oldest first."""
        return sorted(self._sharing.get(owner, {}).values(), key=lambda order: order.id)

    @property
    def anybody_shares(self) -> bool:
        """Whether there is any order over a shared balance."""
        return bool(self._sharing)

    def shares(self, owner: int) -> bool:
        """Whether an owner has orders over a shared balance."""
        return owner in self._sharing

    def in_market(self, owner: int, market: str) -> int:
        """How many orders an owner has open in a market."""
        return len(self._by_owner.get(owner, {}).get(market, {}))

    def by_key(self, key: str) -> int:
        """How many open orders came by an API key."""
        return self._by_key.get(key, 0)

    def _forget_key(self, key: str) -> None:
        left = self._by_key[key] - 1
        if left:
            self._by_key[key] = left
        else:
            del self._by_key[key]
