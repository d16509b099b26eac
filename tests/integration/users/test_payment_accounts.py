"""Payment accounts: one belongs to one person, however fast others are."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from plugins.payment_gateways.sepa.gateway import SepaGateway
from portal.core.db import Database
from portal.core.errors import Conflict
from portal.core.sealed import Sealer
from portal.users.models import User
from portal.users.payment_accounts import add_account

pytestmark = pytest.mark.postgres
SEALER = Sealer("a master key for tests")
FIELDS = {"iban": "DE89370400440532013000", "holder": "Ada Lovelace"}


def test_of_many_at_once_one_gets_the_account(database: Database) -> None:
    with database.transaction() as session:
        people = [
            User(
                username=f"ada{number}",
                email=f"ada{number}@example.test",
                first_name="Ada",
                last_name="Lovelace",
                active=True,
                kind="trader",
            )
            for number in range(8)
        ]
        session.add_all(people)
        session.flush()
        ids = [person.id for person in people]
    gateway = SepaGateway()

    def add(user_id: int) -> bool:
        settings = gateway.settings_model()
        try:
            add_account(database, SEALER, gateway, settings, user_id, FIELDS)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(add, ids)) == 1
