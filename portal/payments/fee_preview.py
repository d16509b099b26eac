"""Past trades under other fees: what each side paid, would pay, and the difference.

The facts are those of the moment of the match, so that a tier or a promotion counts as it would
have then. Nothing is stored.
"""

import csv
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.core.errors import PortalError
from portal.core.money import Asset, Money
from portal.markets.assets import asset
from portal.payments.facts import trade_facts
from portal.plugin_api import Fees, TradeFacts
from portal.trades.models import Trade

MOST_TRADES = 500
Quote = Callable[[TradeFacts], Fees]
COLUMNS = ("trade", "market", "coin", "old_fee", "new_fee", "difference", "explanation")


@dataclass(frozen=True, slots=True)
class PastTrade:
    """A trade and what both sides paid for it together."""

    facts: TradeFacts
    paid: Money


@dataclass(frozen=True, slots=True)
class Compared:
    """One trade: `new` is None where the new fee can't be computed, and `words` say why."""

    trade_id: int
    market: str
    old: Money
    new: Money | None
    words: str


@dataclass(frozen=True, slots=True)
class Total:
    """All trades of a coin whose new fee is known: two coins can't be added."""

    coin: Asset
    trades: int
    old: Money
    new: Money


def past_trades(session: Session, market: str | None = None) -> list[PastTrade]:
    """The newest trades that were charged, newest first, at most 500."""
    query = select(Trade).where(Trade.fee_note.is_not(None))
    if market is not None:
        query = query.where(Trade.market_id == market)
    found = session.scalars(query.order_by(Trade.id.desc()).limit(MOST_TRADES)).all()
    return [
        PastTrade(
            trade_facts(session, trade),
            Money(asset(session, trade.base), trade.buyer_fee + trade.seller_fee),
        )
        for trade in found
    ]


def compare(trades: Iterable[PastTrade], quote: Quote) -> list[Compared]:
    """Every trade under the new fees. Pure, as far as `quote` is."""
    return [_compared(trade, quote) for trade in trades]


def totals(rows: Iterable[Compared]) -> list[Total]:
    """What would have been taken in, for each coin."""
    found: dict[Asset, Total] = {}
    for row in rows:
        if row.new is not None:
            coin = row.old.asset
            so_far = found.get(coin, Total(coin, 0, Money(coin, 0), Money(coin, 0)))
            found[coin] = Total(coin, so_far.trades + 1, so_far.old + row.old, so_far.new + row.new)
    return sorted(found.values(), key=lambda total: total.coin.code)


def preview_csv(rows: Iterable[Compared]) -> str:
    """The rows as a table; empty cells where the new fee can't be computed."""
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(COLUMNS)
    for row in rows:
        new = "" if row.new is None else row.new.text()
        more = "" if row.new is None else (row.new - row.old).text()
        words = f"'{row.words}" if row.words[:1] in "=+-@" else row.words
        coin = row.old.asset.code
        table.writerow((row.trade_id, row.market, coin, row.old.text(), new, more, words))
    return text.getvalue()


def _compared(trade: PastTrade, quote: Quote) -> Compared:
    facts = trade.facts
    try:
        fees = quote(facts)
    except PortalError as error:
        return Compared(facts.trade_id, facts.market, trade.paid, None, error.message)
    return Compared(
        facts.trade_id, facts.market, trade.paid, fees.maker + fees.taker, fees.explanation
    )
