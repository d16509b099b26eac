"""A back office with one member of staff per role, and the ways to use it."""

import re
from dataclasses import dataclass, field
from typing import Any

import pyotp
from flask import Flask
from flask.testing import FlaskClient
from flask_appbuilder.security.sqla.models import Role
from sqlalchemy import select
from sqlalchemy.orm import Session

from config import flask_config
from portal.backoffice.permissions import sync_permissions
from portal.backoffice.roles import STAFF_ROLES
from portal.backoffice.setup import register_backoffice
from portal.core.clock import utc_now
from portal.core.db import Database
from portal.core.sealed import Sealer
from portal.core.settings import Settings
from portal.plugin_host.host import PluginHost
from portal.users.models import User
from portal.users.passwords import hash_password
from portal.users.totp import seal_secret

PASSWORD = "correct horse battery staple"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


@dataclass
class RecordingEngine:
    """Stands where the engine process would: what the desk asks of it is what is tested here."""

    commands: list[dict[str, Any]] = field(default_factory=list)

    def submit(self, command: dict[str, object]) -> dict[str, object]:
        """Keep the command."""
        self.commands.append(command)
        return {}


@dataclass(frozen=True)
class DeskServices:
    """The services of a web process."""

    settings: Settings
    database: Database
    engine: Any
    plugins: PluginHost
    sealer: Sealer


def make_services(settings: Settings, database: Database) -> DeskServices:
    """Services on the test's database."""
    sealer = Sealer(settings.master_key.get_secret_value())
    return DeskServices(
        settings, database, RecordingEngine(), PluginHost(settings, database), sealer
    )


def make_app(services: DeskServices) -> Flask:
    """An app that has the back office and nothing else."""
    app = Flask("portal", static_folder=None)
    app.config.update(flask_config(services.settings))
    register_backoffice(app, services)
    return app


def add_staff(services: DeskServices) -> None:
    """Roles, and one colleague in each: admin@, operator@, …"""
    sync_permissions(services.database)
    password = hash_password(PASSWORD)
    with services.database.transaction() as session:
        roles = {role.name: role for role in session.scalars(select(Role))}
        for name in STAFF_ROLES:
            user = User(
                username=name.lower(),
                email=f"{name.lower()}@demo.test",
                first_name=name,
                last_name="Person",
                kind="staff",
                active=True,
                password=password,
                totp_confirmed=utc_now(),
                roles=[roles[name]],
            )
            session.add(user)
            session.flush()
            user.totp_sealed = seal_secret(services.sealer, user.id, SECRET)


def user(session: Session, email: str) -> User:
    """A colleague's row."""
    return session.scalars(select(User).where(User.email == email)).one()


def csrf(client: FlaskClient, url: str) -> str:
    """The form token of a page."""
    found = _TOKEN.search(client.get(url, follow_redirects=True).text)
    assert found, f"{url} has no form"
    return found.group(1)


def code(steps_ahead: int = 0) -> str:
    """A one-time code that is right now."""
    return pyotp.TOTP(SECRET).at(int(utc_now().timestamp()) + 30 * steps_ahead)


def log_in(client: FlaskClient, email: str, **changed: str) -> Any:
    """Send the log-in form."""
    form = {
        "email": email,
        "password": PASSWORD,
        "code": code(),
        "csrf_token": csrf(client, "/backoffice/login"),
    }
    return client.post("/backoffice/login", data=form | changed)


def post(client: FlaskClient, url: str, **form: Any) -> Any:
    """Send a form with the token that the page of logged-in staff carries."""
    return client.post(
        url,
        data={**form, "csrf_token": csrf(client, "/backoffice/")},
        content_type="multipart/form-data",
    )
