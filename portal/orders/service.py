"""Quoting and placing orders: people, plugins and signatures first, then the engine."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.core.clock import now_ms, utc_now
from portal.core.db import Database
from portal.core.errors import Conflict, Forbidden, PortalError, Unavailable
from portal.core.jobs import Engine
from portal.core.sealed import Sealer
from portal.core.settings import Settings
from portal.orders.authority import SignedAuthority, drop_authority, keep_authority, request_for
from portal.orders.draft import (
    Draft,
    Wanted,
    place_command,
    read_draft,
    reference_price,
    worst_price,
)
from portal.orders.frame import Frame
from portal.orders.links import offer_link
from portal.orders.models import Order
from portal.orders.person import Person, check_person
from portal.orders.queries import MarketFrame, load_frame
from portal.orders.quoting import (
    FeePreview,
    OrderQuote,
    best_opposite,
    fee_preview,
    index_now,
    offer_unmet,
    preview_facts,
    quote_total,
    reserve_of,
    warnings_of,
)
from portal.payments.facts import order_facts
from portal.plugin_api import Fees, Verdict
from portal.plugin_host.host import PluginHost
from portal.users.facts import facts_of
from portal.users.models import PaymentAccount, User

_AMOUNTS = {"quantity", "min_trade", "max_trade", "remaining", "units"}
_PRICES = {"price", "floor", "ceiling"}
_WHOLE_BPS = 10_000


@dataclass(frozen=True)
class Via:
    """The API key that an order came by, and how many open orders it may have."""

    key_id: str
    max_open: int | None = None


@dataclass(frozen=True)
class Prepared:
    """An order ready for the engine; `digest` is the authority that was kept for it."""

    command: dict[str, Any]
    draft: Draft
    digest: str | None


@dataclass(frozen=True)
class Placed:
    """The new order's id and the trades it made at once."""

    order_id: int
    trades: list[int]


@dataclass(frozen=True)
class OrderDesk:
    """Where traders bring their orders."""

    settings: Settings
    database: Database
    engine: Engine
    plugins: PluginHost
    sealer: Sealer

    def quote(self, user_id: int, wanted: Wanted) -> OrderQuote:
        """What the order would mean, and what to sign. Changes nothing.

        Raises InvalidInput naming the field, Forbidden when compliance refuses.
        """
        with self.database.reader() as session:
            frame = load_frame(session, wanted.market)
            draft = read_draft(frame, wanted, now_ms())
            best = best_opposite(session, frame, draft, user_id)
            self._ask_compliance(session, user_id, frame, draft, best)
            price = reference_price(draft, best)
            fees, warnings = self._fees(session, user_id, frame, draft, price)
            total, reserved = quote_total(draft, price), reserve_of(draft, worst_price(draft, best))
            return OrderQuote(
                price=frame.price(price),
                fiat_total=None if total is None else frame.money(total),
                fee=fees,
                reserve=reserved.text() if reserved else None,
                reserve_asset=reserved.asset.code if reserved else None,
                index=index_now(frame),
                warnings=warnings + warnings_of(session, user_id, draft, price),
                authority=request_for(session, self.settings, user_id, frame, draft),
            )

    def place(
        self,
        user_id: int,
        wanted: Wanted,
        authority: SignedAuthority | None,
        key: str,
        via: Via | None = None,
    ) -> Placed:
        """Place the order. `key` makes it idempotent.

        Raises InvalidInput naming the field, Forbidden when compliance refuses, Conflict when
        the market's state does not allow it; then nothing changed.
        """
        prepared = self.prepare(user_id, wanted, authority, key, via)
        try:
            answer = self.engine.submit(prepared.command)
        except Unavailable:
            raise  # It may have been placed: the authority must stay for a retry to find.
        except PortalError as refusal:
            raise self.refused(user_id, prepared, refusal) from refusal
        return Placed(int(str(answer["order_id"])), ids_of(answer["trades"]))

    def prepare(
        self,
        user_id: int,
        wanted: Wanted,
        authority: SignedAuthority | None,
        key: str,
        via: Via | None = None,
    ) -> Prepared:
        """Everything before the engine. Raises as `place` does."""
        with self.database.reader() as session:
            frame = load_frame(session, wanted.market)
            draft = read_draft(frame, wanted, now_ms())
            person = load_person(session, user_id, by_machine=via is not None)
            check_person(person, self.plugins.is_enabled, draft)
            more = self.checked(session, user_id, frame, draft)
            facts = facts_of(session, user_id)
            _refuse_unmet(session, user_id, draft)
        digest = keep_authority(self.database, self.settings, user_id, draft, authority, key)
        link = offer_link(self.sealer, key) if wanted.private else None
        command = place_command(
            draft, user_id, facts, key, link=link, authority=digest, **more, **by_key(via)
        )
        return Prepared(command, draft, digest)

    def refused(self, user_id: int, prepared: Prepared, refusal: PortalError) -> PortalError:
        """Take back what was kept for a refused order; the refusal in people's numbers."""
        drop_authority(self.database, user_id, prepared.digest)
        return in_words(refusal, prepared.draft.frame)

    def checked(
        self, session: Session, user_id: int, frame: MarketFrame, draft: Draft
    ) -> dict[str, int]:
        """What the plugins say: Forbidden is raised, fees go into the command."""
        best = best_opposite(session, frame, draft, user_id)
        self._ask_compliance(session, user_id, frame, draft, best)
        if frame.market.settlement != "instant":
            return {}
        price = reference_price(draft, best) or frame.index_ticks or 1
        return _rates(self._fees_of(session, user_id, frame, draft, price), draft)

    def _ask_compliance(
        self, session: Session, user_id: int, frame: MarketFrame, draft: Draft, best: int | None
    ) -> None:
        """A HOLD lets the order stand: the trade is then held for a compliance officer."""
        facts = order_facts(
            session,
            user_id=user_id,
            market=frame.market,
            side=draft.wanted.side,
            quantity=draft.quantity,
            price_ticks=worst_price(draft, best),
            methods=draft.wanted.methods,
            at=utc_now(),
        )
        decision = self.plugins.check_order(facts)
        if decision.verdict is Verdict.DENY:
            raise Forbidden(decision.reason, hint="Ask support if you think this is wrong.")

    def _fees(
        self, session: Session, user_id: int, frame: MarketFrame, draft: Draft, price: int | None
    ) -> tuple[FeePreview | None, list[str]]:
        if price is None:
            return None, []
        try:
            return fee_preview(self._fees_of(session, user_id, frame, draft, price)), []
        except Unavailable as error:
            return None, [error.message]

    def _fees_of(
        self, session: Session, user_id: int, frame: MarketFrame, draft: Draft, price: int
    ) -> Fees:
        facts = preview_facts(session, user_id, frame, draft, price)
        return self.plugins.quote_fees(facts, frame.market.fee_model)


def load_person(
    session: Session,
    user_id: int,
    *,
    by_machine: bool = False,
    but_set: tuple[str, str] | None = None,
) -> Person:
    """What the tables say of a trader; `but_set` (market, quote set) is about to be replaced.

    A machine's open orders are counted by the engine, by its key, not here.
    """
    accounts = select(PaymentAccount.id, PaymentAccount.method).where(
        PaymentAccount.user_id == user_id, PaymentAccount.removed_at.is_(None)
    )
    return Person(
        has_wallet=session.get_one(User, user_id).wallet_address is not None,
        accounts={row.id: row.method for row in session.execute(accounts)},
        open_orders=0 if by_machine else _open_orders(session, user_id, but_set),
    )


def _open_orders(session: Session, user_id: int, but_set: tuple[str, str] | None) -> int:
    mine = select(func.count()).where(Order.owner_id == user_id, Order.status == "open")
    if but_set is not None:
        market, quote_set = but_set
        replaced = (Order.market_id == market) & (Order.quote_set == quote_set)
        mine = mine.where(replaced.is_not(True))
    return session.scalar(mine) or 0


def in_words(refusal: PortalError, frame: Frame) -> PortalError:
    """The engine counts in units and milliseconds; people read decimals and times."""
    if refusal.field == "expires_ms":
        refusal.field, refusal.value = "expires_at", None
        refusal.message = refusal.message.replace("expires_ms", "expires_at")
    if refusal.value and refusal.value.isdigit():
        if refusal.field in _AMOUNTS:
            refusal.value = frame.amount(int(refusal.value))
        elif refusal.field in _PRICES:
            refusal.value = frame.price(int(refusal.value))
    return refusal


def ids_of(value: object) -> list[int]:
    """Ids in an answer of the engine."""
    return [int(item) for item in value] if isinstance(value, list) else []


def _refuse_unmet(session: Session, user_id: int, draft: Draft) -> None:
    """The engine refuses too, but can't tell which of the conditions it was."""
    if problem := offer_unmet(session, user_id, draft):
        raise Conflict(problem, field="take_order", value=draft.wanted.take_order)


def by_key(via: Via | None) -> Mapping[str, Any]:
    """The part of a command that names the API key it came by."""
    if via is None:
        return {}
    bound = {} if via.max_open is None else {"via_max_open": via.max_open}
    return {"via": via.key_id, **bound}


def _rates(fees: Fees, draft: Draft) -> dict[str, int]:
    """Fees as parts of the whole, rounded up. Raises Conflict above what the market allows."""
    rates = {
        "maker_fee_bps": -(-fees.maker.units * _WHOLE_BPS // draft.quantity),
        "taker_fee_bps": -(-fees.taker.units * _WHOLE_BPS // draft.quantity),
    }
    if max(rates.values()) > draft.frame.market.max_fee_bps:
        raise Conflict(
            "The fee of an order this small is above the market's highest.",
            field="quantity",
            value=draft.wanted.quantity,
            hint=f"Fees here are {draft.frame.market.max_fee_bps / 100:g}% at most.",
        )
    return rates
