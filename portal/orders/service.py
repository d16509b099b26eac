"""Placing and cancelling orders: people, plugins and signatures first, then the engine."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from portal.audit.service import record
from portal.core.clock import utc_now
from portal.core.db import Database
from portal.core.errors import Conflict, Forbidden, InvalidInput, PortalError, Unavailable
from portal.core.jobs import Engine
from portal.core.settings import Settings
from portal.engine.models import CommandResult
from portal.escrow.authorities import authority_request, store_authority
from portal.orders.draft import Draft, Wanted, read_draft, reference_price, worst_price
from portal.orders.models import Order, OrderAuthority
from portal.orders.queries import (
    Frame,
    load_frame,
    own_order,
)
from portal.orders.quoting import (
    FeePreview,
    OrderQuote,
    best_opposite,
    fee_preview,
    fiat_text,
    index_now,
    preview_facts,
    warnings_of,
)
from portal.payments.facts import order_facts
from portal.plugin_api import Verdict
from portal.plugin_host.host import PluginHost
from portal.users.models import User
from portal.users.payment_accounts import own_account

# A buyer reserves nothing: without a bound one person could fill the book.
MOST_OPEN_ORDERS = 200
_UNITS = {"quantity", "min_trade", "max_trade", "units"}


@dataclass(frozen=True)
class SignedAuthority:
    """An order authority as the seller's wallet signed it."""

    message: dict[str, Any]
    signature: str


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

    def quote(self, user_id: int, wanted: Wanted) -> OrderQuote:
        """What the order would mean, and what to sign. Changes nothing.

        Raises InvalidInput naming the field, Forbidden when compliance refuses.
        """
        with self.database.reader() as session:
            draft = read_draft(load_frame(session, wanted.market), wanted)
            best = best_opposite(session, draft, user_id)
            self._ask_compliance(session, user_id, draft, best)
            price = reference_price(draft, best)
            fees, warnings = self._fees(session, user_id, draft, price)
            return OrderQuote(
                price=draft.frame.price(price),
                fiat_total=fiat_text(draft, price),
                fee=fees,
                reserve=draft.frame.amount(draft.reserve) if draft.reserve else None,
                index=index_now(draft.frame),
                warnings=warnings + warnings_of(session, user_id, draft, price),
                authority=self._authority_request(session, user_id, draft),
            )

    def place(
        self, user_id: int, wanted: Wanted, authority: SignedAuthority | None, key: str
    ) -> Placed:
        """Place the order. `key` makes it idempotent.

        Raises InvalidInput naming the field, Forbidden when compliance refuses, Conflict when
        the market's state does not allow it; then nothing changed.
        """
        with self.database.reader() as session:
            draft = read_draft(load_frame(session, wanted.market), wanted)
            self._check_person(session, user_id, draft)
            best = best_opposite(session, draft, user_id)
            self._ask_compliance(session, user_id, draft, best)
        digest = self._keep_authority(user_id, draft, authority, key)
        try:
            answer = self.engine.submit(_command(user_id, draft, digest, key))
        except Unavailable:
            raise  # It may have been placed: the authority must stay for a retry to find.
        except PortalError as refusal:
            self._drop_authority(user_id, digest)
            raise _in_words(refusal, draft.frame) from refusal
        return Placed(int(str(answer["order_id"])), _ids(answer["trades"]))

    def cancel(self, user_id: int, order_id: int) -> None:
        """Take what is left of an order out of the book; a cancelled one stays as it is.

        Raises NotFound, Conflict for a filled one.
        """
        with self.database.reader() as session:
            status = own_order(session, user_id, order_id).status
        if status == "cancelled":
            return
        if status == "filled":
            raise Conflict("This order is filled.", field="order_id", value=order_id)
        self.engine.submit({"kind": "cancel_order", "order_id": order_id, "owner": user_id})

    def _check_person(self, session: Session, user_id: int, draft: Draft) -> None:
        if draft.frame.market.escrow == "evm":
            _require_wallet(session, user_id)
        _require_room(session, user_id)
        for method in draft.wanted.methods:
            account_id = draft.wanted.payment_accounts.get(method)
            if account_id is None:
                raise InvalidInput(
                    f"Say which of your accounts to use for {method}.",
                    field=f"payment_accounts.{method}",
                )
            own_account(session, user_id, account_id, method)
            if not self.plugins.is_enabled(method):
                raise Conflict(f"{method} is switched off.", field="methods", value=method)
        for method in draft.wanted.payment_accounts.keys() - set(draft.wanted.methods):
            raise InvalidInput(
                "This is not among the order's methods.", field=f"payment_accounts.{method}"
            )

    def _ask_compliance(
        self, session: Session, user_id: int, draft: Draft, best: int | None
    ) -> None:
        """A HOLD lets the order stand: the trade is then held for a compliance officer."""
        facts = order_facts(
            session,
            user_id=user_id,
            market=draft.frame.market,
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
        self, session: Session, user_id: int, draft: Draft, price: int | None
    ) -> tuple[FeePreview | None, list[str]]:
        if price is None:
            return None, []
        facts = preview_facts(session, user_id, draft, price)
        try:
            fees = self.plugins.quote_fees(facts, draft.frame.market.fee_model)
        except Unavailable as error:
            return None, [error.message]
        return fee_preview(fees), []

    def _authority_request(
        self, session: Session, user_id: int, draft: Draft
    ) -> dict[str, Any] | None:
        if draft.wanted.side != "sell" or draft.frame.market.escrow != "evm":
            return None
        market = draft.frame.market
        return authority_request(
            session,
            self.settings,
            user_id,
            market,
            quantity=draft.quantity,
            max_trade=draft.largest_trade,
            max_fee_bps=market.max_fee_bps,
        )

    def _keep_authority(
        self, user_id: int, draft: Draft, signed: SignedAuthority | None, key: str
    ) -> str | None:
        needed = draft.wanted.side == "sell" and draft.frame.market.escrow == "evm"
        if signed is None or not needed:
            _refuse_misplaced(signed, needed)
            return None
        market = draft.frame.market
        with self.database.transaction() as session:
            digest = store_authority(
                session,
                self.settings,
                user_id,
                market,
                quantity=draft.quantity,
                max_trade=draft.largest_trade,
                max_fee_bps=market.max_fee_bps,
                message=signed.message,
                signature=signed.signature,
            )
            _refuse_reuse(session, digest, key)
        return digest

    def _drop_authority(self, user_id: int, digest: str | None) -> None:
        if digest is None:
            return
        with self.database.transaction() as session:
            if session.scalar(select(Order.id).where(Order.authority == digest).limit(1)) is None:
                session.execute(delete(OrderAuthority).where(OrderAuthority.hash == digest))
                subject = f"user:{user_id}"
                record(session, subject, "escrow.authority_dropped", subject, {"hash": digest})


def _require_wallet(session: Session, user_id: int) -> None:
    if session.get_one(User, user_id).wallet_address is None:
        raise Conflict(
            "Trading on this market needs a wallet.",
            field="wallet",
            hint="Set up your wallet first.",
        )


def _require_room(session: Session, user_id: int) -> None:
    mine = select(func.count()).where(Order.owner_id == user_id, Order.status == "open")
    if (session.scalar(mine) or 0) >= MOST_OPEN_ORDERS:
        raise Conflict(
            f"You have {MOST_OPEN_ORDERS} open orders, which is the limit.",
            hint="Cancel one first.",
        )


def _refuse_misplaced(signed: SignedAuthority | None, needed: bool) -> None:
    if needed:
        raise InvalidInput(
            "The order must be signed with your wallet.",
            field="authority",
            hint="Sign the authority of POST /orders/quote.",
        )
    if signed is not None:
        raise InvalidInput("This order needs no authority.", field="authority")


def _refuse_reuse(session: Session, digest: str, key: str) -> None:
    taken = session.scalar(select(Order.id).where(Order.authority == digest).limit(1))
    retried = session.scalar(select(CommandResult.seq).where(CommandResult.key == key).limit(1))
    if taken is not None and retried is None:
        raise Conflict(
            "This signature was used for another order.",
            field="authority",
            hint="Ask for a new quote and sign that.",
        )


def _command(user_id: int, draft: Draft, digest: str | None, key: str) -> dict[str, Any]:
    wanted = draft.wanted
    return {
        "kind": "place_order",
        "key": key,
        "owner": user_id,
        "market": wanted.market,
        "side": wanted.side,
        "order_type": wanted.order_type,
        "price_kind": wanted.price_kind,
        "price": draft.price,
        "margin_bps": wanted.margin_bps,
        "quantity": draft.quantity,
        "min_trade": draft.min_trade,
        "max_trade": draft.max_trade,
        "methods": list(wanted.methods),
        "accounts": dict(wanted.payment_accounts),
        "tif": wanted.tif,
        "max_fee_bps": draft.frame.market.max_fee_bps,
        "authority": digest,
        "take_order": wanted.take_order,
    }


def _in_words(refusal: PortalError, frame: Frame) -> PortalError:
    """The engine counts in units; people read decimals."""
    if refusal.value and refusal.value.isdigit():
        if refusal.field in _UNITS:
            refusal.value = frame.amount(int(refusal.value))
        elif refusal.field == "price":
            refusal.value = frame.price(int(refusal.value))
    return refusal


def _ids(value: object) -> list[int]:
    return [int(item) for item in value] if isinstance(value, list) else []
