"""What a view works with: the services of the portal, the reading session, who is at the desk."""

from typing import Any, Protocol, cast

from flask import current_app
from flask_login import current_user
from sqlalchemy.orm import Session

from portal.core.db import Database
from portal.core.jobs import Engine
from portal.core.sealed import Sealer
from portal.core.settings import Settings
from portal.users.models import User

EXTENSION = "portal_backoffice"


class Services(Protocol):
    """What the back office needs of the portal's services (see `portal.api.context`)."""

    @property
    def settings(self) -> Settings:
        """Settings of this process."""

    @property
    def database(self) -> Database:
        """The database."""

    @property
    def engine(self) -> Engine:
        """The engine, by its client."""

    @property
    def plugins(self) -> Any:
        """The plugin host."""

    @property
    def sealer(self) -> Sealer:
        """Opens and seals sensitive fields."""


def services() -> Services:
    """The services this app was made with."""
    return cast(Services, current_app.extensions[EXTENSION])


def reader() -> Session:
    """The session of this request, for reading only: changes go through services."""
    return cast(Session, cast(Any, current_app).appbuilder.session)


def staff() -> User:
    """The person at the desk."""
    return cast(User, current_user)
