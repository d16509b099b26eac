"""Signing up and logging in, against PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pyotp
import pytest
from sqlalchemy import func, select, text, update

from portal.audit.models import AuditEvent
from portal.core.clock import utc_now
from portal.core.db import Database
from portal.core.errors import Conflict, Forbidden, InvalidInput, PortalError, Unauthorized
from portal.core.sealed import Sealer
from portal.users import totp
from portal.users.kyc import set_kyc_tier
from portal.users.login import LockedOut, log_in
from portal.users.models import KycDecision, LoginAttempt, User, UserSession
from portal.users.sessions import close_session, find_session, open_session
from portal.users.signup import Application, Enrolment, confirm, sign_up

pytestmark = pytest.mark.postgres
SEALER = Sealer("a master key for tests")
PASSWORD = "a long enough phrase"


def application(**changes: str) -> Application:
    given = {
        "email": "Ada@Example.org",
        "password": PASSWORD,
        "first_name": "Ada",
        "last_name": "Lovelace",
        "nickname": "ada",
        "country": "GB",
    }
    return Application(**(given | changes))


def enrol(database: Database, **changes: str) -> Enrolment:
    return sign_up(database, SEALER, application(**changes), issuer="OTC Portal")


def code(enrolment: Enrolment, steps: int = 0) -> str:
    return pyotp.TOTP(enrolment.secret).at(utc_now() + timedelta(seconds=30 * steps))


def confirmed(database: Database) -> Enrolment:
    enrolment = enrol(database)
    confirm(database, SEALER, "ada@example.org", PASSWORD, code(enrolment))
    return enrolment


def enter(database: Database, given: str, password: str = PASSWORD) -> User:
    return log_in(database, SEALER, "ada@example.org", password, given, kind="trader")


def test_nobody_unconfirmed_logs_in(database: Database) -> None:
    enrolment = enrol(database)
    with pytest.raises(Unauthorized):
        enter(database, code(enrolment))
    person = confirm(database, SEALER, "ada@example.org", PASSWORD, code(enrolment))
    assert (person.email, person.legal_name, person.kind) == (
        "ada@example.org",
        "Ada Lovelace",
        "trader",
    )
    with database.reader() as session:
        assert [role.name for role in session.get_one(User, person.id).roles] == ["Trader"]
    assert person.password.startswith("$argon2id$")
    assert enrolment.secret not in (person.totp_sealed or "")


def test_signing_up_again_before_confirming_renews_the_secret(database: Database) -> None:
    first, second = enrol(database), enrol(database)
    assert first.user_id == second.user_id
    assert first.secret != second.secret
    confirm(database, SEALER, "ada@example.org", PASSWORD, code(second))
    with pytest.raises(Conflict) as refusal:
        enrol(database)
    assert refusal.value.field == "email"


def test_a_nickname_is_one_persons_whatever_its_case(database: Database) -> None:
    enrol(database)
    with pytest.raises(Conflict) as refusal:
        enrol(database, email="eve@example.org", nickname="ADA")
    assert refusal.value.field == "nickname"


@pytest.mark.parametrize(
    "nickname", ["Support", "otc_support", "ADMIN", "arbiter-1", "Mo_de_rator", "TheStaff"]
)
def test_nobody_trades_under_the_name_of_an_office(database: Database, nickname: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        enrol(database, nickname=nickname)
    assert refusal.value.field == "nickname"


@pytest.mark.parametrize("name", ["Ada\u202eecila", "Ada\x07", "A\u2066da", "Ada\ue000"])
def test_a_name_shows_as_it_is_written(database: Database, name: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        enrol(database, first_name=name)
    assert refusal.value.field == "first_name"


def test_names_of_all_peoples_are_names(database: Database) -> None:
    enrol(database, first_name="Ng\u1ecdc \u00c1nh", last_name="O\u2019Brien-Nu\u00f1ez")
    enrol(
        database, email="x@example.org", nickname="x_1", first_name="\u0645\u06cc\u200c\u0646\u0627"
    )


def test_a_code_works_once(database: Database) -> None:
    enrolment = confirmed(database)
    with pytest.raises(Unauthorized):
        enter(database, code(enrolment))
    assert enter(database, code(enrolment, 1)).id == enrolment.user_id
    with pytest.raises(Unauthorized):
        enter(database, code(enrolment, 1))


def test_of_two_uses_at_once_one_wins(database: Database) -> None:
    enrolment = confirmed(database)

    def attempt(_: int) -> bool:
        with database.transaction() as session:
            user = session.get_one(User, enrolment.user_id)
            return totp.spend_code(session, SEALER, user, code(enrolment, 1))

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(8))) == 1


def test_every_failure_reads_the_same(database: Database) -> None:
    enrolment = confirmed(database)
    attempts = [
        ("nobody@example.org", PASSWORD, "123456", "trader"),
        ("ada@example.org", "another long phrase", code(enrolment, 1), "trader"),
        ("ada@example.org", PASSWORD, "000000", "trader"),
        ("ada@example.org", PASSWORD, code(enrolment, 1), "staff"),
    ]
    told = set()
    for email, password, given, kind in attempts:
        with pytest.raises(Unauthorized) as refusal:
            log_in(database, SEALER, email, password, given, kind=kind)
        told.add(str(refusal.value.as_dict()))
    assert len(told) == 1


@pytest.mark.parametrize("email", ["ada@example.org", "nobody@example.org"])
def test_after_five_failures_the_address_is_locked(database: Database, email: str) -> None:
    enrolment = confirmed(database)
    for _ in range(5):
        with pytest.raises(Unauthorized):
            log_in(database, SEALER, email, "wrong password", "000000", kind="trader")
    with pytest.raises(LockedOut) as locked:
        log_in(database, SEALER, email, PASSWORD, code(enrolment, 1), kind="trader")
    assert 25 <= locked.value.retry_after <= 31


def test_each_lock_is_twice_as_long_and_success_forgets(database: Database) -> None:
    enrolment = confirmed(database)
    waits = []
    for _ in range(8):
        with pytest.raises(PortalError):
            enter(database, "000000", "wrong password")
        with database.transaction() as session:
            attempt = session.scalars(select(LoginAttempt)).one()
            if attempt.locked_until is not None:
                waits.append(round((attempt.locked_until - attempt.at).total_seconds()))
                attempt.locked_until = utc_now() - timedelta(seconds=1)
    assert waits == [30, 60, 120, 240]
    enter(database, code(enrolment, 1))
    with database.reader() as session:
        assert session.scalar(select(func.count()).select_from(LoginAttempt)) == 0


def test_guesses_at_once_are_counted_one_by_one(database: Database) -> None:
    confirmed(database)

    def attempt(_: int) -> type[Exception]:
        try:
            enter(database, "000000", "wrong password")
        except PortalError as error:
            return type(error)
        raise AssertionError

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(attempt, range(12)))
    assert outcomes.count(Unauthorized) == 5
    assert outcomes.count(LockedOut) == 7


def test_a_session_ends_by_itself_by_log_out_and_with_its_person(database: Database) -> None:
    enrolment = confirmed(database)
    with database.transaction() as session:
        user = session.get_one(User, enrolment.user_id)
        tokens = [open_session(session, user, hours=1).token for _ in range(3)]
        stored = session.scalars(select(UserSession.token_hash)).all()
        assert not set(stored) & set(tokens)
    with database.transaction() as session:
        assert all(find_session(session, token) for token in tokens)
        close_session(session, tokens[0])
        assert find_session(session, tokens[0]) is None
        session.execute(
            update(UserSession)
            .where(UserSession.token_hash != "")
            .values(expires_at=utc_now() - timedelta(seconds=1))
        )
        assert find_session(session, tokens[1]) is None
        token = open_session(session, session.get_one(User, user.id), hours=1).token
        session.get_one(User, user.id).active = False
        session.flush()
        assert find_session(session, token) is None


def test_staff_sets_the_tier_with_a_reason(database: Database) -> None:
    trader = confirmed(database).user_id
    with database.transaction() as session:
        officer = User(
            username="officer",
            email="o@example.org",
            first_name="O",
            last_name="K",
            kind="staff",
            active=True,
        )
        session.add(officer)
        session.flush()
        staff = int(officer.id)
    set_kyc_tier(database, staff, trader, 2, "Passport and bill seen")
    with database.reader() as session:
        assert session.get_one(User, trader).kyc_tier == 2
        decision = session.scalars(select(KycDecision)).one()
        assert (decision.decided_by, decision.reason) == (staff, "Passport and bill seen")
        event = session.scalars(select(AuditEvent).where(AuditEvent.kind == "kyc.tier_set")).one()
        assert event.data == {"from": 0, "to": 2, "reason": "Passport and bill seen"}
    for actor, user_id, tier, reason, kind in (
        (trader, trader, 3, "me", Forbidden),
        (staff, trader, 9, "why not", InvalidInput),
        (staff, trader, 1, "  ", InvalidInput),
    ):
        with pytest.raises(kind):
            set_kyc_tier(database, actor, user_id, tier, reason)


def test_secrets_are_sealed_to_their_person(database: Database) -> None:
    enrolment = confirmed(database)
    enrol(database, email="eve@example.org", nickname="eve")
    with database.transaction() as session:
        session.execute(
            text(
                "UPDATE ab_user SET totp_sealed = (SELECT totp_sealed FROM ab_user WHERE "
                "email = 'ada@example.org') WHERE email = 'eve@example.org'"
            )
        )
    with pytest.raises(Exception, match="does not open"):
        confirm(database, SEALER, "eve@example.org", PASSWORD, code(enrolment, 1))
