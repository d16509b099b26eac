"""Filling a demo database: assets, contracts, markets, people. Safe to repeat."""

from typing import Any

import structlog
from flask_appbuilder.security.sqla.models import Role
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.core.clock import utc_now
from portal.core.db import Database
from portal.core.errors import Forbidden
from portal.core.jobs import Engine
from portal.core.sealed import Sealer
from portal.core.settings import Settings
from portal.demo.people import Person, people
from portal.escrow.demo import ensure_demo_deployment
from portal.markets.models import AssetRow, Market
from portal.markets.service import save_market, sync_engine
from portal.markets.sources import demo_sources
from portal.plugin_host.host import PluginHost
from portal.users.models import User
from portal.users.passwords import hash_password
from portal.users.payment_accounts import add_account, list_accounts
from portal.users.totp import seal_secret

_log = structlog.get_logger("demo")

ASSETS = (
    ("USDT", "Tether USD", "coin", 6),
    ("BTC", "Bitcoin", "coin", 8),
    ("ETH", "Ether", "coin", 9),
    ("EUR", "Euro", "fiat", 2),
)

# What the demo's markets have in common.
_ALIKE: dict[str, Any] = {
    "quote": "EUR",
    "status": "open",
    "payment_seconds": 3600,
    "release_seconds": 3600,
    "protection_bps": 300,
    "max_fee_bps": 100,
    "fee_model": "maker_taker",
    "methods": ["sepa"],
}

MARKETS: tuple[dict[str, Any], ...] = (
    {
        **_ALIKE,
        "sources": demo_sources("USDT-EUR"),
        "id": "USDT-EUR",
        "base": "USDT",
        "price_places": 4,
        "lot": "0.01",
        "min_trade": "10",
        "max_trade": "50000",
        "escrow": "evm",
    },
    {
        **_ALIKE,
        "sources": demo_sources("BTC-EUR"),
        "id": "BTC-EUR",
        "base": "BTC",
        "price_places": 2,
        "lot": "0.00001",
        "min_trade": "0.0001",
        "max_trade": "2",
        "escrow": "ledger",
    },
)


def seed(settings: Settings, database: Database, engine: Engine) -> None:
    """Put the demo in place. Raises Forbidden outside the demo."""
    if not settings.is_demo:
        raise Forbidden("Demo data belongs in a demo: PORTAL_ENV is not demo.", field="PORTAL_ENV")
    ensure_demo_deployment(settings, database)
    with database.transaction() as session:
        for code, name, kind, places in ASSETS:
            session.merge(AssetRow(code=code, name=name, kind=kind, places=places))
    _seed_markets(settings, database, engine)
    _seed_people(settings, database)


def _seed_markets(settings: Settings, database: Database, engine: Engine) -> None:
    with database.reader() as session:
        known = set(session.scalars(select(Market.id)))
    for values in MARKETS:
        if values["id"] not in known:
            save_market(database, engine, settings, "system", values)
            _log.info("market", id=values["id"])
    sync_engine(database, engine)


def _seed_people(settings: Settings, database: Database) -> None:
    sealer = Sealer(settings.master_key.get_secret_value())
    host = PluginHost(settings, database)
    for person in people():
        with database.transaction() as session:
            user = session.scalar(select(User).where(User.email == person.email))
            if user is None:
                user = _add_person(session, sealer, person)
            user_id = int(user.id)
        _seed_account(database, sealer, host, user_id, person)


def _add_person(session: Session, sealer: Sealer, person: Person) -> User:
    role = session.scalars(select(Role).where(Role.name == person.role)).one()
    user = User(
        username=person.nickname,
        email=person.email,
        first_name=person.first_name,
        last_name=person.last_name,
        nickname=person.nickname,
        country=person.country,
        kind="trader" if person.is_trader else "staff",
        kyc_tier=2 if person.is_trader else 0,
        password=hash_password(person.password),
        active=True,
        roles=[role],
        totp_confirmed=utc_now(),
    )
    session.add(user)
    session.flush()
    user.totp_sealed = seal_secret(sealer, user.id, person.totp_secret)
    return user


def _seed_account(
    database: Database, sealer: Sealer, host: PluginHost, user_id: int, person: Person
) -> None:
    if person.iban is None:
        return
    with database.reader() as session:
        if list_accounts(session, sealer, user_id):
            return
    gateway = host.gateway("sepa")
    values = {"iban": person.iban, "holder": f"{person.first_name} {person.last_name}"}
    add_account(database, sealer, gateway, host.get_settings("sepa"), user_id, values)
