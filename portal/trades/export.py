"""A person's trades as a table for their tax adviser."""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, date, datetime, time

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from portal.core.clock import iso
from portal.core.money import units_text
from portal.trades.models import Trade
from portal.trades.queries import nickname, other_party, places, role_of
from portal.users.models import User

_DAY_MS = 24 * 3600 * 1000
COLUMNS = (
    "trade",
    "date",
    "market",
    "side",
    "quantity",
    "base",
    "price",
    "index_price",
    "fiat",
    "quote",
    "fee",
    "counterparty",
    "state",
    "transaction",
    "fee_explanation",
)


def history_csv(
    session: Session, user_id: int, first: date | None = None, last: date | None = None
) -> str:
    """Trades matched from `first` to `last` (UTC days, both included), oldest first."""
    query = select(Trade).where(or_(Trade.buyer_id == user_id, Trade.seller_id == user_id))
    if first is not None:
        query = query.where(Trade.created_ms >= _day_ms(first))
    if last is not None:
        query = query.where(Trade.created_ms < _day_ms(last) + _DAY_MS)
    trades = session.scalars(query.order_by(Trade.id)).all()
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(COLUMNS)
    table.writerows(list(_row(session, user_id, trade)) for trade in trades)
    return text.getvalue()


def _row(session: Session, user_id: int, trade: Trade) -> Iterator[str]:
    digits, role = places(session, trade), role_of(trade, user_id)
    other = session.get_one(User, other_party(trade, user_id))
    index = trade.index_ticks
    yield str(trade.id)
    yield iso(trade.created_ms) or ""
    yield trade.market_id
    yield "buy" if role == "buyer" else "sell"
    yield units_text(trade.quantity, digits.base)
    yield trade.base
    yield units_text(trade.price_ticks, digits.price)
    yield "" if index is None else units_text(index, digits.price)
    yield units_text(trade.fiat_units, digits.quote)
    yield trade.quote
    yield units_text(trade.buyer_fee if role == "buyer" else trade.seller_fee, digits.base)
    yield _harmless(nickname(other))
    yield trade.state
    yield trade.settle_reference or trade.lock_reference or ""
    yield _harmless(trade.fee_note or "")


def _harmless(text: str) -> str:
    """Spreadsheets run text that begins like a formula; a quote in front keeps it text."""
    return f"'{text}" if text[:1] in "=+-@" else text


def _day_ms(day: date) -> int:
    return int(datetime.combine(day, time(), UTC).timestamp() * 1000)
