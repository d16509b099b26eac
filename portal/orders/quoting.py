"""An order before it is placed: what it would cost and reserve, told as text."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.core.clock import iso, utc_now
from portal.core.money import Money, quote_units, units_text
from portal.ledger.models import Account
from portal.ledger.rules import AVAILABLE
from portal.orders.draft import Draft
from portal.orders.queries import Frame, IndexAt, open_orders
from portal.orders.rules import opposite
from portal.payments.facts import order_facts
from portal.plugin_api import Fees, TradeFacts


@dataclass(frozen=True)
class FeePreview:
    """What the fee would be now for the whole quantity in one trade, in `asset`."""

    maker: str
    taker: str
    asset: str
    explanation: str


@dataclass(frozen=True)
class OrderQuote:
    """An order before it is placed: what it would cost, reserve, and must be signed for it."""

    price: str | None
    fiat_total: str | None
    fee: FeePreview | None
    reserve: str | None
    index: IndexAt
    warnings: list[str]
    authority: dict[str, Any] | None


def best_opposite(session: Session, draft: Draft, user_id: int) -> int | None:
    """The best price the order could trade at now; that of the offer it takes, if it names one."""
    wanted, frame = draft.wanted, draft.frame
    prices = [
        price
        for order in open_orders(session, wanted.market)
        if order.side == opposite(wanted.side)
        and order.owner_id != user_id
        and wanted.take_order in (None, order.id)
        and set(order.methods) & set(wanted.methods)
        and (price := frame.effective(order)) is not None
    ]
    if not prices:
        return None
    return min(prices) if wanted.side == "buy" else max(prices)


def preview_facts(session: Session, user_id: int, draft: Draft, price: int) -> TradeFacts:
    """The order as one trade with somebody alike: good enough to preview a fee."""
    wanted, frame = draft.wanted, draft.frame
    facts = order_facts(
        session,
        user_id=user_id,
        market=frame.market,
        side=wanted.side,
        quantity=draft.quantity,
        price_ticks=price,
        methods=wanted.methods,
        at=utc_now(),
    )
    return TradeFacts(
        trade_id=0,
        market=frame.market.id,
        quantity=facts.quantity,
        amount=facts.amount or Money(frame.quote, 0),
        price=units_text(price, frame.market.price_places),
        maker_side=wanted.side,
        method=wanted.methods[0],
        buyer=facts.party,
        seller=facts.party,
        at=facts.at,
    )


def fee_preview(fees: Fees) -> FeePreview:
    """Fees as people read them."""
    return FeePreview(
        maker=fees.maker.text(),
        taker=fees.taker.text(),
        asset=fees.maker.asset.code,
        explanation=fees.explanation,
    )


def fiat_text(draft: Draft, price: int | None) -> str | None:
    """What the whole quantity costs at a price in ticks."""
    if price is None:
        return None
    frame = draft.frame
    units = quote_units(
        draft.quantity,
        price,
        base_places=frame.base.places,
        price_places=frame.market.price_places,
        quote_places=frame.quote.places,
    )
    return units_text(units, frame.quote.places)


def index_now(frame: Frame) -> IndexAt:
    """The index price the engine goes by."""
    return IndexAt(frame.price(frame.index_ticks), iso(frame.index_at_ms), frame.index_reason)


def warnings_of(session: Session, user_id: int, draft: Draft, price: int | None) -> list[str]:
    """What would keep the order from being placed or matched just now."""
    frame, found = draft.frame, []
    if frame.market.status != "open":
        found.append("The market is halted.")
    if price is None:
        found.append(frame.index_reason or "There is no price to trade at just now.")
    missing = draft.reserve - _available(session, user_id, frame.base.code)
    if missing > 0:
        found.append(f"You need {frame.amount(missing)} {frame.base.code} more to place this.")
    return found


def _available(session: Session, user_id: int, asset: str) -> int:
    balance = session.scalar(
        select(Account.balance).where(
            Account.owner_id == user_id, Account.asset == asset, Account.kind == AVAILABLE
        )
    )
    return balance or 0
