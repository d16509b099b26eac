"""The database: one declarative base, one way to open a transaction."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from urllib.parse import urlencode, urlsplit

from sqlalchemy import BigInteger, DateTime, MetaData, create_engine
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker

_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
_HOST = re.compile(r"^(\[.*\]|[^:]*):?(\d*)$")


class Base(DeclarativeBase):
    """Base of every table but Flask-AppBuilder's own."""

    metadata = MetaData(naming_convention=_NAMES)
    type_annotation_map = {int: BigInteger, datetime: DateTime(timezone=True)}  # noqa: RUF012


class Database:
    """A pool of connections to one PostgreSQL, handing out sessions.

    `url` is a SQLAlchemy URL; `postgresql://` is taken to mean psycopg 3.
    """

    def __init__(self, url: str, *, pool_size: int = 5) -> None:
        self.url = sqlalchemy_url(url)
        self.engine = create_engine(
            self.url,
            pool_size=pool_size,
            max_overflow=pool_size * 2,
            pool_pre_ping=True,
            # Errors end up in logs and job runs; hashes and sealed fields must not.
            hide_parameters=True,
        )
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A session in one transaction: committed at the end, rolled back on any exception."""
        with self._sessions() as session, session.begin():
            yield session

    @contextmanager
    def reader(self) -> Iterator[Session]:
        """A session for reading; whatever it changed is rolled back. Rows stay readable after."""
        # Closing rolls back too, and unlike rollback() does not expire what was read.
        with self._sessions() as session:
            yield session

    def dispose(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()


def sqlalchemy_url(url: str) -> str:
    """`postgresql://…` or `postgres://…` as SQLAlchemy wants it for psycopg 3.

    Several hosts (`…@one:5432,two:5432/portal?target_session_attrs=read-write`) become
    parameters, which both SQLAlchemy and libpq understand.
    """
    for prefix in ("postgresql://", "postgres://"):
        if url.startswith(prefix):
            url = "postgresql+psycopg://" + url.removeprefix(prefix)
    parts = urlsplit(url)
    login, at, hosts = parts.netloc.rpartition("@")
    if "," not in hosts:
        return url
    pairs = [_HOST.sub(r"\1 \2", host).split(" ") for host in hosts.split(",")]
    several = urlencode(
        {
            "host": ",".join(name.strip("[]") for name, _ in pairs),
            "port": ",".join(port or "5432" for _, port in pairs),
        },
        safe=",:",
    )
    query = "&".join(filter(None, (several, parts.query)))
    return f"{parts.scheme}://{login}{at}{parts.path}?{query}"


def libpq_url(url: str) -> str:
    """The same URL as plain psycopg wants it."""
    return url.replace("postgresql+psycopg://", "postgresql://", 1)
