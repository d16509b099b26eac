"""What plugins are told: facts about orders, trades and people, read from the tables."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from portal.core.clock import from_ms
from portal.core.errors import NotFound
from portal.core.money import Asset, Money, units_text
from portal.core.units import quote_units
from portal.markets.assets import asset
from portal.markets.models import Market
from portal.plugin_api import OrderFacts, PartyFacts, Side, TradeFacts
from portal.trades.models import Trade
from portal.users.models import User
from portal.users.queries import completed_trades

# What these trades would have moved was not moved: they don't count against a day's limit.
_UNDONE = ("cancelled", "expired", "refunded", "resolved_seller")


def trade_facts(session: Session, trade: Trade) -> TradeFacts:
    """The facts of a trade as of the moment it was matched."""
    market = session.get_one(Market, trade.market_id)
    quote = asset(session, trade.quote)
    at = from_ms(trade.created_ms)
    buyer, seller = (
        with_volume(
            session, _party(session, user_id, quote, at, except_trade=trade.id), at, trade.id
        )
        for user_id in (trade.buyer_id, trade.seller_id)
    )
    return TradeFacts(
        trade_id=trade.id,
        market=trade.market_id,
        quantity=Money(asset(session, trade.base), trade.quantity),
        amount=Money(quote, trade.fiat_units),
        price=units_text(trade.price_ticks, market.price_places),
        maker_side=_side(trade.maker_side),
        method=trade.method,
        buyer=buyer,
        seller=seller,
        at=at,
    )


def order_facts(
    session: Session,
    *,
    user_id: int,
    market: Market,
    side: str,
    quantity: int,
    price_ticks: int | None,
    methods: tuple[str, ...],
    at: datetime,
) -> OrderFacts:
    """The facts of an order that is about to be placed; `price_ticks` None = not known yet."""
    base, quote = asset(session, market.base), asset(session, market.quote)
    amount = None
    if price_ticks is not None:
        units = quote_units(
            quantity,
            price_ticks,
            base_places=base.places,
            price_places=market.price_places,
            quote_places=quote.places,
        )
        amount = Money(quote, units)
    return OrderFacts(
        market=market.id,
        side=_side(side),
        base=base,
        quote=quote,
        quantity=Money(base, quantity),
        amount=amount,
        methods=methods,
        party=_party(session, user_id, quote, at),
        at=at,
    )


def with_volume(
    session: Session, party: PartyFacts, at: datetime, except_trade: int = 0
) -> PartyFacts:
    """The same person with what they traded in the 30 days before; orders are asked without it."""
    quote = party.traded_today.asset
    traded = _traded(session, party.user_id, quote.code, at - timedelta(days=30), at, except_trade)
    return replace(party, traded_30d=Money(quote, traded))


def _party(
    session: Session, user_id: int, quote: Asset, at: datetime, except_trade: int = 0
) -> PartyFacts:
    user = session.get(User, user_id)
    if user is None:
        raise NotFound("There is no such person.", field="user_id", value=user_id)
    return PartyFacts(
        user_id=user_id,
        kyc_tier=int(user.kyc_tier or 0),
        country=(user.country or "").upper(),
        completed_trades=completed_trades(session, user_id),
        account_age_days=_age_days(user.created_on, at),
        traded_today=Money(quote, _traded_on_day(session, user_id, quote.code, at, except_trade)),
        groups=tuple(sorted(str(group.name) for group in user.groups)),
    )


def _traded_on_day(
    session: Session, user_id: int, quote: str, at: datetime, except_trade: int
) -> int:
    midnight = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return _traded(session, user_id, quote, midnight, midnight + timedelta(days=1), except_trade)


def _traded(
    session: Session, user_id: int, quote: str, start: datetime, end: datetime, except_trade: int
) -> int:
    first, over = (int(moment.timestamp() * 1000) for moment in (start, end))
    query = select(func.coalesce(func.sum(Trade.fiat_units), 0)).where(
        _takes_part(user_id),
        Trade.quote == quote,
        Trade.id != except_trade,
        Trade.created_ms >= first,
        Trade.created_ms < over,
        Trade.state.not_in(_UNDONE),
    )
    return int(session.scalar(query) or 0)


def _takes_part(user_id: int) -> ColumnElement[bool]:
    return or_(Trade.buyer_id == user_id, Trade.seller_id == user_id)


def _age_days(created_on: datetime | None, at: datetime) -> int:
    """Flask-AppBuilder's times are naive; the whole days don't mind the zone."""
    if created_on is None:
        return 0
    return max(0, (at.replace(tzinfo=None) - created_on.replace(tzinfo=None)).days)


def _side(text: str) -> Side:
    return "buy" if text == "buy" else "sell"
