"""A seller's standing consent: what is asked of them, and checking what they signed."""

import secrets
from typing import Any

from eth_utils.conversions import to_hex
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from portal.audit.service import record
from portal.core.clock import now_ms
from portal.core.errors import Conflict, InvalidInput
from portal.core.settings import Settings
from portal.core.units import bps_up
from portal.escrow import typed_data
from portal.escrow.chain.client import account
from portal.escrow.deployment import Deployment, arbiters, fee_address, load_deployment
from portal.escrow.rules import DAY_SECONDS, authority_fee_bps, pay_window
from portal.escrow.typed_data import STRUCTS, TypedData
from portal.markets.models import Market
from portal.orders.models import OrderAuthority
from portal.users.models import User

LIFE_DAYS = 90
SHORTEST_LIFE_SECONDS = DAY_SECONDS
_FIELDS = dict(STRUCTS["OrderAuthority"])
# These may be more generous than the order needs; the others must be the same.
_AT_LEAST = frozenset({"maxTotal", "maxPerTrade", "maxFeeBps", "maxArbiterFeeBps", "payWindow"})


def authority_request(
    session: Session,
    settings: Settings,
    owner_id: int,
    market: Market,
    *,
    quantity: int,
    max_trade: int | None,
    max_fee_bps: int,
) -> TypedData:
    """What a seller's wallet signs so that this order's trades may open without them.

    Amounts are ledger units, which are the token's units. Raises Conflict without a wallet.
    """
    deployment = load_deployment(session)
    owner = _wallet(session, owner_id)
    needed = _needed(settings, deployment, owner, market, quantity, max_trade, max_fee_bps)
    deadline = now_ms() // 1000 + LIFE_DAYS * DAY_SECONDS
    message = {**needed, "deadline": deadline, "nonce": secrets.randbits(64)}
    return typed_data.order_authority(deployment.domain, message)


def store_authority(
    session: Session,
    settings: Settings,
    owner_id: int,
    market: Market,
    *,
    quantity: int,
    max_trade: int | None,
    max_fee_bps: int,
    message: dict[str, Any],
    signature: str,
) -> str:
    """Check that a signed authority covers the order and keep it; returns its hash.

    Raises InvalidInput naming `authority.message.<field>` or `authority.signature`.
    """
    deployment = load_deployment(session)
    owner = _wallet(session, owner_id)
    needed = _needed(settings, deployment, owner, market, quantity, max_trade, max_fee_bps)
    data = typed_data.order_authority(deployment.domain, _parsed(message))
    _check_covers(data["message"], needed)
    typed_data.verify_signature(data, signature, owner, field="authority.signature")
    digest = to_hex(typed_data.struct_hash("OrderAuthority", data["message"]))
    values = {"hash": digest, "owner_id": owner_id, "payload": data["message"]}
    statement = insert(OrderAuthority).values(**values, signature=signature)
    session.execute(statement.on_conflict_do_nothing(index_elements=["hash"]))
    record(session, f"user:{owner_id}", "escrow.authorised", f"user:{owner_id}", {"hash": digest})
    return digest


def _needed(
    settings: Settings,
    deployment: Deployment,
    owner: str,
    market: Market,
    quantity: int,
    max_trade: int | None,
    max_fee_bps: int,
) -> dict[str, Any]:
    """What the order's trades will take at most. The engine reserves by the same formula."""
    largest = min(max_trade or quantity, quantity)
    return {
        "owner": owner,
        "token": deployment.token(market.base),
        "maxTotal": quantity + bps_up(quantity, max_fee_bps),
        "minPerTrade": 0,
        "maxPerTrade": largest + bps_up(largest, max_fee_bps),
        **arbiters(settings),
        "feeTo": fee_address(settings),
        "maxFeeBps": authority_fee_bps(max_fee_bps, market.max_fee_bps),
        "maxArbiterFeeBps": 0,
        "opener": account(settings.relayer_key.get_secret_value()).address,
        "payWindow": pay_window(market.payment_seconds, settings.escrow_grace_seconds),
        "resolveWindow": settings.escrow_resolve_days * DAY_SECONDS,
        "sunsetWindow": (settings.escrow_resolve_days + settings.escrow_sunset_days) * DAY_SECONDS,
        "sunsetBuyerBps": settings.escrow_sunset_buyer_bps,
    }


def _wallet(session: Session, user_id: int) -> str:
    wallet = session.get_one(User, user_id).wallet_address
    if not wallet:
        raise Conflict(
            "Selling on this market needs a wallet.",
            field="wallet",
            hint="Set up your wallet first, then fund its address.",
        )
    return str(wallet)


def _parsed(message: object) -> dict[str, Any]:
    """The message with every field of its kind; refuses unknown and missing fields."""
    if not isinstance(message, dict) or message.keys() != _FIELDS.keys():
        raise InvalidInput(
            f"authority.message must have exactly the fields {', '.join(_FIELDS)}.",
            field="authority.message",
        )
    return {name: _field(name, kind, message[name]) for name, kind in _FIELDS.items()}


def _field(name: str, kind: str, value: object) -> Any:
    field = f"authority.message.{name}"
    if kind == "address":
        return typed_data.parse_address(value, field=field)
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not text.isascii() or not text.isdigit() or len(text) > 78:
        raise InvalidInput(f"{field} must be a whole number.", field=field, value=value)
    if int(text) >= 2 ** int(kind.removeprefix("uint")):
        raise InvalidInput(f"{field} is too large.", field=field, value=value)
    return int(text)


def _check_covers(message: dict[str, Any], needed: dict[str, Any]) -> None:
    for name, wanted in needed.items():
        given = message[name]
        fits = int(given) >= wanted if name in _AT_LEAST else given == str(wanted)
        if not fits:
            raise InvalidInput(
                f"The signed {name} does not cover this order.",
                field=f"authority.message.{name}",
                value=given,
                hint="Ask for the quote again and sign what it returns.",
            )
    if int(message["deadline"]) < now_ms() // 1000 + SHORTEST_LIFE_SECONDS:
        raise InvalidInput(
            "The signed authority ends too soon.",
            field="authority.message.deadline",
            value=message["deadline"],
        )
