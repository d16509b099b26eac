"""What the buyer of a trade has to pay, to whom, with which reference."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from portal.core.clock import now_ms
from portal.core.errors import Conflict, NotFound
from portal.core.money import Money
from portal.core.sealed import Sealer
from portal.markets.assets import asset
from portal.plugin_api import PaymentInstructions, PaymentRequest
from portal.plugin_host.host import PluginHost
from portal.trades.models import Trade
from portal.trades.rules import State
from portal.users.models import PaymentAccount
from portal.users.payment_accounts import open_account

_OPEN = frozenset(
    {State.ESCROW_LOCKED, State.AWAITING_PAYMENT, State.PAID, State.VERIFIED, State.DISPUTED}
)
_NOT_YET = frozenset({State.MATCHED, State.HELD, State.LOCKING})


@dataclass(frozen=True)
class TradeInstructions:
    """A gateway's instructions with the trade's own deadline (UTC ms), which is what counts."""

    trade_id: int
    method: str
    method_label: str
    instructions: PaymentInstructions
    deadline_ms: int | None


def instructions(
    session: Session, host: PluginHost, sealer: Sealer, trade: Trade, viewer_id: int
) -> TradeInstructions:
    """The instructions for the buyer.

    Raises NotFound for anybody else, Conflict before the escrow is locked or after the end.
    """
    if viewer_id != trade.buyer_id:
        raise NotFound("You have no such payment to make.", field="trade_id", value=trade.id)
    _check_state(trade)
    gateway = host.gateway(trade.method)
    payee = payee_fields(session, sealer, trade)
    request = PaymentRequest(
        trade_id=trade.id,
        amount=Money(asset(session, trade.quote), trade.fiat_units),
        payee=payee,
        reference=gateway.reference(trade.id),
    )
    settings = host.get_settings(gateway.slug, trade.market_id)
    told = gateway.instructions(request, settings)
    return TradeInstructions(trade.id, gateway.slug, gateway.label, told, trade.payment_deadline_ms)


def payee_fields(session: Session, sealer: Sealer, trade: Trade) -> dict[str, str]:
    """The seller's account of this trade, readable. Raises Conflict when it names none."""
    account = trade.seller_account_id and session.get(PaymentAccount, trade.seller_account_id)
    if not account:
        raise Conflict(
            "The seller's payment account is missing on this trade.",
            field="trade_id",
            value=trade.id,
            hint="Don't pay. Cancel the trade, or ask the support for help.",
        )
    return open_account(sealer, account).fields


def _check_state(trade: Trade) -> None:
    late = trade.state == State.AWAITING_PAYMENT and now_ms() > (trade.payment_deadline_ms or 0)
    if late:
        raise Conflict(
            "The time to pay is over: don't pay any more, the coins go back to the seller.",
            field="trade_id",
            value=trade.id,
        )
    if trade.state in _NOT_YET:
        raise Conflict(
            "The seller's coins are not locked yet: don't pay before they are.",
            field="trade_id",
            value=trade.id,
            hint="The bank details appear here as soon as the escrow is locked.",
        )
    if trade.state not in _OPEN:
        raise Conflict(
            "This trade has ended: nothing is to be paid any more.",
            field="trade_id",
            value=trade.id,
        )
