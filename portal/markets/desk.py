"""What staff do with markets: make one, change its terms, halt it, open it again."""

import json
from collections.abc import Mapping
from typing import Any

from portal.backoffice.acts import Act, Field, Values
from portal.backoffice.context import reader, services, staff
from portal.backoffice.pages import whole_number
from portal.core.errors import InvalidInput
from portal.core.money import Money
from portal.markets.assets import assets
from portal.markets.models import Market
from portal.markets.rules import LEDGER_METHOD, LONGEST_REST_MS, MOST_OPEN_ORDERS
from portal.markets.service import save_market
from portal.plugin_api import FeeModel, PaymentGateway, Provider

_AMOUNTS = ("lot", "min_trade", "max_trade")
_DAY = 86_400
_NUMBERS = {
    "price_places": (0, 12),
    "payment_seconds": (60, 30 * _DAY),
    "release_seconds": (60, 30 * _DAY),
    "protection_bps": (1, 9_999),
    "max_fee_bps": (0, 5_000),
    "band_bps": (0, 9_999),
    "min_rest_ms": (0, LONGEST_REST_MS),
    "max_open_orders": (0, MOST_OPEN_ORDERS),
}


def _values_of(market: Market) -> dict[str, Any]:
    """A market as `save_market` takes it: amounts as decimal text of its coin."""
    base = assets(reader())[market.base]
    terms = ("id", "base", "quote", "escrow", "settlement", "status")
    names = (*terms, "fee_model", "methods", "sources")
    values = {name: getattr(market, name) for name in (*names, *_NUMBERS)}
    return values | {name: Money(base, getattr(market, name)).text() for name in _AMOUNTS}


def _save(values: Mapping[str, Any], version: int | None) -> None:
    desk = services()
    actor = f"user:{staff().id}"
    save_market(desk.database, desk.engine, desk.settings, actor, values, version=version)


def _typed(values: Values) -> dict[str, Any]:
    typed = dict(values)
    for name in _NUMBERS.keys() & values.keys():
        least, most = _NUMBERS[name]
        typed[name] = whole_number(values[name], name, least=least, most=most)
    if "sources" in values:
        typed["sources"] = _sources(values["sources"])
    return typed


def _sources(text: str) -> Any:
    try:
        return json.loads(text or "[]")
    except ValueError as error:
        raise InvalidInput(
            "The price sources are not valid JSON.", field="sources", hint=str(error)
        ) from error


def _create(view: Any, record: Any, values: Values) -> str:
    _save(_typed(values) | {"status": "open"}, None)
    return f"{values['id']} is open."


def _change(view: Any, market: Market, values: Values) -> str:
    version = whole_number(values.pop("version"), "version", least=1, most=2**31)
    _save(_values_of(market) | _typed(values), version)
    return f"The terms of {market.id} are changed; they apply from the next order on."


def _set_status(market: Market, status: str) -> None:
    _save(_values_of(market) | {"status": status}, market.version)


def _halt(view: Any, market: Market, values: Values) -> str:
    _set_status(market, "halted")
    return f"{market.id} is halted: no new orders or trades. Trades under way go on."


def _open(view: Any, market: Market, values: Values) -> str:
    _set_status(market, "open")
    return f"{market.id} is open."


def _call_auction(view: Any, market: Market, values: Values) -> str:
    _set_status(market, "auction")
    return f"{market.id} collects orders; they trade at one price when you open it."


def _providers(kind: type[Provider]) -> list[tuple[str, str]]:
    found = services().plugins.providers.values()
    return [(one.slug, one.label) for one in found if isinstance(one, kind)]


def _terms_fields(values: Mapping[str, Any], coin: str) -> list[Field]:
    gateways, models = _providers(PaymentGateway), _providers(FeeModel)

    def number(name: str, label: str, help: str = "", unit: str = "") -> Field:
        return Field(name, label, kind="number", help=help, unit=unit, value=values.get(name, ""))

    return [
        number("lot", "Lot", "Quantities are multiples of it.", coin),
        number("min_trade", "Smallest trade", "", coin),
        number("max_trade", "Largest trade", "", coin),
        number("payment_seconds", "Time to pay", "", "seconds"),
        number("release_seconds", "Time to release", "Then the trade is disputed.", "seconds"),
        number(
            "protection_bps",
            "Price protection",
            "How far from the index an order may trade: 500 is 5%.",
            "basis points",
        ),
        number("max_fee_bps", "Fees at most", "What sellers reserve: 100 is 1%.", "basis points"),
        number(
            "band_bps",
            "Price band",
            "How far from the index a limit price may be: 1000 is 10%, 0 is no band. Keeps slips "
            "of the finger and painted prices out of the book.",
            "basis points",
        ),
        number(
            "min_rest_ms",
            "Shortest rest",
            "How long an order stays before its owner may change or cancel it; 0 is no rest. "
            "Against offers that are only shown, never meant.",
            "milliseconds",
        ),
        number(
            "max_open_orders",
            "Open orders at most",
            "Of one person in this market; 0 is no limit.",
        ),
        Field(
            "fee_model",
            "Fees by",
            kind="choice",
            options=models,
            value=values.get("fee_model", ""),
        ),
        Field(
            "methods",
            "Paid by",
            kind="many",
            options=[*gateways, (LEDGER_METHOD, "in the ledger, at once")],
            help="A market that settles at once has only the ledger.",
            value=values.get("methods", []),
        ),
        Field(
            "sources",
            "Price sources",
            kind="area",
            required=False,
            longest=10_000,
            value=json.dumps(values.get("sources", []), indent=1),
            help="A JSON list; empty means fixed prices only.",
        ),
    ]


def _change_fields(market: Market) -> list[Field]:
    hidden = Field("version", "Version", kind="hidden", value=str(market.version))
    return [*_terms_fields(_values_of(market), market.base), hidden]


def _new_fields(record: Any) -> list[Field]:
    known = [(code, code) for code in sorted(assets(reader()))]
    backends = [("evm", "on chain"), ("ledger", "in the ledger")]
    ways = [("trade", "by trades that wait for the money"), ("instant", "at once, coin for coin")]
    defaults = {
        "payment_seconds": 1_800,
        "release_seconds": 3_600,
        "protection_bps": 500,
        "max_fee_bps": 100,
        "band_bps": 0,
        "min_rest_ms": 0,
        "max_open_orders": 0,
    }
    return [
        Field("id", "Name", help="Like USDT-EUR. It can't change later."),
        Field("base", "Coin", kind="choice", options=known),
        Field("quote", "Money", kind="choice", options=known),
        Field(
            "price_places",
            "Decimal places of the price",
            kind="number",
            value="2",
            help="It can't change later.",
        ),
        Field("escrow", "Coins are kept", kind="choice", options=backends),
        Field(
            "settlement",
            "Settles",
            kind="choice",
            options=ways,
            value="trade",
            help="At once needs two coins in the ledger. It can't change later.",
        ),
        *_terms_fields(defaults, ""),
    ]


NEW_MARKET = Act(
    "new",
    "New market",
    _create,
    fields=_new_fields,
    consequence="The market opens at once.",
)
MARKET_ACTS = (
    Act(
        "change",
        "Change the terms",
        _change,
        fields=_change_fields,
        consequence="Open orders keep the terms they were placed with.",
    ),
    Act(
        "halt",
        "Halt this market",
        _halt,
        consequence="No new orders, no new trades. Trades under way go on.",
        harmful=True,
        offered=lambda market: market.status != "halted",
    ),
    Act(
        "auction",
        "Call an auction",
        _call_auction,
        consequence="Orders are taken but not matched. When you open the market, all that fit "
        "trade at one price.",
        offered=lambda market: market.status != "auction",
    ),
    Act(
        "open",
        "Open this market",
        _open,
        consequence="Orders in the book trade again at once; after an auction, at one price.",
        offered=lambda market: market.status != "open",
    ),
)
