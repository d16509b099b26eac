"""Single values of an order, read from text: amounts, prices, margins, times. Pure."""

from datetime import UTC, datetime, timedelta

from portal.core.errors import InvalidInput
from portal.core.money import parse_units
from portal.orders.frame import Frame
from portal.orders.rules import MAX_MARGIN_BPS

LONGEST_LIFE = timedelta(days=366)


def read_amount(frame: Frame, text: str | None, name: str) -> int | None:
    """An amount of coins in base units, a multiple of the lot. Raises InvalidInput."""
    if text is None:
        return None
    units = parse_units(text, frame.base.places, field=name, what=frame.base.code)
    lot = frame.market.lot
    if units <= 0:
        raise InvalidInput(f"{name} must be more than zero.", field=name, value=text)
    if units % lot:
        raise InvalidInput(
            f"{name} must be a multiple of {frame.amount(lot)} {frame.base.code}.",
            field=name,
            value=text,
        )
    return units


def read_price(frame: Frame, text: str | None, name: str) -> int | None:
    """A price in ticks. Raises InvalidInput for one off the tick or not above zero."""
    if text is None:
        return None
    ticks = parse_units(text, frame.market.price_places, field=name)
    if ticks <= 0:
        raise InvalidInput(f"{name} must be more than zero.", field=name, value=text)
    return ticks


def read_expiry(text: str | None, at_ms: int) -> int | None:
    """When an order ends, in milliseconds. Raises InvalidInput for the past and the far future."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
        offset = at.utcoffset()
        expires_ms = int(at.timestamp() * 1000)
    except (ValueError, OverflowError):
        offset = None
    if offset is None:
        raise InvalidInput(
            "expires_at must be a time with its zone.",
            field="expires_at",
            value=text,
            hint="Write it like 2030-01-31T18:00:00Z.",
        )
    latest = at_ms + int(LONGEST_LIFE.total_seconds() * 1000)
    if not at_ms < expires_ms <= latest:
        until = datetime.fromtimestamp(latest / 1000, UTC).date()
        raise InvalidInput(
            f"expires_at must be in the future and not after {until}.",
            field="expires_at",
            value=text,
        )
    return expires_ms


def check_margin(margin_bps: int | None) -> None:
    """Raises InvalidInput for a margin that is missing or too far from the index."""
    if margin_bps is None or abs(margin_bps) > MAX_MARGIN_BPS:
        raise InvalidInput(
            f"margin_bps must be between -{MAX_MARGIN_BPS} and {MAX_MARGIN_BPS}.",
            field="margin_bps",
            value=margin_bps,
        )
