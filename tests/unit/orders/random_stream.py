"""Random commands for a matcher, and a digest of everything that came of them.

Run as a program it prints a digest for each seed, so that two processes can be compared of which
one has the matcher compiled: `python -m tests.unit.orders.random_stream 10000 1 2 3` for ten
thousand commands of each of three seeds. The book of one stream grows without end, and with it
what an index price moves: five streams of 200,000 take a minute, one of a million several.
"""

import hashlib
import random
import sys
from typing import Any

from portal.orders import matcher
from portal.orders.conditions import Conditions, Facts
from portal.orders.matcher import Matcher
from portal.orders.rules import OrderState
from tests.unit.orders.histories import OwnersFunds
from tests.unit.orders.market import HOUR, order, terms

_FACTS = (None, Facts(1, 5, 9_000, 0, "DE"), Facts(2, 0, 0, HOUR, "BR"))
_CONDITIONS = (None, None, None, Conditions(min_tier=1), Conditions(regions=("DE",)))
_METHODS = (("sepa",), ("pix",), ("sepa", "pix"), ("pix", "upi", "sepa"))
_HOURS = ((), (), (), ((0, 5_000),))


def _order(number: int, at_ms: int, dice: random.Random) -> OrderState:
    quantity = dice.randint(2, 60) * 10
    values: dict[str, Any] = {
        "owner_id": dice.randint(1, 40),
        "quantity": quantity,
        "min_trade": min(quantity, dice.choice((20, 20, 50, 130))),
        "methods": dice.choice(_METHODS),
        "stp": dice.choice(("cancel_newest", "cancel_oldest", "cancel_both")),
        "tif": dice.choice(("GTC", "GTC", "GTC", "GTD", "IOC", "FOK")),
        "shared": dice.random() < 0.05,
        "facts": dice.choice(_FACTS),
        "conditions": dice.choice(_CONDITIONS),
        "hours": dice.choice(_HOURS),
        "link": "a-secret" if dice.random() < 0.02 else None,
        "price_ticks": dice.randint(900, 1100),
    }
    if values["tif"] == "GTD":
        values["expires_ms"] = at_ms + dice.randint(1, 10) * HOUR
    if dice.random() < 0.3:
        floor = dice.choice((None, None, dice.randint(900, 1100)))
        margin = dice.randint(-900, 900)
        values |= {"price_kind": "floating", "price_ticks": None, "margin_bps": margin}
        values |= {"floor_ticks": floor, "ceiling_ticks": floor and floor + dice.randint(0, 90)}
    if values["tif"] in ("GTC", "GTD"):
        values["post_only"] = dice.random() < 0.05
    return order(number, dice.choice(("buy", "sell")), **values)


def digest(commands: int, seed: int = 1) -> str:
    """The same for the same seed, whatever the matcher is made of."""
    dice, told = random.Random(seed), hashlib.sha256()
    market = Matcher(terms(), OwnersFunds(dict.fromkeys(range(41), 100_000)))
    at_ms = 70 * HOUR
    for number in range(1, commands + 1):
        kind, pick, fills = dice.random(), dice.randint(max(1, number - 300), number), []
        if kind < 0.7:
            fills = market.place(_order(number, at_ms, dice), at_ms)
        elif kind < 0.8:
            market.cancel(pick, at_ms)
        elif kind < 0.86:
            remaining = dice.choice((None, dice.randint(2, 60) * 10))
            found = market.orders.get(pick)
            fixed = found is not None and found.price_kind == "fixed"
            price = dice.randint(900, 1100) if fixed and dice.random() < 0.5 else None
            fills = market.amend(pick, at_ms, price=price, remaining=remaining)
        elif kind < 0.9:
            fills = market.pause(pick, dice.random() < 0.5, at_ms)
        elif kind < 0.93:
            taker = _order(number, at_ms, dice)
            taker.price_ticks = taker.price_ticks or 1_000
            fills = market.take(taker, pick, at_ms)
        elif kind < 0.98:
            market.tick(dice.choice((None, *range(970, 1030, 5))))
        else:
            at_ms += dice.randint(1, 40) * HOUR // 40
        for maker, price_ticks, size in fills:
            told.update(b"%d %d %d %d\n" % (number, maker.id, price_ticks, size))
    for each in sorted(market.orders.values(), key=lambda each: each.id):
        told.update(repr(sorted(each.as_dict().items())).encode())
    return told.hexdigest()


if __name__ == "__main__":
    for number in map(int, sys.argv[2:]):
        print(matcher.__file__.endswith(".py"), number, digest(int(sys.argv[1]), number))
