"""Fixtures of the back office's tests."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.core.db import Database
from portal.core.settings import Settings
from tests.integration.backoffice import desk


@pytest.fixture
def services(settings: Settings, database: Database) -> desk.DeskServices:
    """Services with staff in every role."""
    services = desk.make_services(settings, database)
    desk.add_staff(services)
    return services


@pytest.fixture
def app(services: desk.DeskServices) -> Flask:
    """The back office."""
    return desk.make_app(services)


@pytest.fixture
def as_role(app: Flask) -> Callable[[str], FlaskClient]:
    """A browser in which a colleague of this role is logged in."""

    def enter(role: str) -> FlaskClient:
        client = app.test_client()
        answer = desk.log_in(client, f"{role.lower()}@demo.test")
        assert answer.status_code == 302, answer.text
        return client

    return enter
