"""Sign-up: a person exists, but can do nothing, until an authenticator code confirms it."""

import unicodedata
from dataclasses import dataclass

import pycountry
from email_validator import EmailNotValidError, validate_email
from flask_appbuilder.security.sqla.models import Role
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.audit.service import record
from portal.core.clock import utc_now
from portal.core.db import Database
from portal.core.errors import Conflict, InvalidInput
from portal.core.sealed import Sealer
from portal.users import login, totp
from portal.users.models import User
from portal.users.passwords import check_new_password, hash_password

TRADER_ROLE = "Trader"
# Who is called like an office could tell the other side of a trade what to do.
_OFFICES = (
    "admin", "arbiter", "auditor", "compliance", "escrow", "moderator", "official", "operator",
    "otcportal", "staff", "support",
)  # fmt: skip
# Joiners without which some scripts can't be written; all else that is invisible is refused.
_JOINERS = "\u200c\u200d"


@dataclass(frozen=True)
class Application:
    """What a person tells about themself. Names are the legal ones, `country` ISO 3166-1."""

    email: str
    password: str
    first_name: str
    last_name: str
    nickname: str
    country: str


@dataclass(frozen=True)
class Enrolment:
    """What the person needs to set up their authenticator app."""

    user_id: int
    secret: str
    uri: str


def sign_up(database: Database, sealer: Sealer, given: Application, *, issuer: str) -> Enrolment:
    """Create an unconfirmed trader, or renew one that was never confirmed.

    Raises InvalidInput naming the field, Conflict when the e-mail address or nickname is taken.
    """
    application = _checked(given)
    password_hash = hash_password(application.password)
    try:
        with database.transaction() as session:
            user = _draft(session, application, password_hash)
            secret = totp.new_secret()
            user.totp_sealed = totp.seal_secret(sealer, user.id, secret)
            record(session, f"user:{user.id}", "user.signed_up", f"user:{user.id}", {})
            return Enrolment(
                user.id, secret, totp.provisioning_uri(secret, application.email, issuer)
            )
    except IntegrityError as error:
        raise Conflict(
            "This nickname is taken.", field="nickname", value=application.nickname
        ) from error


def confirm(database: Database, sealer: Sealer, email: str, password: str, code: str) -> User:
    """Activate the trader who can show password and first code. Raises as a log-in does."""
    attempt = login.admit(database, sealer, email)
    with database.transaction() as session:
        user: User | None = session.scalar(
            select(User).where(func.lower(User.email) == email.strip().lower()).with_for_update()
        )
        pending = user if user is not None and _is_pending(user) else None
        if login.proves(session, sealer, pending, password, code) and pending is not None:
            pending.active = True
            pending.totp_confirmed = utc_now()
            login.forgive(session, attempt)
            record(session, f"user:{pending.id}", "user.confirmed", f"user:{pending.id}", {})
            return pending
    raise login.refused()


def normal_email(text: str) -> str:
    """An e-mail address in lower case. Raises InvalidInput naming `email`."""
    try:
        # Reserved test domains are let through: the demo's people live there.
        checked = validate_email(text.strip(), check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise InvalidInput(
            "This is not an e-mail address.", field="email", value=text, hint=str(error)
        ) from error
    return checked.normalized.lower()


def trader_role(session: Session) -> Role:
    """The role of every trader; it carries no permission in the back office."""
    role = session.scalar(select(Role).where(Role.name == TRADER_ROLE))
    if role is None:
        role = Role(name=TRADER_ROLE)
        session.add(role)
    return role


def _draft(session: Session, application: Application, password_hash: str) -> User:
    user: User | None = session.scalar(
        select(User).where(func.lower(User.email) == application.email).with_for_update()
    )
    if user is None:
        user = User(email=application.email, kind="trader", roles=[trader_role(session)])
        session.add(user)
    elif not _is_pending(user):
        raise Conflict(
            "Somebody with this e-mail address is registered already.",
            field="email",
            value=application.email,
            hint="Log in instead.",
        )
    user.username = application.nickname.lower()
    user.nickname = application.nickname
    user.first_name, user.last_name = application.first_name, application.last_name
    user.country = application.country
    user.password = password_hash
    user.active = False
    session.flush()
    return user


def _is_pending(user: User) -> bool:
    return user.kind == "trader" and user.totp_confirmed is None


def _checked(given: Application) -> Application:
    email = normal_email(given.email)
    _check_nickname(given.nickname)
    first = _name(given.first_name, "first_name")
    last = _name(given.last_name, "last_name")
    check_new_password(given.password, email, given.nickname, f"{first} {last}", first + last)
    return Application(email, given.password, first, last, given.nickname, _country(given.country))


def _check_nickname(nickname: str) -> None:
    plain = nickname.lower().replace("_", "").replace("-", "")
    if any(office in plain for office in _OFFICES):
        raise InvalidInput(
            "This nickname reads like somebody who works here.",
            field="nickname",
            value=nickname,
            hint="Choose another one.",
        )


def _name(text: str, field: str) -> str:
    name = " ".join(unicodedata.normalize("NFC", text).split())
    hidden = any(unicodedata.category(one)[0] == "C" and one not in _JOINERS for one in name)
    if not name or len(name) > 64 or hidden or not any(letter.isalpha() for letter in name):
        raise InvalidInput(
            f"{field} must be your name as on your bank account, at most 64 characters.",
            field=field,
            value=text,
        )
    return name


def _country(code: str) -> str:
    if pycountry.countries.get(alpha_2=code.upper()) is None:
        raise InvalidInput(
            "country must be the two-letter code of a country.",
            field="country",
            value=code,
            hint="Like DE, FR or PT.",
        )
    return code.upper()
