"""What an HTTP endpoint stands on: the portal's services and the caller of this request."""

from dataclasses import dataclass
from functools import cached_property
from typing import cast

from flask import current_app, g

from portal.core.db import Database
from portal.core.errors import Unauthorized
from portal.core.jobs import Engine
from portal.core.sealed import Sealer
from portal.core.settings import Settings
from portal.plugin_host.host import PluginHost
from portal.users.models import User, UserSession
from portal.users.signing import LiveKey, Replays

EXTENSION = "otc_portal"


@dataclass(frozen=True)
class Services:
    """Everything the endpoints of one process share."""

    settings: Settings
    database: Database
    engine: Engine
    plugins: PluginHost
    sealer: Sealer

    @cached_property
    def replays(self) -> Replays:
        """The signatures of API keys that this process saw lately."""
        return Replays(self.settings.signature_window_ms)


@dataclass(frozen=True)
class Caller:
    """Who makes this request: by a session, or signed with an API key."""

    user: User
    session: UserSession | None
    token: str
    by_cookie: bool
    key: LiveKey | None = None

    @property
    def id(self) -> int:
        """The caller's user id."""
        return int(self.user.id)

    def logged_in(self) -> UserSession:
        """The session; only on endpoints that are closed to machines. Raises Unauthorized."""
        if self.session is None:
            raise Unauthorized("You are not logged in.", hint="Log in at /api/v1/auth/login.")
        return self.session


def services() -> Services:
    """The services of the app that handles this request."""
    return cast(Services, current_app.extensions[EXTENSION])


def caller() -> Caller:
    """The logged-in trader; only on endpoints that need one."""
    return cast(Caller, g.caller)


def caller_or_none() -> Caller | None:
    """The logged-in trader, if there is one."""
    return cast(Caller | None, g.get("caller"))
