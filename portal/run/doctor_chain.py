"""What `portal doctor` looks at beside the nodes: the platform's keys, contracts and payouts."""

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from portal.core.db import Database
from portal.core.errors import PortalError
from portal.core.key_source import KeySource
from portal.core.settings import Settings
from portal.escrow.deploying import deployment_problems
from portal.escrow.deployment import Deployment, find_deployment
from portal.escrow.payouts.models import PayoutStop
from portal.escrow.signers.chosen import arbiter, relayer
from portal.escrow.signers.keystore import KeystoreSigner
from portal.escrow.signers.remote import RemoteSigner
from portal.escrow.signers.signer import Signer
from portal.run.checks import Check


def check_keys(settings: Settings) -> list[Check]:
    """Each key can be used, and they are two. Says addresses and places, never a key."""
    checks, addresses = [], set()
    for choose, source in ((relayer, settings.relayer_source), (arbiter, settings.arbiter_source)):
        about = f"{source.role.lower()} key"
        try:
            signer = choose(settings)
            _open(signer)
        except PortalError as error:
            checks.append(Check(about, False, f"{error.message} {error.hint or ''}".rstrip()))
            continue
        addresses.add(signer.address)
        checks.append(_good_key(about, signer, source))
    if len(checks) == 2 and len(addresses) == 1 and all(check.good for check in checks):
        checks.append(Check("keys", False, "Relayer and arbiter have the same key: use two."))
    return checks


def check_contracts(settings: Settings) -> Check:
    """The contracts in use are there and are the packaged ones."""
    deployment = _deployment(settings)
    if isinstance(deployment, str):
        return Check("contracts", False, deployment)
    if deployment is None:
        way_out = "`portal run` makes them." if settings.is_demo else "Run `portal escrow deploy`."
        return Check("contracts", settings.is_demo, f"No escrow is in use yet. {way_out}")
    try:
        problems = deployment_problems(settings, deployment)
    except PortalError as error:
        return Check("contracts", False, error.message)
    if problems:
        return Check("contracts", False, f"{'; '.join(problems)}.")
    tokens = ", ".join(deployment.tokens) or "none"
    said = f"Escrow {deployment.escrow} has the packaged code; coins: {tokens}."
    return Check("contracts", True, said)


def check_payouts(settings: Settings) -> list[Check]:
    """Payouts that are stopped; none when all go on."""
    database = Database(settings.required_database_url)
    try:
        with database.reader() as session:
            on = PayoutStop.lifted_at.is_(None)
            stops = session.scalars(select(PayoutStop).where(on).order_by(PayoutStop.id)).all()
    except SQLAlchemyError:
        return []  # The check of the database has said why.
    finally:
        database.dispose()
    return [
        Check("payouts", False, f"Payouts of {stop.asset}{_whose(stop)} are stopped: {stop.reason}")
        for stop in stops
    ]


def _whose(stop: PayoutStop) -> str:
    return "" if stop.owner_id is None else f" to user {stop.owner_id}"


def _open(signer: Signer) -> None:
    if isinstance(signer, KeystoreSigner):
        signer.open()
    elif isinstance(signer, RemoteSigner):
        signer.public_key()


def _good_key(about: str, signer: Signer, source: KeySource) -> Check:
    return Check(about, True, f"{signer.address}, {source.described}.")


def _deployment(settings: Settings) -> Deployment | str | None:
    """The contracts in use, or why the database can't tell."""
    database = Database(settings.required_database_url)
    try:
        with database.reader() as session:
            return find_deployment(session)
    except SQLAlchemyError as error:
        return f"The database does not tell which are in use: {type(error).__name__}."
    finally:
        database.dispose()
