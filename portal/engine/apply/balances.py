"""Coins that come in and go out."""

from typing import Any

from portal.core.errors import InvalidInput
from portal.core.units import MAX_UNITS
from portal.engine.commands import Deposit, Withdraw
from portal.engine.state import ShardState
from portal.ledger import rules
from portal.ledger.rules import OUTSIDE, PLATFORM, AccountKey


def deposit(state: ShardState, command: Deposit) -> dict[str, Any]:
    """Credit an owner. Refused beyond what can be counted of all coins of an asset together."""
    outside = state.balance(AccountKey(PLATFORM, command.asset, OUTSIDE))
    if command.units - outside > MAX_UNITS:
        raise InvalidInput("units is more than can be counted.", field="units", value=command.units)
    move = rules.deposit(command.owner, command.asset, command.units)
    state.move("deposit", *move, reference=command.reference)
    _emit(state, "balance.deposited", command)
    return {"owner": command.owner}


def withdraw(state: ShardState, command: Withdraw) -> dict[str, Any]:
    """Debit an owner. Refused beyond what is available."""
    state.require(command.owner, command.asset, command.units, input_field="units")
    move = rules.withdraw(command.owner, command.asset, command.units)
    state.move("withdraw", *move, reference=command.reference)
    _emit(state, "balance.withdrawn", command)
    return {"owner": command.owner}


def _emit(state: ShardState, kind: str, command: Deposit | Withdraw) -> None:
    state.emit(
        "system",
        kind,
        f"user:{command.owner}",
        {"asset": command.asset, "units": command.units, "reference": command.reference},
    )
