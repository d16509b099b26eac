"""HTTP, demo only: free test coins."""

import secrets
from typing import Literal

from flask import Blueprint

from portal.api.context import Services, caller, services
from portal.api.operation import operation
from portal.api.shapes import Answer, Body
from portal.core.errors import Conflict, NotFound, Unavailable
from portal.core.money import Money
from portal.escrow.demo import mint_demo_coins
from portal.escrow.deployment import load_deployment
from portal.markets.assets import asset
from portal.users.wallet import wallet_of

blueprint = Blueprint("demo_api", __name__)

GIFTS = {"USDT": "1000", "BTC": "0.05"}


class FaucetBody(Body):
    """Which coin."""

    asset: Literal["USDT", "BTC"]


class FaucetAnswer(Answer):
    """What was given; the transaction that minted it, if a chain was involved."""

    asset: str
    amount: str
    transaction_hash: str | None


@operation(
    blueprint,
    "POST",
    "/demo/faucet",
    answer=FaucetAnswer,
    body=FaucetBody,
    fails=(404, 409),
)
def faucet(body: FaucetBody) -> FaucetAnswer:
    """Test coins for the caller: USDT minted into their vault, BTC booked in the ledger."""
    home = services()
    if not home.settings.is_demo:
        raise NotFound("There is no faucet here.")
    with home.database.reader() as session:
        gift = Money.parse(GIFTS[body.asset], asset(session, body.asset))
    transaction = _mint(home, gift) if body.asset == "USDT" else _book(home, gift)
    return FaucetAnswer(asset=body.asset, amount=gift.text(), transaction_hash=transaction)


def _mint(home: Services, gift: Money) -> str | None:
    with home.database.reader() as session:
        deployment = load_deployment(session)
    vault = wallet_of(caller().user, deployment).vault
    if vault is None:
        raise Conflict("You have no wallet yet.", field="asset", hint="Set up your wallet first.")
    try:
        return mint_demo_coins(home.settings, home.database, deployment, vault, gift.units)
    except Unavailable as error:
        raise Unavailable("The chain does not answer.", hint="Try again in a moment.") from error


def _book(home: Services, gift: Money) -> str | None:
    reference = f"faucet:{secrets.token_hex(12)}"
    home.engine.submit(
        {
            "kind": "deposit",
            "owner": caller().id,
            "asset": gift.asset.code,
            "units": gift.units,
            "reference": reference,
            "key": reference,
        }
    )
    return None
