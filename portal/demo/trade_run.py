"""`portal demo trade`: one whole trade, every step through the doors that people use."""

import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from portal.core.errors import PortalError, Unavailable
from portal.core.settings import Settings
from portal.demo.client import Operator, Trader
from portal.demo.people import people, robot_buyer, robot_seller
from portal.demo.statement import Credit, camt053

Say = Callable[[str], Any]
MARKET, ASSET = "USDT-EUR", "USDT"
QUANTITY, PRICE = "100", "0.9000"
_PATIENCE_SECONDS = 60.0


def run(settings: Settings, say: Say) -> dict[str, Any]:
    """Trade 100 USDT from the demo's robot seller to its robot buyer; returns what happened.

    Raises PortalError when a step is refused or does not come about in time.
    """
    seller = Trader(settings.base_url, robot_seller())
    buyer = Trader(settings.base_url, robot_buyer())
    _prepare(seller, buyer, say)
    before = _balances(seller, buyer)
    trade_id = _match(seller, buyer, say)
    _pay(settings, seller, buyer, trade_id, say)
    body = {"signatures": seller.sign_for(trade_id, "release"), "totp": seller.code()}
    seller.post(f"/trades/{trade_id}/release", body)
    trade = _wait_for(buyer, trade_id, "completed")
    say(f"Trade {trade_id} is completed.")
    return _report(trade, seller, before, _balances(seller, buyer))


def _prepare(seller: Trader, buyer: Trader, say: Say) -> None:
    for trader in (seller, buyer):
        trader.bind_wallet()
    if Decimal(seller.available(ASSET)) < 2 * Decimal(QUANTITY):
        say("The seller gets test USDT.")
        seller.post("/demo/faucet", {"asset": ASSET})
        _until(
            lambda: Decimal(seller.available(ASSET)) >= 2 * Decimal(QUANTITY),
            "the deposit to be seen on chain",
        )


def _match(seller: Trader, buyer: Trader, say: Say) -> int:
    order = _order(seller, side="sell", order_type="limit", price=PRICE)
    quote = seller.post("/orders/quote", order)
    typed_data = quote["authority"]
    authority = {"message": typed_data["message"], "signature": seller.sign(typed_data)}
    offer = seller.post(
        "/orders", {**order, **_accounts(seller), "tif": "GTC", "authority": authority}
    )["order"]
    say(f"Offer {offer['id']}: {QUANTITY} {ASSET} at {PRICE}.")
    taking = _order(buyer, side="buy", order_type="limit", price=PRICE, take_order=offer["id"])
    answer = buyer.post("/orders", {**taking, **_accounts(buyer), "tif": "IOC"})
    trade_id = int(answer["trades"][0])
    say(f"Trade {trade_id} is matched.")
    return trade_id


def _pay(settings: Settings, seller: Trader, buyer: Trader, trade_id: int, say: Say) -> None:
    trade = _wait_for(buyer, trade_id, "awaiting_payment")
    say("The escrow is locked on chain.")
    payment = trade["payment"]
    buyer.post(f"/trades/{trade_id}/paid", {"signatures": buyer.sign_for(trade_id, "paid")})
    clerk = next(person for person in people() if person.role == "Operator")
    credit = Credit(
        iban=str(seller.person.iban),
        amount=payment["amount"],
        currency=payment["currency"],
        reference=payment["reference"],
        payer_name=f"{buyer.person.first_name} {buyer.person.last_name}",
        payer_iban=str(buyer.person.iban),
    )
    Operator(settings.base_url, clerk).import_statement(camt053(credit))
    _wait_for(buyer, trade_id, "verified")
    say("The bank statement shows the payment.")


def _order(trader: Trader, **changes: Any) -> dict[str, Any]:
    return {
        "market": MARKET,
        "price_kind": "fixed",
        "quantity": QUANTITY,
        "methods": ["sepa"],
        **changes,
    }


def _accounts(trader: Trader) -> dict[str, Any]:
    accounts = trader.get("/me/payment-accounts")["accounts"]
    return {"payment_accounts": {"sepa": accounts[0]["id"]}}


def _balances(seller: Trader, buyer: Trader) -> dict[str, Any]:
    return {
        role: next(
            (row for row in trader.get("/me/balances")["balances"] if row["asset"] == ASSET), None
        )
        for role, trader in (("seller", seller), ("buyer", buyer))
    }


def _wait_for(trader: Trader, trade_id: int, state: str) -> dict[str, Any]:
    seen: dict[str, Any] = {}

    def reached() -> bool:
        seen.update(trader.get(f"/trades/{trade_id}"))
        if seen["state"] in ("cancelled", "expired", "disputed", "held"):
            raise PortalError(f"Trade {trade_id} is {seen['state']}: {seen['reason']}")
        return bool(seen["state"] == state)

    _until(reached, f"trade {trade_id} to be {state.replace('_', ' ')}")
    return seen


def _until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise Unavailable(f"Waited {_PATIENCE_SECONDS:.0f} s for {what}.")
        time.sleep(0.3)


def _report(
    trade: dict[str, Any], seller: Trader, before: dict[str, Any], after: dict[str, Any]
) -> dict[str, Any]:
    escrow = trade["escrow"]
    return {
        "trade_id": trade["id"],
        "market": trade["market"],
        "quantity": trade["quantity"],
        "price": trade["price"],
        "fiat_total": trade["fiat_total"],
        "states": [{"state": item["state"], "at": item["at"]} for item in trade["history"]],
        "escrow": {
            "backend": escrow["backend"],
            "escrow_id": escrow["escrow_id"],
            "transactions": escrow["transactions"],
        },
        "fee": {"buyer": trade["fee"], "seller": seller.get(f"/trades/{trade['id']}")["fee"]},
        "balances": {"before": before, "after": after},
    }
