"""What staff does with trades: clear or refuse a held one, decide a dispute."""

from typing import Any

from portal.backoffice import decisions, lookups
from portal.backoffice.acts import Act, Field, Values, reason_field
from portal.backoffice.context import reader, services, staff
from portal.core.money import Money
from portal.trades.models import Dispute, Trade
from portal.trades.rules import State
from portal.trades.service import resolve_dispute


def _clear(view: Any, trade: Trade, values: Values) -> str:
    decisions.clear_held(services(), staff().id, trade.id)
    return f"Trade #{trade.id} is cleared: its escrow opens now."


def _refuse(view: Any, trade: Trade, values: Values) -> str:
    decisions.refuse_held(services(), staff().id, trade.id, values["reason"])
    return f"Trade #{trade.id} is refused and ended. Nothing had been locked."


def _is_held(trade: Trade) -> bool:
    return trade.state == State.HELD


TRADE_ACTS = (
    Act(
        "clear",
        "Let this trade go on",
        _clear,
        consequence="The escrow opens with today's fees and the buyer is asked to pay.",
        offered=_is_held,
    ),
    Act(
        "refuse",
        "Refuse this trade",
        _refuse,
        fields=(reason_field(help="Both parties read it. Kept in the audit log."),),
        consequence="The trade ends. The seller's coins are free again; nothing was locked.",
        harmful=True,
        offered=_is_held,
    ),
)

_OUTCOMES = (
    ("buyer", "For the buyer: the coins go to the buyer"),
    ("seller", "For the seller: the coins go back to the seller"),
    ("split", "Split: part to each"),
)


def _decide(view: Any, dispute: Dispute, values: Values) -> str:
    trade = reader().get_one(Trade, dispute.trade_id)
    to_buyer = None
    if values["outcome"] == "split":
        asset = lookups.asset(trade.base)
        to_buyer = Money.parse(values["to_buyer"], asset, field="to_buyer").units
    resolve_dispute(
        services(),
        staff().id,
        dispute.trade_id,
        outcome=values["outcome"],
        to_buyer=to_buyer,
        decision=values["decision"],
    )
    return f"The dispute of trade #{dispute.trade_id} is decided. The escrow pays out now."


def _decision_fields(dispute: Dispute) -> list[Field]:
    trade = reader().get(Trade, dispute.trade_id)
    coin = trade.base if trade else ""
    whole = Money(lookups.asset(coin), trade.escrow_units).text() if trade else ""
    return [
        Field("outcome", "Decision", kind="choice", options=_OUTCOMES),
        Field(
            "to_buyer",
            "Buyer's part of the escrow",
            kind="number",
            required=False,
            unit=coin,
            help=f"Only for a split: more than 0, less than {whole}, before the fee.",
        ),
        Field(
            "decision",
            "Written reason",
            kind="area",
            longest=5_000,
            help="Both parties read it: what you looked at, what you found, why.",
        ),
    ]


def _is_open(dispute: Dispute) -> bool:
    return dispute.status == "open"


DISPUTE_ACTS = (
    Act(
        "decide",
        "Decide this dispute",
        _decide,
        fields=_decision_fields,
        consequence="The decision is final: the platform signs the payout with the party it "
        "favours. It can't be taken back.",
        harmful=True,
        offered=_is_open,
    ),
)
