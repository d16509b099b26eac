"""Random commands of every kind, most of them right, some of them not."""

import random
from collections.abc import Callable
from typing import Any

from portal.core.clock import now_ms
from portal.core.units import MAX_UNITS
from tests.factories.engine import USDT, define_market, deposit, place_order

SELLERS, BUYERS = (1001, 1002, 1003), (1004, 1005, 1006)
STAFF = 99
COIN = "COIN"
GOLD, SWAPS = "GOLD", "COIN-GOLD"
MARKETS = {"COIN-EUR": 9200, "COIN-BRL": 54_000}
_NOT_OF_A_QUOTE = ("kind", "owner", "market")
_KEPT_ORDERS, _KEPT_TRADES = 300, 300
_FEE = USDT // 1000
Command = dict[str, Any]


def opening() -> list[Command]:
    """What a world starts with: markets, prices, coins, and tables larger than a log segment."""
    ballast = random.Random(0)
    return [
        *(define_market(id=market, base=COIN, quote=market[5:]) for market in MARKETS),
        define_market(
            id=SWAPS,
            base=COIN,
            quote=GOLD,
            settlement="instant",
            methods=["ledger"],
            quote_places=6,
        ),
        *(deposit(owner=owner, asset=GOLD, units=10**13) for owner in (*SELLERS, *BUYERS)),
        *({"kind": "index_tick", "market": m, "price": price} for m, price in MARKETS.items()),
        *(deposit(owner=owner, asset=COIN, units=10**13) for owner in (*SELLERS, *BUYERS)),
        *(
            deposit(owner=SELLERS[0], asset=COIN, reference=ballast.randbytes(240).hex())
            for _ in range(4000)
        ),
    ]


class Trader:
    """Knows what the answers told of orders and trades, and thinks of the next command."""

    def __init__(self, choose: random.Random) -> None:
        self._choose = choose
        self._orders: dict[int, tuple[int, str, str]] = {}
        self._trades: dict[int, str] = {}
        kinds: list[tuple[int, Callable[[], Command]]] = [
            (40, self._place), (8, self._place_floating), (6, self._take), (8, self._cancel),
            (45, self._step), (5, self._deposit), (3, self._withdraw), (5, self._tick),
            (1, self._terms), (4, self._nonsense), (6, self._with_rules), (6, self._amend),
            (3, self._pause), (1, self._away), (1, self._cancel_all), (3, self._mass_quote),
            (4, self._swap), (1, self._clock_tick),
        ]  # fmt: skip
        self._weights = [weight for weight, _ in kinds]
        self._kinds = [kind for _, kind in kinds]

    def command(self) -> Command:
        """One more command, without a key."""
        (kind,) = self._choose.choices(self._kinds, self._weights)
        return kind()

    def learn(self, raw: Command, result: Command) -> None:
        """Take an acknowledged command's answer into account."""
        if result.get("status") == "open" and raw["kind"] == "place_order":
            self._orders[result["order_id"]] = raw["owner"], raw["side"], raw["market"]
        if raw.get("market") != SWAPS:
            for trade in result.get("trades", ()):
                self._trades[trade] = "matched"
        for order, quote in zip(raw.get("quotes", ()), result.get("quotes", ()), strict=True):
            if quote.get("status") == "open":
                self._orders[quote["order_id"]] = raw["owner"], order["side"], raw["market"]
            self._trades |= dict.fromkeys(quote.get("trades", ()), "matched")
        if "trade_id" in result:
            self._trades[result["trade_id"]] = result["state"]
        for known, most in ((self._orders, _KEPT_ORDERS), (self._trades, _KEPT_TRADES)):
            while len(known) > most:
                known.pop(next(iter(known)))

    def _place(self, **changes: Any) -> Command:
        choose = self._choose
        side = choose.choice(("buy", "sell"))
        market = choose.choice(list(MARKETS))
        return place_order(
            **{
                "owner": choose.choice(SELLERS if side == "sell" else BUYERS),
                "side": side,
                "market": market,
                "price": MARKETS[market] + choose.randint(-30, 30),
                "quantity": choose.randint(1, 500) * USDT,
                "methods": choose.choice((["sepa"], ["pix"], ["pix", "sepa"])),
                "tif": choose.choice(("GTC", "GTC", "GTC", "IOC")),
                **changes,
            }
        )

    def _place_floating(self) -> Command:
        return self._place(
            price_kind="floating", price=None, margin_bps=self._choose.randint(-50, 50)
        )

    def _with_rules(self) -> Command:
        """An order that uses more than price and size."""
        soon = now_ms() + self._choose.randint(1, 3_000)
        return self._place(
            **self._choose.choice(
                (
                    {"tif": "FOK"}, {"tif": "GTD", "expires_ms": soon}, {"post_only": True},
                    {"shared": True}, {"shared": True, "quantity": 10**13}, {"hours": [[0, 5000]]},
                    {"conditions": {"min_trades": 5}}, {"facts": {"trades": 9, "tier": 2}},
                    {"stp": "cancel_both"}, {"order_type": "market", "price": None},
                    {"via": "key", "via_max_open": 5}, {"min_trade": USDT, "max_trade": 9 * USDT},
                )
            )
        )  # fmt: skip

    def _swap(self) -> Command:
        """Coin against coin, settled in the ledger at once."""
        side = self._choose.choice(("buy", "sell"))
        return self._place(
            owner=self._choose.choice(SELLERS + BUYERS),
            side=side,
            market=SWAPS,
            price=10_000 + self._choose.randint(-30, 30),
            methods=["ledger"],
            accounts={},
            maker_fee_bps=5,
            taker_fee_bps=10,
        )

    def _amend(self) -> Command:
        if not self._orders:
            return self._place()
        order_id, (owner, _, market) = self._choose.choice(list(self._orders.items()))
        price = (MARKETS | {SWAPS: 10_000})[market] + self._choose.randint(-30, 30)
        size = self._choose.randint(1, 400) * USDT
        change = self._choose.choice(({"remaining": size}, {"price": price}))
        return {"kind": "amend_order", "order_id": order_id, "owner": owner, **change}

    def _pause(self) -> Command:
        if not self._orders:
            return self._place()
        order_id, (owner, _, _) = self._choose.choice(list(self._orders.items()))
        paused = self._choose.random() < 0.5
        return {"kind": "pause_order", "order_id": order_id, "owner": owner, "paused": paused}

    def _away(self) -> Command:
        owner = self._choose.choice(SELLERS + BUYERS)
        return {"kind": "set_away", "owner": owner, "away": self._choose.random() < 0.4}

    def _cancel_all(self) -> Command:
        market = self._choose.choice((None, *MARKETS))
        return {
            "kind": "cancel_all", "owner": self._choose.choice(BUYERS), "market": market,
        }  # fmt: skip

    def _mass_quote(self) -> Command:
        market = self._choose.choice(list(MARKETS))
        quotes = []
        for step in range(self._choose.randint(0, 4)):
            quote = self._place(
                side=self._choose.choice(("buy", "sell")),
                price=MARKETS[market] + self._choose.randint(-30, 30) + step,
            )
            quotes.append({k: v for k, v in quote.items() if k not in _NOT_OF_A_QUOTE})
        return {
            "kind": "mass_quote", "owner": SELLERS[0], "market": market, "quote_set": "ladder",
            "quotes": quotes,
        }  # fmt: skip

    def _clock_tick(self) -> Command:
        return {"kind": "clock_tick"}

    def _take(self) -> Command:
        offers = [(i, o) for i, o in self._orders.items() if o[1] == "sell" and o[2] in MARKETS]
        if not offers:
            return self._place()
        order_id, (_, _, market) = self._choose.choice(offers[-40:])
        return self._place(
            side="buy",
            owner=self._choose.choice(BUYERS),
            market=market,
            take_order=order_id,
            price=MARKETS[market] + 40,
            quantity=USDT,
            tif="GTC",
        )

    def _cancel(self) -> Command:
        if not self._orders:
            return self._place()
        order_id = self._choose.choice(list(self._orders))
        owner, _, _ = self._orders.pop(order_id)
        return {"kind": "cancel_order", "order_id": order_id, "owner": owner}

    def _step(self) -> Command:
        if not self._trades:
            return self._place()
        trade_id = self._choose.choice(list(self._trades)[-80:])
        return {"trade_id": trade_id, **self._choose.choice(self._steps(self._trades[trade_id]))}

    def _steps(self, state: str) -> list[Command]:
        choose = self._choose
        buyer, seller = {"actor": choose.choice(BUYERS)}, {"actor": choose.choice(SELLERS)}
        clear = {"kind": "clear_trade", "decision": "allow", "taker_fee": choose.randint(0, _FEE)}
        dispute = {"kind": "dispute", "reason": "no money", **seller}
        settled = [{"kind": "settled", "reference": "out"}] * 6 + [
            {"kind": "settled", "reference": "otherwise", "to_buyer": choose.randint(0, USDT)}
        ]
        return {
            "matched": [clear] * 8
            + [{"kind": "clear_trade", "decision": "hold"}]
            + [{"kind": "clear_trade", "decision": "deny", "reason": "no"}]
            + [{"kind": "cancel_trade", **buyer}],
            "held": [{**clear, "actor": STAFF}, {"kind": "cancel_trade", **seller}],
            "locking": [{"kind": "escrow_locked", "reference": "in"}] * 8
            + [{"kind": "lock_failed", "reason": "no gas"}],
            "awaiting_payment": [{"kind": "mark_paid", **buyer}] * 6
            + [{"kind": "cancel_trade", **buyer}, {"kind": "expire"}],
            "paid": [
                {"kind": "verify_payment", "reference": "bank"},
                {"kind": "release", **seller},
                dispute,
                {"kind": "expire"},
            ],
            "verified": [{"kind": "release", **seller}, dispute],
            "disputed": [
                {"kind": "resolve", "outcome": "buyer", "actor": STAFF},
                {"kind": "resolve", "outcome": "seller", "actor": STAFF},
                {"kind": "resolve", "outcome": "split", "to_buyer": USDT // 2, "actor": STAFF},
            ],
        }.get(state, settled)

    def _deposit(self) -> Command:
        reference = self._choose.randbytes(200).hex()
        return deposit(owner=self._choose.choice(SELLERS), asset=COIN, reference=reference)

    def _withdraw(self) -> Command:
        units = self._choose.choice((USDT, 10**9, MAX_UNITS))
        owner = self._choose.choice(SELLERS + BUYERS)
        return {**deposit(owner=owner, asset=COIN, units=units), "kind": "withdraw"}

    def _tick(self) -> Command:
        market = self._choose.choice(list(MARKETS))
        price = MARKETS[market] + self._choose.randint(-20, 20)
        if self._choose.random() < 0.1:
            return {"kind": "index_tick", "market": market, "price": None, "reason": "no feed"}
        return {"kind": "index_tick", "market": market, "price": price}

    def _terms(self) -> Command:
        market = self._choose.choice(list(MARKETS))
        status = self._choose.choice(("open", "open", "open", "halted", "auction"))
        return define_market(id=market, base=COIN, quote=market[5:], status=status)

    def _nonsense(self) -> Command:
        changes = self._choose.choice(
            (
                {"quantity": USDT + 1}, {"quantity": -USDT}, {"market": "X-Y"}, {"price": 10**30},
                {"owner": 0}, {"color": "red"}, {"methods": []}, {"quantity": MAX_UNITS},
            )
        )  # fmt: skip
        return self._place(**changes)
