"""HTTP: signing up, logging in, and what is a trader's own."""

from dataclasses import asdict
from typing import Annotated, Any

from flask import Blueprint, request
from pydantic import Field
from sqlalchemy.orm import Session
from werkzeug.http import dump_cookie

from portal.api.context import Caller, caller, services
from portal.api.failures import PREFIX
from portal.api.operation import ID, operation
from portal.api.shapes import Address, Answer, Body, Code, Signature, Time
from portal.api.spec import COOKIE
from portal.core.clock import now_ms
from portal.escrow.deployment import find_deployment
from portal.plugin_api import PaymentGateway
from portal.users import payment_accounts, wallet
from portal.users.login import DEVICE_COOKIE, DEVICE_SECONDS, device_mark, log_in
from portal.users.models import User
from portal.users.sessions import close_session, open_session
from portal.users.signup import Application, confirm, sign_up

blueprint = Blueprint("users_api", __name__)

Email = Annotated[str, Field(min_length=3, max_length=254, examples=["ada@example.org"])]
Password = Annotated[str, Field(min_length=1, max_length=256)]
Name = Annotated[str, Field(min_length=1, max_length=64)]


_DOORS = f"{PREFIX}/auth"


class SignUpBody(Body):
    """A person's details; names as on their bank account."""

    email: Email
    password: Password
    first_name: Name
    last_name: Name
    nickname: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{3,32}$")]
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$", examples=["DE"])]


class EnrolmentAnswer(Answer):
    """What to set the authenticator app up with."""

    user_id: int
    totp_secret: str
    totp_uri: str


class LogInBody(Body):
    """Proof of identity."""

    email: Email
    password: Password
    code: Code


class WalletAnswer(Answer):
    """The wallet key and the vault address; null until bound, and until contracts are known."""

    address: str | None
    vault: str | None


class Me(Answer):
    """The logged-in trader."""

    id: int
    email: str
    nickname: str
    first_name: str
    last_name: str
    country: str
    kyc_tier: int
    wallet: WalletAnswer


class SessionState(Answer):
    """A live session without its token."""

    csrf_token: str
    expires_at: Time
    user: Me


class SessionAnswer(SessionState):
    """A session just opened; the token is shown this once."""

    token: str


Entered = tuple[SessionAnswer, dict[str, list[str]]]


class WalletDraftBody(Body):
    """The wallet to bind."""

    address: Address


class TypedDataAnswer(Answer):
    """EIP-712 typed data to sign."""

    typed_data: dict[str, Any]


class WalletBody(Body):
    """The signed binding."""

    address: Address
    issued_at: Annotated[int, Field(ge=0, le=2**40)]
    signature: Signature


class PaymentAccountAnswer(Answer):
    """One of the caller's payment accounts."""

    id: int
    method: str
    label: str
    fields: dict[str, str]
    created_at: Time


class PaymentAccountsAnswer(Answer):
    """The caller's payment accounts."""

    accounts: list[PaymentAccountAnswer]


class PaymentAccountBody(Body):
    """A new payment account; `fields` are those of the payment method."""

    method: Annotated[str, Field(min_length=1, max_length=40)]
    label: Annotated[str, Field(max_length=60)] | None = None
    fields: Annotated[
        dict[
            Annotated[str, Field(min_length=1, max_length=40)],
            Annotated[str, Field(max_length=200)],
        ],
        Field(max_length=20),
    ]


@operation(
    blueprint,
    "POST",
    "/auth/signup",
    answer=EnrolmentAnswer,
    status=201,
    access="door",
    body=SignUpBody,
    fails=(409,),
)
def signup(body: SignUpBody) -> EnrolmentAnswer:
    """Sign up; the account works once a code confirms it."""
    home = services()
    enrolment = sign_up(
        home.database,
        home.sealer,
        Application(**body.model_dump()),
        issuer=home.settings.portal_name,
    )
    return EnrolmentAnswer(
        user_id=enrolment.user_id, totp_secret=enrolment.secret, totp_uri=enrolment.uri
    )


@operation(blueprint, "POST", "/auth/confirm", answer=SessionAnswer, access="door", body=LogInBody)
def confirm_signup(body: LogInBody) -> Entered:
    """Confirm a sign-up with the first code, and log in."""
    home = services()
    return _enter(confirm(home.database, home.sealer, body.email, body.password, body.code))


@operation(blueprint, "POST", "/auth/login", answer=SessionAnswer, access="door", body=LogInBody)
def login(body: LogInBody) -> Entered:
    """Log in."""
    home = services()
    user = log_in(
        home.database,
        home.sealer,
        body.email,
        body.password,
        body.code,
        kind="trader",
        device=request.cookies.get(DEVICE_COOKIE, ""),
    )
    return _enter(user)


@operation(blueprint, "GET", "/auth/session", answer=SessionState, machines=False)
def get_session() -> SessionState:
    """The session of this request, with its CSRF token."""
    live: Caller = caller()
    with services().database.reader() as session:
        user = me(session, live.user)
    session_row = live.logged_in()
    return SessionState(csrf_token=session_row.csrf, expires_at=session_row.expires_at, user=user)


@operation(blueprint, "POST", "/auth/logout", answer=None, status=204)
def logout() -> tuple[None, dict[str, str]]:
    """End the session."""
    with services().database.transaction() as session:
        close_session(session, caller().token)
    return None, {"Set-Cookie": _cookie("", 0)}


@operation(blueprint, "GET", "/me", answer=Me)
def get_me() -> Me:
    """The logged-in trader."""
    with services().database.reader() as session:
        return me(session, caller().user)


@operation(blueprint, "POST", "/me/wallet/draft", answer=TypedDataAnswer, body=WalletDraftBody)
def draft_wallet(body: WalletDraftBody) -> TypedDataAnswer:
    """What a wallet must sign to be bound to my account."""
    with services().database.reader() as session:
        data = wallet.binding_request(session, caller().id, body.address)
    return TypedDataAnswer(typed_data=data)


@operation(blueprint, "POST", "/me/wallet", answer=Me, body=WalletBody, fails=(409,))
def bind_wallet(body: WalletBody) -> Me:
    """Bind my wallet."""
    database = services().database
    user = wallet.bind_wallet(database, caller().id, body.address, body.issued_at, body.signature)
    with database.reader() as session:
        return me(session, user)


@operation(blueprint, "GET", "/me/payment-accounts", answer=PaymentAccountsAnswer)
def list_payment_accounts() -> dict[str, Any]:
    """My payment accounts."""
    home = services()
    with home.database.reader() as session:
        found = payment_accounts.list_accounts(session, home.sealer, caller().id)
    return {"accounts": [_account(account) for account in found]}


@operation(
    blueprint,
    "POST",
    "/me/payment-accounts",
    answer=PaymentAccountAnswer,
    status=201,
    body=PaymentAccountBody,
    fails=(404, 409),
)
def add_payment_account(body: PaymentAccountBody) -> PaymentAccountAnswer:
    """Add a payment account in my name."""
    home = services()
    gateway: PaymentGateway = home.plugins.gateway(body.method)
    opened = payment_accounts.add_account(
        home.database,
        home.sealer,
        gateway,
        home.plugins.get_settings(body.method),
        caller().id,
        body.fields,
        body.label,
    )
    return _account(opened)


@operation(
    blueprint,
    "DELETE",
    f"/me/payment-accounts/<{ID}:account_id>",
    answer=None,
    status=204,
    fails=(409,),
)
def remove_payment_account(account_id: int) -> None:
    """Take a payment account out of use."""
    payment_accounts.remove_account(services().database, caller().id, account_id)


def me(session: Session, user: User) -> Me:
    """A trader as they see themself."""
    bound = wallet.wallet_of(user, find_deployment(session))
    return Me(
        id=user.id,
        email=user.email,
        nickname=user.nickname or "",
        first_name=user.first_name,
        last_name=user.last_name,
        country=user.country or "",
        kyc_tier=user.kyc_tier,
        wallet=WalletAnswer(**asdict(bound)),
    )


def _enter(user: User) -> Entered:
    home = services()
    with home.database.transaction() as session:
        opened = open_session(
            session,
            user,
            hours=home.settings.session_hours,
            address=request.remote_addr or "",
            agent=request.headers.get("User-Agent", "").replace("\x00", ""),
        )
        shown = me(session, user)
    answer = SessionAnswer(
        token=opened.token, csrf_token=opened.csrf, expires_at=opened.expires_at, user=shown
    )
    seconds = int(opened.expires_at.timestamp() - now_ms() / 1000)
    mark = _cookie(
        device_mark(home.sealer, user.email), DEVICE_SECONDS, name=DEVICE_COOKIE, path=_DOORS
    )
    return answer, {"Set-Cookie": [_cookie(opened.token, seconds), mark]}


def _cookie(value: str, max_age: int, *, name: str = COOKIE, path: str = "/") -> str:
    secure = services().settings.base_url.startswith("https://")
    return dump_cookie(
        name, value, max_age=max_age, httponly=True, samesite="Strict", secure=secure, path=path
    )


def _account(opened: payment_accounts.OpenedAccount) -> PaymentAccountAnswer:
    return PaymentAccountAnswer(
        id=opened.id,
        method=opened.method,
        label=opened.label,
        fields=opened.fields,
        created_at=opened.created_at,
    )
