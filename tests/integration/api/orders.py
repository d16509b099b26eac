"""Orders of people in the tests of the API, in one line each."""

from typing import Any

from werkzeug.test import TestResponse

from portal.core.clock import from_ms, now_ms
from tests.integration.api.world import Trader, order_body

HOUR = 3_600_000


def sell(person: Trader, **changes: Any) -> TestResponse:
    """An order to sell 0.01 BTC at 61,000 EUR."""
    body = order_body(person, **{"side": "sell", "price": "61000"} | changes)
    return person.post("/orders", body)


def sold(person: Trader, **changes: Any) -> dict[str, Any]:
    """The same, taken by the engine."""
    answer = sell(person, **changes)
    assert answer.status_code == 201, answer.text
    order: dict[str, Any] = answer.json["order"]
    return order


def take(person: Trader, order_id: int, **changes: Any) -> TestResponse:
    """Buy 0.01 BTC of one offer."""
    body = {"take_order": order_id, "price": "70000", "tif": "IOC"} | changes
    return person.post("/orders", order_body(person, **body))


def offered(person: Trader, side: str = "sell", market: str = "BTC-EUR") -> list[int]:
    """Ids of the offers a person sees."""
    found = person.get(f"/markets/{market}/offers", side=side).json["offers"]
    return [offer["order_id"] for offer in found]


def seen(person: Trader, order_id: int) -> dict[str, Any]:
    """One's own order."""
    answer = person.get(f"/orders/{order_id}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json
    return found


def later(milliseconds: int) -> str:
    """A moment from now, as ISO 8601."""
    return from_ms(now_ms() + milliseconds).isoformat()


def quotes(person: Trader, *quotes: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A mass quote of sell orders."""
    made = []
    for quote in quotes:
        body = order_body(person, **{"side": "sell", "price": "61000", "post_only": True} | quote)
        body.pop("market")
        made.append(body)
    return {"market": "BTC-EUR", "quote_set": "main", "quotes": made} | changes
