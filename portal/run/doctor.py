"""`portal doctor`: is every part that the settings name there and of the right kind?"""

import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, LiteralString

import psycopg

from portal.core.addresses import public_part
from portal.core.db import libpq_url, sqlalchemy_url
from portal.core.errors import PortalError
from portal.core.settings import Settings, read_settings
from portal.run.agreement import ChainProbe
from portal.run.chain import anvil_binary
from portal.run.checks import Check
from portal.run.doctor_chain import check_contracts, check_keys, check_payouts
from portal.run.postgres import bundled_binaries


def check_production(settings: Settings) -> list[Check]:
    """Every reason why production would refuse this configuration (a demo may keep them)."""
    problems = settings.production_problems()
    if settings.is_demo:
        count = f"{len(problems)} things would have to change for production"
        return [Check("mode", True, f"PORTAL_ENV is demo; {count}.")]
    return [Check("mode", False, problem) for problem in problems] or [
        Check("mode", True, "PORTAL_ENV is production, and nothing in it is unsafe.")
    ]


def check_database(settings: Settings) -> Check:
    """PostgreSQL answers and is new enough."""
    url = libpq_url(sqlalchemy_url(settings.required_database_url))
    try:
        with psycopg.connect(url, connect_timeout=5) as connection:
            version = connection.info.server_version // 10000
    except psycopg.Error as error:
        reason = " ".join(str(error).split())
        way_out = (
            "Correct DATABASE_URL." if settings.database_url else "Is `portal run` running here?"
        )
        return Check("database", False, f"PostgreSQL does not let us in: {reason}. {way_out}")
    if version < 15:
        return Check("database", False, f"PostgreSQL {version} is too old: 15 or newer is needed.")
    return Check("database", True, f"PostgreSQL {version} answers.")


def check_chain(settings: Settings) -> Check:
    """Every RPC endpoint answers for the chain that CHAIN_ID names."""
    for url in settings.rpc_urls:
        try:
            number = ChainProbe(url).chain_id()
        except PortalError as error:
            way_out = (
                "Correct CHAIN_RPC_URLS." if settings.chain_rpc_urls else "Start `portal run`."
            )
            return Check("chain", False, f"{error.message} {way_out}")
        if number != settings.chain_id:
            return Check(
                "chain",
                False,
                f"{public_part(url)} serves chain {number}, but CHAIN_ID is {settings.chain_id}.",
            )
    if settings.chain_quorum is not None and settings.chain_quorum > len(settings.rpc_urls):
        said = f"CHAIN_QUORUM is {settings.chain_quorum}, more than CHAIN_RPC_URLS names."
        return Check("chain", False, said)
    return Check("chain", True, f"Chain {settings.chain_id} answers.")


def _rows(settings: Settings, query: LiteralString) -> list[tuple[Any, ...]]:
    """What the database says; nothing when it can't be asked: its own check has said why."""
    url = libpq_url(sqlalchemy_url(settings.required_database_url))
    try:
        with psycopg.connect(url, connect_timeout=5) as connection:
            return connection.execute(query).fetchall()
    except psycopg.Error:
        return []


def check_endpoints(settings: Settings) -> list[Check]:
    """What the scheduler last saw of each RPC endpoint: who is down, behind or outvoted."""
    rows = _rows(
        settings,
        "SELECT name, state, height, disagreements, last_error FROM chain_endpoint"
        " WHERE at > now() - interval '1 min' ORDER BY position",
    )
    return [_endpoint(*row) for row in rows]


def _endpoint(
    name: str, state: str, height: int | None, disagreements: int, error: str | None
) -> Check:
    good = state == "ok" and disagreements == 0
    told = f"; outvoted {disagreements} times" if disagreements else ""
    why = f" ({error})" if error and not good else ""
    at = "" if height is None else f", at block {height}"
    return Check("endpoint", good, f"{name} is {state}{at}{told}{why}.")


def check_engine(settings: Settings) -> Check:
    """An engine listens where it should: of several only the one that leads."""
    problems = []
    for host, port in settings.engine_targets:
        try:
            with socket.create_connection((host, port), timeout=5):
                return Check("engine", True, f"The engine listens on {host}:{port}.")
        except OSError as error:
            problems.append(f"{host}:{port}: {error}")
    where = "ENGINE_ADDRESSES" if settings.engine_addresses else "ENGINE_HOST:ENGINE_PORT"
    return Check("engine", False, f"Nobody listens on {where} ({'; '.join(problems)}).")


def check_alarms(settings: Settings) -> list[Check]:
    """What the engines themselves say: who leads, who follows, and what they can't do."""
    rows = _rows(
        settings,
        "SELECT engine, shard, role, alarm FROM engine_status"
        " WHERE at > now() - interval '10 s' ORDER BY engine",
    )
    return [
        Check(
            "engine",
            alarm is None,
            alarm or f"{engine} is {'leading' if role == 'leading' else 'standing by'} ({shard}).",
        )
        for engine, shard, role, alarm in rows
    ]


def check_client(settings: Settings) -> Check:
    """The H5 client is built."""
    page = settings.h5_dist / "index.html"
    if page.exists():
        return Check("H5 client", True, f"Built, in {settings.h5_dist}.")
    return Check(
        "H5 client", False, f"{page} is not there. Run `make setup`, or set H5_DIST to a build."
    )


def check_bundled(settings: Settings) -> list[Check]:
    """What `portal run` would start by itself can be started."""
    needed: list[tuple[str, Callable[[], Path]]] = []
    if settings.database_url is None:
        needed.append(("bundled PostgreSQL", bundled_binaries))
    if settings.chain_rpc_urls is None:
        needed.append(("bundled chain", anvil_binary))
    return [_bundled(about, find) for about, find in needed]


def _bundled(about: str, find: Callable[[], Path]) -> Check:
    try:
        return Check(about, True, f"Installed at {find()}.")
    except PortalError as error:
        return Check(about, False, f"{error.message} {error.hint or ''}".rstrip())


def examine(settings: Settings) -> list[Check]:
    """All checks, in the order in which one would mend them."""
    return [
        *check_production(settings),
        *check_bundled(settings),
        check_database(settings),
        check_chain(settings),
        *check_endpoints(settings),
        *check_keys(settings),
        check_contracts(settings),
        *check_payouts(settings),
        check_engine(settings),
        *check_alarms(settings),
        check_client(settings),
    ]


def main() -> int:
    """Print every check; 1 when one is bad."""
    checks = examine(read_settings())
    for check in checks:
        mark = "ok     " if check.good else "PROBLEM"
        sys.stdout.write(f"{mark}  {check.about:<20} {check.said}\n")
    return 0 if all(check.good for check in checks) else 1
