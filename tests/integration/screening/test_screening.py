"""Lists from a file to a held trade."""

from pathlib import Path

import pytest

from portal.core.db import Database
from portal.core.errors import Conflict, InvalidInput
from portal.screening.models import ScreeningList
from portal.screening.service import Screener, import_list
from portal.trades.jobs import run_clearing
from portal.users.models import User
from tests.integration.payments.conftest import world  # noqa: F401
from tests.integration.payments.world import World

pytestmark = pytest.mark.postgres
FILE = Path(__file__).parents[2] / "unit" / "screening" / "sdn.xml"


def take(database: Database, file: Path = FILE, *, may_shrink: bool = False) -> int:
    with database.transaction() as session:
        return import_list(session, "ofac", file, actor="system", may_shrink=may_shrink).version


def shorter(folder: Path) -> Path:
    text = FILE.read_text()
    start, end = text.index("  <sdnEntry><uid>103"), text.index("</sdnList>")
    file = folder / "SDN.XML"
    file.write_text(text[:start] + text[end:])
    return file


def test_a_trade_of_somebody_like_one_on_the_list_is_held(world: World) -> None:  # noqa: F811
    take(world.database)
    with world.database.transaction() as session:
        user = session.get_one(User, world.buyer[0])
        user.first_name, user.last_name = "Wladimir", "Examplov"
    trade_id = world.matched()
    run_clearing(world.context)
    trade = world.trade(trade_id)
    assert trade.state == "held"
    assert "buyer's name is like one on a sanctions list (ofac 101" in str(trade.reason)


def test_a_trade_from_a_listed_wallet_is_held(world: World) -> None:  # noqa: F811
    take(world.database)
    with world.database.transaction() as session:
        user = session.get_one(User, world.seller[0])
        user.wallet_address = "0x52908400098527886e0f7030069857d2e4169ee7"
    trade_id = world.matched()
    run_clearing(world.context)
    assert world.trade(trade_id).state == "held"


def test_others_trade_on(world: World) -> None:  # noqa: F811
    take(world.database)
    trade_id = world.matched()
    run_clearing(world.context)
    assert world.trade(trade_id).state == "locking"


def test_a_new_list_counts_at_once_in_every_process(database: Database) -> None:
    screener = Screener()
    with database.reader() as session:
        assert screener.names(session, "Xiaoming Wang", 88) == []
    assert take(database) == 1
    with database.reader() as session:
        assert [match.uid for match in screener.names(session, "王小明", 88)] == ["103"]


def test_a_shrunken_list_changes_nothing_unless_it_is_wanted(
    database: Database, tmp_path: Path
) -> None:
    take(database)
    with pytest.raises(Conflict, match="has 2 entries, the list in use 4"):
        take(database, shorter(tmp_path))
    with database.reader() as session:
        assert session.get_one(ScreeningList, "ofac").version == 1
        assert Screener().names(session, "Xiaoming Wang", 88)
    assert take(database, shorter(tmp_path), may_shrink=True) == 2


def test_an_empty_list_is_refused_and_the_old_one_stays(database: Database, tmp_path: Path) -> None:
    take(database)
    empty = tmp_path / "SDN.XML"
    empty.write_text('<sdnList xmlns="x"/>')
    with pytest.raises(InvalidInput, match="holds no sdnEntry"):
        take(database, empty, may_shrink=True)
    with database.reader() as session:
        assert session.get_one(ScreeningList, "ofac").entries == 4
