"""Coins that come in and go out."""

from typing import Any

from portal.engine.commands import Deposit, Withdraw
from portal.engine.state import ShardState
from portal.ledger import rules
from portal.ledger.rules import AVAILABLE, AccountKey


def deposit(state: ShardState, command: Deposit) -> dict[str, Any]:
    """Credit an owner."""
    lines = rules.deposit(command.owner, command.asset, command.units)
    state.post("deposit", lines, reference=command.reference)
    _emit(state, "balance.deposited", command)
    return {"owner": command.owner}


def withdraw(state: ShardState, command: Withdraw) -> dict[str, Any]:
    """Debit an owner. Refused beyond what is available."""
    key = AccountKey(command.owner, command.asset, AVAILABLE)
    state.require(key, command.units, input_field="units")
    lines = rules.withdraw(command.owner, command.asset, command.units)
    state.post("withdraw", lines, reference=command.reference)
    _emit(state, "balance.withdrawn", command)
    return {"owner": command.owner}


def _emit(state: ShardState, kind: str, command: Deposit | Withdraw) -> None:
    state.emit(
        "system",
        kind,
        f"user:{command.owner}",
        asset=command.asset,
        units=command.units,
        reference=command.reference,
    )
