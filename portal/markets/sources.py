"""Price sources as the market's table keeps them: checked data to and from typed values."""

from collections.abc import Sequence
from typing import Any

from portal.core.errors import InvalidInput
from portal.markets.feeds import Leg, Source, exchange_names

MAX_SOURCES = 12
MAX_LEGS = 2
OPERATIONS = ("multiply", "divide")


def parse_sources(rows: object) -> tuple[Source, ...]:
    """Sources from `[{"name", "legs": [{"exchange", "symbol", "operation"}]}]`.

    Raises InvalidInput naming the entry: `sources[1].legs[0].exchange`.
    """
    if not isinstance(rows, list) or len(rows) > MAX_SOURCES:
        raise InvalidInput(f"sources must be a list of at most {MAX_SOURCES}.", field="sources")
    sources = tuple(_source(row, f"sources[{place}]") for place, row in enumerate(rows))
    names = [source.name for source in sources]
    for place, name in enumerate(names):
        if name in names[:place]:
            raise InvalidInput(
                "Two sources have the same name.", field=f"sources[{place}].name", value=name
            )
    return sources


def _source(row: object, field: str) -> Source:
    if not isinstance(row, dict):
        raise InvalidInput("A source is an object with a name and legs.", field=field, value=row)
    legs = row.get("legs")
    if not isinstance(legs, list) or not 1 <= len(legs) <= MAX_LEGS:
        raise InvalidInput(f"A source has 1 to {MAX_LEGS} legs.", field=f"{field}.legs", value=legs)
    name = row.get("name")
    if not isinstance(name, str) or not 0 < len(name.strip()) <= 40:
        raise InvalidInput(
            "A source needs a name of 1 to 40 characters.", field=f"{field}.name", value=name
        )
    return Source(
        name.strip(), tuple(_leg(leg, f"{field}.legs[{place}]") for place, leg in enumerate(legs))
    )


def _leg(row: object, field: str) -> Leg:
    entry: dict[str, Any] = row if isinstance(row, dict) else {}
    exchange, symbol = entry.get("exchange"), entry.get("symbol")
    operation = entry.get("operation", "multiply")
    if exchange not in exchange_names():
        raise InvalidInput(
            "Not an exchange that ccxt knows.",
            field=f"{field}.exchange",
            value=exchange,
            hint="For example htx, kraken, bitstamp or bitvavo.",
        )
    if not isinstance(symbol, str) or symbol.count("/") != 1 or not 3 <= len(symbol) <= 30:
        raise InvalidInput(
            "A symbol is written BASE/QUOTE.",
            field=f"{field}.symbol",
            value=symbol,
            hint="For example BTC/EUR.",
        )
    if operation not in OPERATIONS:
        raise InvalidInput(
            "A leg is multiplied or divided.",
            field=f"{field}.operation",
            value=operation,
            hint="Use multiply or divide.",
        )
    return Leg(exchange, symbol.upper(), operation)


def source_rows(sources: Sequence[Source]) -> list[dict[str, Any]]:
    """The JSON that `parse_sources` reads."""
    return [
        {
            "name": source.name,
            "legs": [
                {"exchange": leg.exchange, "symbol": leg.symbol, "operation": leg.operation}
                for leg in source.legs
            ],
        }
        for source in sources
    ]


def currencies(source: Source) -> tuple[str, str]:
    """(base, quote) that a source's legs make: BTC/EUR ÷ BTC/USDT is USDT, EUR.

    Raises ValueError when they don't reduce to one pair.
    """
    above: list[str] = []
    below: list[str] = []
    for leg in source.legs:
        base, quote = leg.symbol.split(":")[0].split("/")
        # A price of BASE/QUOTE is in units of QUOTE per BASE.
        multiply = leg.operation == "multiply"
        above.append(quote if multiply else base)
        below.append(base if multiply else quote)
    for unit in list(above):
        if unit in below:
            above.remove(unit)
            below.remove(unit)
    if len(above) != 1 or len(below) != 1:
        raise ValueError(f"{source.name} is in {'·'.join(above)} per {'·'.join(below)}")
    return below[0], above[0]


def demo_sources(market_id: str) -> list[dict[str, Any]]:
    """The sources the demo markets start with: three independent ways, HTX in each market.

    Empty for a market that is not one of the demo's.
    """
    return source_rows(_DEMO.get(market_id, ()))


_DEMO: dict[str, tuple[Source, ...]] = {
    "USDT-EUR": (
        Source("kraken", (Leg("kraken", "USDT/EUR"),)),
        Source("bitstamp", (Leg("bitstamp", "USDT/EUR"),)),
        Source(
            "bitvavo ÷ htx",
            (Leg("bitvavo", "BTC/EUR"), Leg("htx", "BTC/USDT", "divide")),
        ),
    ),
    "BTC-EUR": (
        Source("kraken", (Leg("kraken", "BTC/EUR"),)),
        Source("bitstamp", (Leg("bitstamp", "BTC/EUR"),)),
        Source("htx x bitvavo", (Leg("htx", "BTC/USDT"), Leg("bitvavo", "USDT/EUR"))),
    ),
}
