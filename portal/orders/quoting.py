"""An order before it is placed: what it would cost and reserve, told as text."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.core.clock import iso, now_ms, utc_now
from portal.core.money import Money, units_text
from portal.core.units import quote_units
from portal.ledger.models import Account
from portal.ledger.rules import AVAILABLE
from portal.orders.condition_words import unmet
from portal.orders.draft import Draft
from portal.orders.frame import Frame
from portal.orders.hours import shift_ahead
from portal.orders.offers import best_for, find_offer
from portal.orders.queries import MarketFrame
from portal.orders.rules import opposite
from portal.payments.facts import order_facts, with_volume
from portal.plugin_api import Fees, TradeFacts
from portal.users.facts import facts_of

_WHOLE_BPS = 10_000


@dataclass(frozen=True)
class IndexAt:
    """The index price with the time it was taken at."""

    price: str | None
    at: str | None
    reason: str | None


@dataclass(frozen=True)
class FeePreview:
    """What the fee would be now for the whole quantity in one trade, in `asset`."""

    maker: str
    taker: str
    asset: str
    explanation: str


@dataclass(frozen=True)
class OrderQuote:
    """An order before it is placed: what it would cost, reserve, and must be signed for it.

    `reserve` is what must be available of `reserve_asset`. A `shared` order needs it when it
    matches.
    """

    price: str | None
    fiat_total: str | None
    fee: FeePreview | None
    reserve: str | None
    reserve_asset: str | None
    index: IndexAt
    warnings: list[str]
    authority: dict[str, Any] | None


def best_opposite(session: Session, frame: MarketFrame, draft: Draft, user_id: int) -> int | None:
    """The best price that is there to trade at, in ticks; that of the offer it takes, if named.

    None for a limit order: it names its own.
    """
    wanted = draft.wanted
    if wanted.take_order is not None:
        offer = find_offer(session, wanted.take_order, wanted.link, user_id)
        here = offer is not None and offer.market_id == frame.market.id
        return frame.effective(offer) if offer is not None and here else None
    if wanted.order_type != "market":
        return None
    return best_for(session, frame, opposite(wanted.side), wanted.methods, user_id)


def preview_facts(
    session: Session, user_id: int, frame: MarketFrame, draft: Draft, price: int
) -> TradeFacts:
    """The order as one trade with somebody alike: good enough to preview a fee."""
    wanted = draft.wanted
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
    party = with_volume(session, facts.party, facts.at)
    return TradeFacts(
        trade_id=0,
        market=frame.market.id,
        quantity=facts.quantity,
        amount=facts.amount or Money(frame.quote, 0),
        price=units_text(price, frame.market.price_places),
        maker_side=wanted.side,
        method=wanted.methods[0],
        buyer=party,
        seller=party,
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


def quote_total(draft: Draft, price: int | None) -> int | None:
    """What the whole quantity costs at a price in ticks, in units of the quote asset."""
    if price is None:
        return None
    frame = draft.frame
    return quote_units(
        draft.quantity,
        price,
        base_places=frame.base.places,
        price_places=frame.market.price_places,
        quote_places=frame.quote.places,
    )


def reserve_of(draft: Draft, price: int | None) -> Money | None:
    """What the owner must have: a seller's coins, a buyer's where both coins change hands."""
    frame = draft.frame
    if draft.reserve:
        return Money(frame.base, draft.reserve)
    total = quote_total(draft, price)
    if frame.market.settlement != "instant" or total is None:
        return None
    return Money(frame.quote, total)


def index_now(frame: Frame) -> IndexAt:
    """The index price the engine goes by."""
    return IndexAt(frame.price(frame.index_ticks), iso(frame.index_at_ms), frame.index_reason)


def warnings_of(session: Session, user_id: int, draft: Draft, price: int | None) -> list[str]:
    """What would keep the order from being placed or matched just now."""
    frame, found = draft.frame, []
    if frame.market.status == "halted":
        found.append("The market is halted.")
    if frame.market.status == "auction":
        found.append("The market is in an auction: orders trade when it opens.")
    if price is None:
        found.append(frame.index_reason or "There is no price to trade at just now.")
    found += _out_of_band(draft)
    needed = reserve_of(draft, price)
    if needed is not None:
        missing = needed.units - _available(session, user_id, needed.asset.code)
        if missing > 0:
            found.append(f"You need {Money(needed.asset, missing)} more to place this.")
    if problem := offer_unmet(session, user_id, draft):
        found.append(problem)
    if draft.wanted.hours and (day := shift_ahead(draft.wanted.hours, now_ms())):
        zone = draft.wanted.hours.zone
        found.append(f"Clocks in {zone} change on {day}: from then on the hours are shifted.")
    return found


def _out_of_band(draft: Draft) -> list[str]:
    band, index, price = draft.frame.market.band_bps, draft.frame.index_ticks, draft.price
    if not band or index is None or price is None or draft.wanted.take_order is not None:
        return []
    if abs(price - index) * _WHOLE_BPS <= band * index:
        return []
    return [f"The price is more than {band / 100:g}% from the index: it would be refused."]


def offer_unmet(session: Session, user_id: int, draft: Draft) -> str | None:
    """Which condition of the offer that is named a person does not meet, as a sentence."""
    if draft.wanted.take_order is None:
        return None
    offer = find_offer(session, draft.wanted.take_order, draft.wanted.link, user_id)
    return unmet(offer.conditions, facts_of(session, user_id), now_ms()) if offer else None


def _available(session: Session, user_id: int, asset: str) -> int:
    balance = session.scalar(
        select(Account.balance).where(
            Account.owner_id == user_id, Account.asset == asset, Account.kind == AVAILABLE
        )
    )
    return balance or 0
