"""HTTP: a trader's balances and ledger."""

from typing import Annotated, Any

from flask import Blueprint
from pydantic import Field, RootModel

from portal.api.context import caller, services
from portal.api.operation import operation
from portal.api.shapes import Answer, Page
from portal.escrow.deployment import find_deployment
from portal.ledger.queries import BalanceView, LedgerPage, balances, entries
from portal.users.wallet import wallet_of

blueprint = Blueprint("ledger_api", __name__)


class DepositAddress(Answer):
    """Where to send coins; null until a wallet is bound and the contracts are known."""

    asset: str
    address: str | None


class BalancesAnswer(Answer):
    """What the caller has, and where to send more."""

    balances: list[BalanceView]
    deposit: DepositAddress


class LedgerAnswer(RootModel[LedgerPage]):
    """A page of ledger lines."""


class LedgerQuery(Page):
    """Which lines."""

    asset: Annotated[str, Field(max_length=10)] | None = None


@operation(blueprint, "GET", "/me/balances", answer=BalancesAnswer)
def my_balances() -> dict[str, Any]:
    """What I have of each coin."""
    with services().database.reader() as session:
        vault = wallet_of(caller().user, find_deployment(session)).vault
        return {
            "balances": balances(session, caller().id),
            "deposit": DepositAddress(asset="USDT", address=vault),
        }


@operation(blueprint, "GET", "/me/ledger", answer=LedgerAnswer, query=LedgerQuery)
def my_ledger(query: LedgerQuery) -> LedgerPage:
    """Every movement of my coins, newest first."""
    with services().database.reader() as session:
        return entries(session, caller().id, asset=query.asset, before=query.before)
