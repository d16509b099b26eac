"""How the engine reaches its database: named, and quick to notice a dead server."""

import secrets
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from portal.engine import quorum

Connection = psycopg.Connection[tuple[Any, ...]]
# A server that vanished without a goodbye is noticed within about four seconds.
_PATIENCE: dict[str, str] = {
    "connect_timeout": "2",
    "keepalives_idle": "1",
    "keepalives_interval": "1",
    "keepalives_count": "3",
    "tcp_user_timeout": "4000",
}
_NAME, _READER = "portal engine ", "portal reader "


@dataclass(frozen=True)
class Identity:
    """One run of one engine: where it serves, and a name that no other run ever has."""

    address: str
    token: str = field(default_factory=lambda: secrets.token_hex(8))

    def __str__(self) -> str:
        """As it stands in `shard.leader`."""
        return f"{self.address} {self.token}"

    @property
    def application(self) -> str:
        """The `application_name` of those of its connections that may write.

        By it another engine finds them and ends them when it takes over.
        """
        return _NAME + self.token


# The application name that belongs to what `shard.leader` says.
APPLICATION_OF_LEADER = f"'{_NAME}' || split_part(leader, ' ', 2)"


def connect(url: str, identity: Identity, *, writes: bool = True) -> Connection:
    """A connection in autocommit mode. What the URL says itself wins over our patience.

    Raises psycopg.OperationalError when no server lets us in.
    """
    given = conninfo_to_dict(url)
    patience = {name: value for name, value in _PATIENCE.items() if name not in given}
    name = identity.application if writes else _READER + identity.token
    told = make_conninfo(url, application_name=name, **patience)
    connection = psycopg.connect(told, autocommit=True)
    quorum.watch(connection)
    return connection


def in_a_line(error: Exception) -> str:
    """What went wrong, for the log: drivers speak at length."""
    return str(error).partition("\n")[0]
