"""One DATABASE_URL for every driver, also when it names several servers."""

import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import make_url

from portal.core.db import libpq_url, sqlalchemy_url

SEVERAL = "postgresql://portal:s%40@one:5433,two/portal?target_session_attrs=read-write"


def test_a_single_server_stays_as_it_is() -> None:
    url = sqlalchemy_url("postgres://portal:x@db.example:5433/portal")
    assert url == "postgresql+psycopg://portal:x@db.example:5433/portal"


def test_several_servers_reach_sqlalchemy_and_libpq() -> None:
    url = sqlalchemy_url(SEVERAL)
    assert sqlalchemy_url(url) == url
    query = make_url(url).query
    assert (query["host"], query["port"]) == ("one,two", "5433,5432")
    told = conninfo_to_dict(libpq_url(url))
    assert (told["host"], told["port"], told["password"]) == ("one,two", "5433,5432", "s@")
    assert told["target_session_attrs"] == "read-write"


@pytest.mark.parametrize("url", ["postgresql://[::1]:5433,[fe80::2]/portal"])
def test_addresses_of_ipv6_lose_their_brackets(url: str) -> None:
    told = conninfo_to_dict(libpq_url(sqlalchemy_url(url)))
    assert (told["host"], told["port"]) == ("::1,fe80::2", "5433,5432")
