"""What a market's configuration may say. Pure; a refusal names field, value and way out.

Amounts come as decimal strings of the base coin and leave as its ledger units.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from portal.core.errors import Conflict, InvalidInput
from portal.core.money import Asset, Money
from portal.markets.sources import currencies, parse_sources, source_rows

STATUSES = ("open", "halted", "auction")
ESCROWS = ("evm", "ledger")
SETTLEMENTS = ("trade", "instant")
LEDGER_METHOD = "ledger"
LONGEST_REST_MS = 60_000
MOST_OPEN_ORDERS = 100_000
# Prices and balances depend on these: orders and quotes of the past would change their meaning.
FIXED_ONCE_MADE = ("base", "quote", "price_places", "escrow", "settlement")
_MARKET_ID = re.compile(r"[A-Z0-9]{2,10}-[A-Z0-9]{2,10}")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


@dataclass(frozen=True, slots=True)
class MarketValues:
    """A checked market configuration, in the words of the `market` table."""

    id: str
    base: str
    quote: str
    price_places: int
    lot: int
    min_trade: int
    max_trade: int
    escrow: str
    status: str
    payment_seconds: int
    release_seconds: int
    protection_bps: int
    max_fee_bps: int
    fee_model: str
    methods: list[str]
    sources: list[dict[str, Any]]
    settlement: str = "trade"
    band_bps: int = 0
    min_rest_ms: int = 0
    max_open_orders: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Field to value, as the table and the audit log hold them."""
        return asdict(self)


def parse_market(
    values: Mapping[str, object], assets: Mapping[str, Asset], *, min_sources: int
) -> MarketValues:
    """Check a whole configuration. Raises InvalidInput for the first field that can't be right."""
    base, quote = _asset(values, "base", assets), _asset(values, "quote", assets)
    if base == quote:
        raise _wrong("quote", quote.code, "A market needs two different assets.")
    market_id = _text(values, "id", _MARKET_ID.fullmatch, "Write it like USDT-EUR.")
    lot, low, high = _amounts(values, base)
    settlement = _choice({"settlement": "trade", **values}, "settlement", SETTLEMENTS)
    return MarketValues(
        id=market_id,
        base=base.code,
        quote=quote.code,
        price_places=_number(values, "price_places", 0, 12),
        lot=lot,
        min_trade=low,
        max_trade=high,
        escrow=_escrow(values, settlement),
        status=_choice({"status": "open", **values}, "status", STATUSES),
        payment_seconds=_number(values, "payment_seconds", 60, 30 * 86_400),
        release_seconds=_number(values, "release_seconds", 60, 30 * 86_400),
        protection_bps=_number({"protection_bps": 500, **values}, "protection_bps", 1, 9_999),
        max_fee_bps=_number({"max_fee_bps": 100, **values}, "max_fee_bps", 0, 5_000),
        fee_model=_text(values, "fee_model", _NAME.fullmatch, "Use the name of a fee plugin."),
        methods=_methods(values.get("methods"), settlement),
        sources=_sources(values.get("sources", []), base, quote, min_sources),
        settlement=settlement,
        band_bps=_number({"band_bps": 0, **values}, "band_bps", 0, 9_999),
        min_rest_ms=_number({"min_rest_ms": 0, **values}, "min_rest_ms", 0, LONGEST_REST_MS),
        max_open_orders=_number(
            {"max_open_orders": 0, **values}, "max_open_orders", 0, MOST_OPEN_ORDERS
        ),
    )


def check_change(before: Mapping[str, Any], after: MarketValues) -> None:
    """Raises Conflict when a change would give past orders and quotes another meaning."""
    for name in FIXED_ONCE_MADE:
        if before[name] != getattr(after, name):
            raise Conflict(
                f"{name} of a market can't change once it is made.",
                field=name,
                value=getattr(after, name),
                hint=f"It is {before[name]}. Halt this market and make another.",
            )


def _amounts(values: Mapping[str, object], base: Asset) -> tuple[int, int, int]:
    lot, low, high = (_units(values, name, base) for name in ("lot", "min_trade", "max_trade"))
    for name, units in (("min_trade", low), ("max_trade", high)):
        if units % lot:
            raise _wrong(name, values.get(name), f"{name} must be a multiple of the lot.")
    if high < low:
        raise _wrong("max_trade", values.get("max_trade"), "max_trade is below min_trade.")
    return lot, low, high


def _units(values: Mapping[str, object], name: str, asset: Asset) -> int:
    value = values.get(name)
    if not isinstance(value, str):
        raise _wrong(name, value, f"{name} must be a plain decimal number in a string.")
    units = Money.parse(value, asset, field=name).units
    if units <= 0:
        raise _wrong(name, value, f"{name} must be more than zero.")
    return units


def _sources(rows: object, base: Asset, quote: Asset, min_sources: int) -> list[dict[str, Any]]:
    sources = parse_sources(rows)
    for place, source in enumerate(sources):
        try:
            made = currencies(source)
        except ValueError as error:
            raise _wrong(f"sources[{place}].legs", source.name, f"{error}: not one pair.") from None
        if made != (base.code, quote.code):
            raise _wrong(
                f"sources[{place}].legs",
                f"{made[0]}/{made[1]}",
                f"This source makes {made[0]}/{made[1]}, not {base.code}/{quote.code}.",
            )
    if sources and len(sources) < min_sources:
        raise InvalidInput(
            f"{len(sources)} price source is fewer than the {min_sources} a quote needs.",
            field="sources",
            hint="Add sources, or none at all for a market of fixed prices only.",
        )
    return source_rows(sources)


def _escrow(values: Mapping[str, object], settlement: str) -> str:
    escrow = _choice(values, "escrow", ESCROWS)
    if settlement == "instant" and escrow != "ledger":
        raise _wrong("escrow", escrow, "A market that settles at once is settled in the ledger.")
    return escrow


def _methods(value: object, settlement: str) -> list[str]:
    names = value if isinstance(value, list) else []
    good = [name for name in names if isinstance(name, str) and _NAME.fullmatch(name)]
    if not good or len(good) != len(names) or len(set(good)) != len(good):
        raise _wrong("methods", value, "methods must be one or more different method names.")
    if (settlement == "instant") != (LEDGER_METHOD in good) or (
        LEDGER_METHOD in good and len(good) > 1
    ):
        raise InvalidInput(
            f"The method {LEDGER_METHOD} is for markets that settle at once, and their only one.",
            field="methods",
            value=value,
        )
    return good


def _asset(values: Mapping[str, object], name: str, assets: Mapping[str, Asset]) -> Asset:
    code = values.get(name)
    if not isinstance(code, str) or code not in assets:
        raise InvalidInput(
            f"{name} must be an asset of this portal.",
            field=name,
            value=code,
            hint=f"Known assets: {', '.join(sorted(assets))}.",
        )
    return assets[code]


def _text(values: Mapping[str, object], name: str, fits: Callable[[str], object], hint: str) -> str:
    value = values.get(name)
    if not isinstance(value, str) or not fits(value):
        raise InvalidInput(f"{name} is not in the right form.", field=name, value=value, hint=hint)
    return value


def _choice(values: Mapping[str, object], name: str, allowed: tuple[str, ...]) -> str:
    value = values.get(name)
    if value not in allowed:
        raise InvalidInput(f"{name} must be one of {', '.join(allowed)}.", field=name, value=value)
    return str(value)


def _number(values: Mapping[str, object], name: str, low: int, high: int) -> int:
    value = values.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InvalidInput(
            f"{name} must be a whole number from {low} to {high}.", field=name, value=value
        )
    return value


def _wrong(field: str, value: object, message: str) -> InvalidInput:
    return InvalidInput(message, field=field, value=value)
