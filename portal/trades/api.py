"""HTTP: one's own trades, what to sign for them, and what to do with them."""

from datetime import date
from typing import Annotated, Any, Literal

from flask import Blueprint, Response
from pydantic import Field, RootModel

from portal.api.context import caller, services
from portal.api.idempotency import engine_key
from portal.api.operation import ID, operation
from portal.api.shapes import Answer, Body, Code, Page, Query, Signature
from portal.trades.export import history_csv
from portal.trades.queries import TradePage, own_trade, own_trades
from portal.trades.room import TradeView, trade_view
from portal.trades.service import TradeDesk

blueprint = Blueprint("trades_api", __name__)

Words = Annotated[str, Field(min_length=1, max_length=4000)]
ONE = f"/trades/<{ID}:trade_id>"


class TradesAnswer(RootModel[TradePage]):
    """A page of trades."""


class TradeAnswer(RootModel[TradeView]):
    """One trade."""


class TradesQuery(Page):
    """Only open trades, or only ended ones."""

    open: bool | None = None


class ToSign(Answer):
    """One thing to sign."""

    kind: Literal["mark_paid", "settle", "cancel"]
    typed_data: dict[str, Any]


class SigningAnswer(Answer):
    """What the wallet must sign for an act; nothing for an escrow kept in the ledger."""

    typed_data: list[ToSign]


class SigningQuery(Query):
    """For which act."""

    act: Literal["paid", "release", "cancel", "claim"]


class PaidSignatures(Body):
    """What the buyer signs on paying."""

    mark_paid: Signature | None = None
    settle: Signature | None = None


class PaidBody(Body):
    """The buyer's statement that the money is sent."""

    signatures: PaidSignatures | None = None


class SettleSignatures(Body):
    """A signed payout."""

    settle: Signature | None = None


class ReleaseBody(Body):
    """The seller's release, with a fresh code of their authenticator."""

    signatures: SettleSignatures | None = None
    totp: Code


class CancelSignatures(Body):
    """A signed cancellation."""

    cancel: Signature | None = None


class CancelBody(Body):
    """Giving a trade up."""

    signatures: CancelSignatures | None = None
    reason: Annotated[str, Field(max_length=400)] | None = None


class DisputeBody(Body):
    """Asking staff to decide."""

    reason: Literal["not_received", "paid_not_released", "wrong_amount", "other"]
    statement: Words


class StatementBody(Body):
    """Something to say in a dispute."""

    text: Words


class ClaimBody(Body):
    """A decision, signed by the party it favours."""

    signatures: SettleSignatures


class HistoryQuery(Query):
    """Days in UTC, both included."""

    from_: Annotated[date | None, Field(alias="from")] = None
    to: date | None = None


@operation(blueprint, "GET", "/trades", answer=TradesAnswer, query=TradesQuery)
def list_trades(query: TradesQuery) -> TradePage:
    """My trades, newest first."""
    with services().database.reader() as session:
        return own_trades(session, caller().id, is_open=query.open, before=query.before)


@operation(blueprint, "GET", ONE, answer=TradeAnswer)
def get_trade(trade_id: int) -> TradeView:
    """One of my trades with everything I may see of it."""
    return _room(trade_id)


@operation(
    blueprint, "GET", f"{ONE}/signing", answer=SigningAnswer, query=SigningQuery, fails=(409,)
)
def get_signing(trade_id: int, query: SigningQuery) -> dict[str, Any]:
    """What my wallet must sign for an act."""
    return {"typed_data": _desk().signing(caller().id, trade_id, query.act)}


@operation(blueprint, "POST", f"{ONE}/paid", answer=TradeAnswer, body=PaidBody, once=True)
def mark_trade_paid(trade_id: int, body: PaidBody) -> TradeView:
    """I have sent the money."""
    _desk().mark_paid(caller().id, trade_id, _given(body.signatures), engine_key())
    return _room(trade_id)


@operation(blueprint, "POST", f"{ONE}/release", answer=TradeAnswer, body=ReleaseBody, once=True)
def release_trade(trade_id: int, body: ReleaseBody) -> TradeView:
    """The money has arrived: let the coins go to the buyer."""
    _desk().release(caller().id, trade_id, _given(body.signatures), body.totp, engine_key())
    return _room(trade_id)


@operation(blueprint, "POST", f"{ONE}/cancel", answer=TradeAnswer, body=CancelBody, once=True)
def cancel_trade(trade_id: int, body: CancelBody) -> TradeView:
    """Give the trade up; what is locked goes back to the seller."""
    _desk().cancel(caller().id, trade_id, _given(body.signatures), body.reason, engine_key())
    return _room(trade_id)


@operation(blueprint, "POST", f"{ONE}/dispute", answer=TradeAnswer, body=DisputeBody, once=True)
def dispute_trade(trade_id: int, body: DisputeBody) -> TradeView:
    """Ask staff to decide."""
    _desk().dispute(caller().id, trade_id, body.reason, body.statement, engine_key())
    return _room(trade_id)


@operation(
    blueprint, "POST", f"{ONE}/statements", answer=TradeAnswer, body=StatementBody, once=True
)
def add_trade_statement(trade_id: int, body: StatementBody) -> TradeView:
    """Say something in the dispute."""
    _desk().state(caller().id, trade_id, body.text)
    return _room(trade_id)


@operation(blueprint, "POST", f"{ONE}/claim", answer=TradeAnswer, body=ClaimBody, once=True)
def claim_trade(trade_id: int, body: ClaimBody) -> TradeView:
    """Sign a decision in my favour, so that it is executed."""
    _desk().claim(caller().id, trade_id, _given(body.signatures))
    return _room(trade_id)


@operation(blueprint, "GET", "/history.csv", answer=None, query=HistoryQuery)
def get_history(query: HistoryQuery) -> Response:
    """My trades as CSV, with the index price at the time of each."""
    with services().database.reader() as session:
        text = history_csv(session, caller().id, query.from_, query.to)
    response = Response(text, mimetype="text/csv")
    response.headers["Content-Disposition"] = 'attachment; filename="trades.csv"'
    return response


def _desk() -> TradeDesk:
    home = services()
    return TradeDesk(home.database, home.engine, home.sealer)


def _room(trade_id: int) -> TradeView:
    home, me = services(), caller().id
    with home.database.reader() as session:
        trade = own_trade(session, me, trade_id)
        return trade_view(session, home.plugins, home.sealer, me, trade)


def _given(signatures: Body | None) -> dict[str, str]:
    return signatures.model_dump(exclude_none=True) if signatures is not None else {}
