"""Reading trades as one of their two parties sees them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from portal.core.clock import iso
from portal.core.errors import NotFound
from portal.core.money import units_text
from portal.escrow.signatures import claim_missing
from portal.markets.models import AssetRow, Market
from portal.trades.models import Trade
from portal.trades.rules import State
from portal.users.models import User

Role = Literal["buyer", "seller"]
Action = Literal["sign_and_pay", "wait", "check_and_release", "claim"]
PAGE = 50


@dataclass(frozen=True)
class Counterparty:
    """The other party, as a list shows them."""

    nickname: str


@dataclass(frozen=True)
class TradeSummary:
    """A trade in a list. `action` is what the viewer must do now; None once it is over."""

    id: int
    market: str
    role: Role
    state: str
    quantity: str
    base: str
    price: str
    fiat_total: str
    quote: str
    counterparty: Counterparty
    created_at: str
    deadline: str | None
    action: Action | None


@dataclass(frozen=True)
class TradePage:
    """Trades, newest first; `next` goes into `before` for the page after."""

    trades: list[TradeSummary]
    next: int | None


@dataclass(frozen=True)
class Places:
    """Decimal places of a trade's two assets and of its market's prices."""

    base: int
    quote: int
    price: int


def own_trade(session: Session, user_id: int, trade_id: int) -> Trade:
    """A trade of this person. Raises NotFound for others' as for none."""
    trade = session.get(Trade, trade_id)
    if trade is None or user_id not in (trade.buyer_id, trade.seller_id):
        raise NotFound("You have no such trade.", field="trade_id", value=trade_id)
    return trade


def own_trades(
    session: Session, user_id: int, *, is_open: bool | None = None, before: int | None = None
) -> TradePage:
    """A page of a person's trades, newest first; only open or only ended ones if asked."""
    query = select(Trade).where(or_(Trade.buyer_id == user_id, Trade.seller_id == user_id))
    if is_open is not None:
        query = query.where(~Trade.closed if is_open else Trade.closed)
    if before is not None:
        query = query.where(Trade.id < before)
    rows = session.scalars(query.order_by(Trade.id.desc()).limit(PAGE + 1)).all()
    shown = rows[:PAGE]
    return TradePage(
        _summaries(session, user_id, shown), shown[-1].id if len(rows) > PAGE else None
    )


def summary(session: Session, user_id: int, trade: Trade) -> TradeSummary:
    """One trade as its list shows it."""
    return _summaries(session, user_id, [trade])[0]


def role_of(trade: Trade, user_id: int) -> Role:
    """Which of the two parties a person is."""
    return "buyer" if user_id == trade.buyer_id else "seller"


def other_party(trade: Trade, user_id: int) -> int:
    """User id of the one across."""
    return trade.seller_id if user_id == trade.buyer_id else trade.buyer_id


def is_over(trade: Trade) -> bool:
    """Nothing more can happen to it."""
    return trade.closed


def action(session: Session, trade: Trade, role: Role) -> Action | None:
    """What a party must do now."""
    if is_over(trade):
        return None
    if role == "buyer" and trade.state == State.AWAITING_PAYMENT:
        return "sign_and_pay"
    if role == "seller" and trade.state in (State.PAID, State.VERIFIED):
        return "check_and_release"
    return "claim" if claim_missing(session, trade, role) else "wait"


def places(session: Session, trade: Trade) -> Places:
    """How to write a trade's numbers."""
    return Places(
        session.get_one(AssetRow, trade.base).places,
        session.get_one(AssetRow, trade.quote).places,
        session.get_one(Market, trade.market_id).price_places,
    )


def _summaries(session: Session, user_id: int, trades: Sequence[Trade]) -> list[TradeSummary]:
    others = {other_party(trade, user_id) for trade in trades}
    people = {user.id: user for user in session.scalars(select(User).where(User.id.in_(others)))}
    return [
        _summary(session, trade, role_of(trade, user_id), people[other_party(trade, user_id)])
        for trade in trades
    ]


def _summary(session: Session, trade: Trade, role: Role, other: User) -> TradeSummary:
    digits = places(session, trade)
    return TradeSummary(
        id=trade.id,
        market=trade.market_id,
        role=role,
        state=trade.state,
        quantity=units_text(trade.quantity, digits.base),
        base=trade.base,
        price=units_text(trade.price_ticks, digits.price),
        fiat_total=units_text(trade.fiat_units, digits.quote),
        quote=trade.quote,
        counterparty=Counterparty(nickname(other)),
        created_at=cast(str, iso(trade.created_ms)),
        deadline=iso(trade.deadline_ms),
        action=action(session, trade, role),
    )


def nickname(user: User) -> str:
    """What others call a person."""
    return user.nickname or f"trader {user.id}"
