"""The signed authority of an order that sells on chain: asked for, kept, dropped, compared."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from portal.audit.service import record
from portal.core.db import Database
from portal.core.errors import Conflict, InvalidInput
from portal.core.settings import Settings
from portal.core.units import bps_up
from portal.engine.models import CommandKey
from portal.escrow.authorities import authority_request, store_authority
from portal.markets.models import Market
from portal.orders.draft import Draft
from portal.orders.frame import Frame
from portal.orders.models import Order, OrderAuthority
from portal.orders.queries import MarketFrame


@dataclass(frozen=True)
class SignedAuthority:
    """An order authority as the seller's wallet signed it."""

    message: dict[str, Any]
    signature: str


def request_for(
    session: Session, settings: Settings, user_id: int, frame: MarketFrame, draft: Draft
) -> dict[str, Any] | None:
    """What to sign for an order; None where nothing is."""
    if not _is_needed(draft):
        return None
    return authority_request(
        session,
        settings,
        user_id,
        frame.market,
        quantity=draft.quantity,
        max_trade=draft.largest_trade,
        max_fee_bps=frame.market.max_fee_bps,
    )


def keep_authority(
    database: Database,
    settings: Settings,
    user_id: int,
    draft: Draft,
    signed: SignedAuthority | None,
    key: str,
) -> str | None:
    """Check and keep what was signed for an order; its hash, None where none is needed.

    Raises InvalidInput naming `authority…`, Conflict for one that another order has.
    """
    needed = _is_needed(draft)
    if signed is None or not needed:
        _refuse_misplaced(signed, needed)
        return None
    with database.transaction() as session:
        market = session.get_one(Market, draft.frame.market.id)
        digest = store_authority(
            session,
            settings,
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


def drop_authority(database: Database, user_id: int, digest: str | None) -> None:
    """Forget an authority that no order has."""
    if digest is None:
        return
    with database.transaction() as session:
        if session.scalar(select(Order.id).where(Order.authority == digest).limit(1)) is None:
            session.execute(delete(OrderAuthority).where(OrderAuthority.hash == digest))
            subject = f"user:{user_id}"
            record(session, subject, "escrow.authority_dropped", subject, {"hash": digest})


def check_still_covers(
    session: Session, frame: Frame, order: Order, remaining: int, max_trade: int | None
) -> None:
    """Raises Conflict when a changed order needs more than its seller signed for.

    `remaining` is what shall be left, `max_trade` the new largest trade (None: as before), in
    base units. What was traded before counts too: the escrow contract adds up all that was
    opened.
    """
    if order.authority is None:
        return
    message = session.get_one(OrderAuthority, order.authority).payload
    total = order.quantity - order.remaining + remaining
    # Where one trade might take it all, it still may.
    largest = total if order.max_trade == order.quantity else order.max_trade
    largest = min(largest if max_trade is None else max_trade, remaining)
    for field, units, signed in (
        ("remaining", total, int(message["maxTotal"])),
        ("max_trade", largest, int(message["maxPerTrade"])),
    ):
        needed = units + bps_up(units, order.max_fee_bps)
        if needed > signed:
            coin = frame.base.code
            raise Conflict(
                f"Your wallet signed for {frame.amount(signed)} {coin} including fees; "
                f"this change needs {frame.amount(needed)} {coin}.",
                field=field,
                value=frame.amount(units),
                hint="Cancel the order and place it anew: POST /orders/quote has the authority "
                "to sign.",
            )


def _is_needed(draft: Draft) -> bool:
    return draft.wanted.side == "sell" and draft.frame.market.escrow == "evm"


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
    retried = session.scalar(select(CommandKey.seq).where(CommandKey.key == key).limit(1))
    if taken is not None and retried is None:
        raise Conflict(
            "This signature was used for another order.",
            field="authority",
            hint="Ask for a new quote and sign that.",
        )
