"""Traders with API keys, and the market they trade in, put into a lab's database directly."""

import secrets

from portal.bench.commands import LOT, MARKET, USDT
from portal.bench.lab import Lab
from portal.core.db import Database
from portal.core.sealed import Sealer
from portal.markets.models import AssetRow, Market
from portal.users.models import ApiKey, PaymentAccount, User
from portal.users.signing import HMAC, TRADE

METHOD = "sepa"
# id, secret and payment account of a key; the engine knows its owner by the last.
Person = tuple[str, str, int, int]


def add_market(lab: Lab) -> None:
    """USDT against EUR as the doors know it; the engine is told by a command."""
    database = Database(lab.database_url)
    try:
        with database.transaction() as session:
            session.add(AssetRow(code="USDT", name="Tether", kind="coin", places=6))
            session.add(AssetRow(code="EUR", name="Euro", kind="fiat", places=2))
            session.flush()
            session.add(
                Market(
                    id=MARKET,
                    base="USDT",
                    quote="EUR",
                    price_places=4,
                    lot=LOT,
                    min_trade=USDT,
                    max_trade=50_000 * USDT,
                    escrow="ledger",
                    payment_seconds=86_400,
                    release_seconds=86_400,
                    protection_bps=500,
                    max_fee_bps=100,
                    fee_model="maker_taker",
                    methods=[METHOD],
                    sources=[],
                )
            )
    finally:
        database.dispose()


def add_people(lab: Lab, count: int) -> list[Person]:
    """Traders with a payment account and a key each, as (key, secret, user, account)."""
    database, sealer = Database(lab.database_url), Sealer(lab.master_key)
    try:
        return [_add_person(database, sealer, number) for number in range(count)]
    finally:
        database.dispose()


def _add_person(database: Database, sealer: Sealer, number: int) -> Person:
    key_id, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
    name = f"trader{number}"
    with database.transaction() as session:
        user = User(
            username=name,
            nickname=name,
            email=f"{name}@bench.test",
            first_name="Bench",
            last_name=name,
            country="DE",
            kind="trader",
            kyc_tier=2,
            password="!",  # noqa: S106 (nobody logs in)
            active=True,
        )
        session.add(user)
        session.flush()
        account = PaymentAccount(
            user_id=user.id, method=METHOD, label="Bench", sealed="", blind_index=name
        )
        session.add(account)
        session.add(
            ApiKey(
                id=key_id,
                user_id=user.id,
                label="Bench",
                algorithm=HMAC,
                sealed=sealer.seal(secret, f"api_key|sealed|{key_id}"),
                scopes=[TRADE],
                networks=[],
                max_open_orders=1_000_000,
            )
        )
        session.flush()
        return key_id, secret, int(user.id), int(account.id)
