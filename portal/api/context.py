"""What an HTTP endpoint stands on: the portal's services and the caller of this request."""

from dataclasses import dataclass
from typing import cast

from flask import current_app, g

from portal.core.db import Database
from portal.core.jobs import Engine
from portal.core.sealed import Sealer
from portal.core.settings import Settings
from portal.plugin_host.host import PluginHost
from portal.users.models import User, UserSession

EXTENSION = "otc_portal"


@dataclass(frozen=True)
class Services:
    """Everything the endpoints of one process share."""

    settings: Settings
    database: Database
    engine: Engine
    plugins: PluginHost
    sealer: Sealer


@dataclass(frozen=True)
class Caller:
    """Who makes this request, and with which session."""

    user: User
    session: UserSession
    token: str
    by_cookie: bool

    @property
    def id(self) -> int:
        """The caller's user id."""
        return int(self.user.id)


def services() -> Services:
    """The services of the app that handles this request."""
    return cast(Services, current_app.extensions[EXTENSION])


def caller() -> Caller:
    """The logged-in trader; only on endpoints that need one."""
    return cast(Caller, g.caller)


def caller_or_none() -> Caller | None:
    """The logged-in trader, if there is one."""
    return cast(Caller | None, g.get("caller"))
