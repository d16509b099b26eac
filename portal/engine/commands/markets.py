"""Commands about markets, prices, time and coins that come and go."""

from typing import Literal

from portal.engine.commands.fields import Bps, Command, Id, Places, Positive, Text, Units, Window


class DefineMarket(Command, frozen=True, kw_only=True, tag="define_market"):
    """Set or change a market's terms; they apply to what comes after.

    `settlement`: `trade` opens a trade that waits for money; `instant` moves both assets in the
    ledger at once (both are coins of this shard, and the only method is `ledger`).
    `band_bps`: a limit price may be this far from the index at most (0: no band).
    `min_rest_ms`: a resting order can't be cancelled or changed by its owner before this age.
    `max_open_orders`: open orders of one person in this market (0: no limit).
    `status`: `halted` takes no orders; `auction` takes them without matching, until `open` again
    crosses the book at one price.
    """

    id: Text
    base: Text
    quote: Text
    base_places: Places
    quote_places: Places
    price_places: Places
    lot: Positive
    min_trade: Positive
    max_trade: Positive
    escrow: Literal["evm", "ledger"]
    status: Literal["open", "halted", "auction"]
    payment_seconds: Window
    release_seconds: Window
    protection_bps: Bps
    max_fee_bps: Bps
    methods: list[Text]
    settlement: Literal["trade", "instant"] = "trade"
    band_bps: Bps = 0
    min_rest_ms: Units = 0
    max_open_orders: Units = 0


class IndexTick(Command, frozen=True, kw_only=True, tag="index_tick"):
    """A new index price, or none with the reason: floating orders then pause.

    A price counts until `good_until_ms`, so that one whose feed has died pauses them too.
    """

    market: Text
    price: Positive | None
    reason: Text | None = None
    quote_id: Units | None = None
    good_until_ms: Units | None = None


class ClockTick(Command, frozen=True, kw_only=True, tag="clock_tick"):
    """Nothing but the time: what is due (good-till dates, working hours) happens."""


class Deposit(Command, frozen=True, kw_only=True, tag="deposit"):
    """Coins arrived for an owner."""

    owner: Id
    asset: Text
    units: Positive
    reference: Text


class Withdraw(Command, frozen=True, kw_only=True, tag="withdraw"):
    """Coins leave the platform."""

    owner: Id
    asset: Text
    units: Positive
    reference: Text
