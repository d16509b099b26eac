"""A change of a resting order as a person writes it, turned into the engine's command. Pure."""

from dataclasses import dataclass
from typing import Any, Protocol

from portal.core.errors import InvalidInput
from portal.orders.frame import Frame
from portal.orders.reading import check_margin, read_amount, read_expiry, read_price

_FIXED_ONLY = ("price",)
_FLOATING_ONLY = ("margin_bps", "floor", "ceiling")


@dataclass(frozen=True)
class WantedChange:
    """What shall be different; None keeps it. `remaining` is what is still to be traded."""

    price: str | None = None
    margin_bps: int | None = None
    floor: str | None = None
    ceiling: str | None = None
    remaining: str | None = None
    min_trade: str | None = None
    max_trade: str | None = None
    expires_at: str | None = None


class Changing(Protocol):
    """What of the present order a change is read against."""

    @property
    def id(self) -> int:
        """Its id."""
        ...

    @property
    def price_kind(self) -> str:
        """`fixed` or `floating`."""
        ...


def amend_command(
    frame: Frame, order: Changing, wanted: WantedChange, owner: int, key: str, at_ms: int
) -> dict[str, Any]:
    """The engine's `amend_order`. Raises InvalidInput naming the field."""
    _check_kind(order, wanted)
    values = {
        "price": read_price(frame, wanted.price, "price"),
        "margin_bps": wanted.margin_bps,
        "floor": read_price(frame, wanted.floor, "floor"),
        "ceiling": read_price(frame, wanted.ceiling, "ceiling"),
        "remaining": read_amount(frame, wanted.remaining, "remaining"),
        "min_trade": read_amount(frame, wanted.min_trade, "min_trade"),
        "max_trade": read_amount(frame, wanted.max_trade, "max_trade"),
        "expires_ms": read_expiry(wanted.expires_at, at_ms),
    }
    if wanted.margin_bps is not None:
        check_margin(wanted.margin_bps)
    _check_limits(frame, wanted, values)
    given = {name: value for name, value in values.items() if value is not None}
    if not given:
        raise InvalidInput("Say what to change.", field="body", hint="Such as remaining or price.")
    return {"kind": "amend_order", "key": key, "order_id": order.id, "owner": owner, **given}


def _check_limits(frame: Frame, wanted: WantedChange, values: dict[str, int | None]) -> None:
    least, most = frame.market.min_trade, frame.market.max_trade
    for name in ("remaining", "min_trade", "max_trade"):
        units = values[name]
        beyond = name != "remaining" and units is not None and units > most
        if units is not None and (units < least or beyond):
            raise InvalidInput(
                f"{name} is outside the limits of a trade in {frame.market.id}.",
                field=name,
                value=getattr(wanted, name),
                hint=f"They are {frame.amount(least)} to {frame.amount(most)} {frame.base.code}.",
            )


def _check_kind(order: Changing, wanted: WantedChange) -> None:
    for names, kind in ((_FIXED_ONLY, "fixed"), (_FLOATING_ONLY, "floating")):
        for name in names:
            if getattr(wanted, name) is not None and order.price_kind != kind:
                raise InvalidInput(
                    f"{name} belongs to a {kind} price; this order's is {order.price_kind}.",
                    field=name,
                    value=getattr(wanted, name),
                )
