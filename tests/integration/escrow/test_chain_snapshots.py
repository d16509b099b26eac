"""A chain snapshot says what was, is by us, and any change to it or to the world is named."""

import copy
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text

from portal.cli import main
from portal.core.clock import utc_now
from portal.core.errors import Conflict, InvalidInput, Unavailable
from portal.core.settings import Settings
from portal.escrow.deployment import Deployment
from portal.escrow.signers.chosen import relayer
from portal.escrow.snapshots import checking
from portal.escrow.snapshots.chain_part import finalized_block
from portal.escrow.snapshots.jobs import take_chain_snapshot
from portal.escrow.snapshots.snapshot import create, directory, prune, read
from tests.integration.escrow.test_payout_stops import release, steal
from tests.integration.escrow.world import ESCROWED, FUNDED, World

pytestmark = [pytest.mark.postgres, pytest.mark.chain]


def problems(world: World, snapshot: dict[str, Any]) -> list[str]:
    return checking.verify(world.settings, world.database, snapshot)


def made(world: World) -> dict[str, Any]:
    return read(create(world.settings, world.database))


def test_a_snapshot_holds_the_block_the_trades_and_the_totals(world: World) -> None:
    paid, locked = world.paid_trade(), world.locked_trade()
    snapshot = made(world)
    chain, ledger = snapshot["content"]["chain"], snapshot["content"]["ledger"]
    block = world.client.call("eth_getBlockByNumber", hex(chain["block"]["number"]), False)
    assert chain["block"]["hash"] == block["hash"]
    found = {number: trade["status"] for number, trade in chain["trades"].items()}
    assert found == {str(paid): "paid", str(locked): "open"}
    assert {int(trade["word"], 16) & 0xFF for trade in chain["trades"].values()} == {1, 2}
    usdt = chain["tokens"]["USDT"]
    assert usdt["escrow"] == str(2 * ESCROWED)
    alices = world.vault(world.alice).lower()
    assert usdt["vaults"] == {alices: str(FUNDED - 2 * ESCROWED)}
    totals = ledger["shards"]["main"]["totals"]["USDT"]
    assert totals["escrow"] == str(2 * ESCROWED)
    assert totals["outside"] == str(-FUNDED)
    assert snapshot["signer"] == relayer(world.settings).address
    assert problems(world, snapshot) == []


def test_what_happens_later_does_not_change_what_was(world: World) -> None:
    trade_id = world.paid_trade()
    snapshot = made(world)
    release(world, trade_id)
    world.work()
    world.locked_trade()
    assert world.trade(trade_id).state == "completed"
    assert problems(world, snapshot) == []


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("chain", "tokens", "USDT", "escrow"), "1", "chain: tokens: USDT: escrow: the snapshot"),
        (("chain", "escrow", "code_hash"), "0x00", "chain: escrow: code_hash: the snapshot says"),
        (("chain", "escrow", "storage_hash"), "0x00", "chain: escrow: storage_hash: the snapsh"),
        (("chain", "block", "hash"), "0x" + "11" * 32, "chain: The node has block"),
        (("ledger", "shards", "main", "journal_hash"), "00", "in the snapshot it has 00"),
        (("ledger", "shards", "main", "totals", "USDT", "held"), "7", "totals of shard main: USDT"),
        (("ledger", "audit", "hash"), "00", "of the audit log has the hash"),
    ],
)
def test_a_changed_snapshot_says_where(
    world: World, path: tuple[str, ...], value: str, said: str
) -> None:
    world.locked_trade()
    snapshot = made(world)
    place = snapshot["content"]
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    found = problems(world, snapshot)
    assert any("or the content was changed" in problem for problem in found)
    assert any(said in problem for problem in found), found
    assert len(found) == 2


def test_a_changed_trade_is_named(world: World) -> None:
    number = str(world.locked_trade())
    snapshot = made(world)
    kept = snapshot["content"]["chain"]["trades"]
    changed = copy.deepcopy(snapshot)
    changed["content"]["chain"]["trades"][number]["status"] = "paid"
    assert f"chain: trades: {number}: status: the snapshot says paid, it is open" in problems(
        world, changed
    )
    kept["999"] = kept[number]
    assert any("trade 999 is not there" in problem for problem in problems(world, snapshot))


def test_a_signature_by_anybody_else_is_none(world: World) -> None:
    snapshot = made(world)
    snapshot["signature"] = world.alice.sign(
        checking.to_sign(snapshot["content"])  # what Alice signs is right, but she is not us
    )
    (problem,) = problems(world, snapshot)
    assert f"signature: it is by {world.alice.account.address}" in problem
    snapshot["signature"] = "0x00"
    (problem,) = problems(world, snapshot)
    assert "signature: it can't be checked" in problem


def test_a_snapshot_outlives_its_relayer(world: World) -> None:
    """The vaults' co-signer stands on chain for good."""
    snapshot = made(world)
    later = world.settings.model_copy(update={"relayer_key": world.settings.arbiter_key})
    assert checking.signature_problems(later, snapshot) == []


def test_a_database_that_lost_commands_or_trades_is_found(world: World) -> None:
    trade_id = world.locked_trade()
    snapshot = made(world)
    seq = snapshot["content"]["ledger"]["shards"]["main"]["seq"]
    with world.database.transaction() as session:
        session.execute(text("UPDATE shard SET seq = :seq"), {"seq": seq - 3})
        session.execute(text("DELETE FROM escrow"))
    said = checking.database_problems(world.database, snapshot)
    assert any(f"ends at command {seq - 3}, the snapshot at {seq}: 3 commands" in s for s in said)
    assert any(f"trade {trade_id} is not there" in problem for problem in said)


def test_a_balance_that_was_changed_by_hand_is_found(world: World) -> None:
    world.locked_trade()
    snapshot = made(world)
    assert checking.database_problems(world.database, snapshot) == []
    with world.database.transaction() as session:
        session.execute(text("UPDATE account SET balance = balance + 5 WHERE kind = 'escrow'"))
    (problem,) = checking.database_problems(world.database, snapshot)
    assert problem == (
        f"database: totals of shard main: USDT: escrow: the snapshot says {ESCROWED}, "
        f"it is {ESCROWED + 5}"
    )


def test_a_chain_that_is_another_one_below_is_found(world: World) -> None:
    before = world.rpc("evm_snapshot")
    world.locked_trade()
    snapshot = made(world)
    world.rpc("evm_revert", before)
    world.rpc("anvil_mine", "0x10")
    said = checking.chain_problems(world.settings, snapshot)
    assert any("The node has block" in problem for problem in said), said


def test_coins_that_vanish_later_are_not_the_snapshots_matter(world: World) -> None:
    world.locked_trade()
    snapshot = made(world)
    steal(world, 1)
    assert checking.chain_problems(world.settings, snapshot) == []


def test_one_is_made_a_day(world: World) -> None:
    assert take_chain_snapshot(world.context).endswith("made")
    assert take_chain_snapshot(world.context).endswith("was made before")
    (file,) = directory(world.settings).iterdir()
    assert file.name.startswith("chain-20")


def test_a_dead_chain_leaves_no_file(world: World) -> None:
    elsewhere = {"chain_rpc_urls": "http://127.0.0.1:1", "var_dir": world.settings.var_dir}
    dead = Settings(_env_file=None, database_url=world.settings.database_url, **elsewhere)
    with pytest.raises(Unavailable):
        create(dead, world.database)
    assert not directory(dead).exists()


def test_what_is_not_final_is_not_taken(world: World) -> None:
    """Elsewhere than on a development chain the node's own word counts: here block 0."""
    known = world.deployment
    real = Deployment(1, known.escrow, known.tokens, known.block)
    with pytest.raises(Conflict, match="Block 0 is the newest that is final"):
        finalized_block(world.client, real, 1)
    world.rpc("anvil_mine", "0x60")
    block = finalized_block(world.client, real, 1)
    assert known.block <= block.number < world.client.block_number() - 32


@pytest.mark.parametrize("content", [None, b"{", b"[]", b'{"content": {"format": "other"}}'])
def test_what_is_no_snapshot_is_refused(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "a.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InvalidInput, match=r"can't be read|is not"):
        read(file)


def test_the_commands(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", str(world.settings.database_url))
    monkeypatch.setenv("CHAIN_RPC_URLS", str(world.settings.chain_rpc_urls))
    monkeypatch.setenv("VAR_DIR", str(tmp_path))

    def run(*words: str) -> Result:
        return CliRunner().invoke(main, ["snapshot", *words])

    assert "There is no chain snapshot" in run("verify").output
    world.locked_trade()
    file = Path(run("create").output.strip())
    assert file.parent == tmp_path / "snapshots"
    good = run("verify")
    assert (good.exit_code, "node and database say the same" in good.output) == (0, True)
    restored = run("restore-check", str(file))
    assert restored.exit_code == 0
    assert "holds everything up to the snapshot" in restored.output
    spoilt = orjson.loads(file.read_bytes())
    spoilt["content"]["chain"]["tokens"]["USDT"]["escrow"] = "1"
    file.write_bytes(orjson.dumps(spoilt))
    bad = run("verify", str(file))
    assert bad.exit_code == 1
    assert f"the snapshot says 1, it is {ESCROWED}" in bad.output
    assert "2 differences." in bad.output


def test_snapshots_of_long_ago_are_deleted_and_the_newest_never(world: World) -> None:
    days = world.settings.chain_snapshot_keep_days
    today = utc_now().date()
    place = directory(world.settings)
    place.mkdir(parents=True, exist_ok=True)
    names = [
        f"chain-{today - timedelta(days=days + 1)}-7.json",
        f"chain-{today - timedelta(days=days)}-8.json",
        "chain-kept-by-hand.json",
    ]
    for second, name in enumerate(names):
        (place / name).write_text("{}")
        os.utime(place / name, (second, second))
    assert take_chain_snapshot(world.context).endswith("made, 1 of long ago deleted")
    left = {file.name for file in place.iterdir()}
    assert not {names[0]} & left
    assert {names[1], names[2]} < left
    for file in place.iterdir():
        file.unlink()
    (place / names[0]).write_text("{}")
    assert prune(world.settings) == []
    assert (place / names[0]).exists()
