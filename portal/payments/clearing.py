"""Clearing a matched trade: compliance and sanctions lists, then the fees, as one command."""

from typing import Any

import structlog
from sqlalchemy.orm import Session

from portal.core.errors import PortalError
from portal.markets.models import Market
from portal.payments.facts import trade_facts
from portal.plugin_api import Decision, Fees, Verdict
from portal.plugin_host.host import PluginHost
from portal.screening.trades import ALIKE, screen_trade
from portal.trades.models import Trade

_log = structlog.get_logger(__name__)
# Engine commands take texts of up to 500 characters.
_LONGEST = 500


def clearing_command(
    session: Session, host: PluginHost, trade: Trade, threshold: int = ALIKE
) -> dict[str, Any]:
    """The `clear_trade` command for a trade in state `matched`. Never raises for its plugins.

    `threshold`: from which likeness on a name on a sanctions list holds the trade.
    Whatever can't be asked or computed holds the trade with the reason: silence is not consent.
    """
    try:
        facts = trade_facts(session, trade)
        decision = host.check_trade(facts)
        if decision.verdict is Verdict.ALLOW:
            decision = screen_trade(session, facts, threshold)
        if decision.verdict is not Verdict.ALLOW:
            return _refusal(trade.id, decision)
        market = session.get_one(Market, trade.market_id)
        return _clearance(trade.id, host.quote_fees(facts, market.fee_model))
    except PortalError as error:
        return _refusal(trade.id, Decision.hold(error.message))
    except Exception as error:
        _log.exception("clearing failed", trade=trade.id)
        return _refusal(trade.id, Decision.hold(f"Clearing failed: {type(error).__name__}."))


def clearance_command(
    session: Session, host: PluginHost, trade: Trade, actor: int
) -> dict[str, Any]:
    """The command by which an officer lets a held trade go on, with today's fees.

    Raises Unavailable when the fee can't be computed.
    """
    market = session.get_one(Market, trade.market_id)
    fees = host.quote_fees(trade_facts(session, trade), market.fee_model)
    command = _clearance(trade.id, fees)
    return command | {"actor": actor, "key": f"{command['key']}:{actor}"}


def _refusal(trade_id: int, decision: Decision) -> dict[str, Any]:
    return {
        "kind": "clear_trade",
        "key": f"clear:{trade_id}:{decision.verdict.value}",
        "trade_id": trade_id,
        "decision": decision.verdict.value,
        "reason": _storable(decision.reason) or "No reason was given.",
    }


def _clearance(trade_id: int, fees: Fees) -> dict[str, Any]:
    """The key holds the fees: asked again after a change of rates, it is another command."""
    return {
        "kind": "clear_trade",
        "key": f"clear:{trade_id}:allow:{fees.maker.units}:{fees.taker.units}",
        "trade_id": trade_id,
        "decision": "allow",
        "maker_fee": fees.maker.units,
        "taker_fee": fees.taker.units,
        "fee_note": _storable(fees.explanation) or None,
    }


def _storable(text: str) -> str:
    """A plugin's words without what neither JSON nor PostgreSQL can carry."""
    return text.encode("utf-8", "replace").decode().replace("\0", "").strip()[:_LONGEST]
