"""Checkpoints, proofs and evidence: what others can check, and every way of cheating them."""

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from portal.audit import check_evidence, evidence, notes, proofs, tree
from portal.audit.checkpoints import checkpoint, newest_checkpoint, signing
from portal.audit.service import record
from portal.audit.tiles import WIDTH
from portal.audit.tree_checks import tree_differences
from portal.cli import main
from portal.core.db import Database
from portal.core.errors import Conflict, InvalidInput, NotFound
from portal.core.settings import Settings

pytestmark = pytest.mark.postgres


def write(database: Database, count: int) -> None:
    with database.transaction() as session:
        for number in range(count):
            record(session, "staff:1", "note.added", "user:7", {"number": number, "text": "ü"})


def differences(settings: Settings, database: Database) -> list[str]:
    with database.reader() as session:
        return list(tree_differences(session, signing(settings).verifiers))


def note(settings: Settings, database: Database) -> notes.Checkpoint:
    made = checkpoint(settings, database)
    assert made is not None
    return notes.read(made.note, signing(settings).verifier)


def test_a_log_without_events_has_no_checkpoint(settings: Settings, database: Database) -> None:
    assert checkpoint(settings, database) is None
    assert differences(settings, database) == []


def test_a_checkpoint_takes_in_every_stream(settings: Settings, a_trade: Database) -> None:
    write(a_trade, 3)
    with a_trade.reader() as session:
        events = session.execute(text("SELECT count(*) FROM audit_event")).scalar_one()
    assert note(settings, a_trade).size == events
    assert checkpoint(settings, a_trade) == newest_of(a_trade)
    assert differences(settings, a_trade) == []


def newest_of(database: Database) -> Any:
    with database.reader() as session:
        found = newest_checkpoint(session)
        assert found is not None
        return Same(found.size, found.note)


class Same:
    """Equal to a checkpoint of that size and note."""

    def __init__(self, size: int, note: str) -> None:
        self._is = (size, note)

    def __eq__(self, other: Any) -> bool:
        return self._is == (other.size, other.note)

    __hash__ = None  # type: ignore[assignment]


def test_every_event_is_proven_whatever_came_between(
    settings: Settings, database: Database
) -> None:
    """Three checkpoints, across the edge of a tile; proofs under the newest."""
    for count in (5, WIDTH, 40):
        write(database, count)
        now = note(settings, database)
    assert now.size == 45 + WIDTH
    with database.reader() as session:
        for seq in (1, 5, 6, WIDTH - 1, WIDTH, WIDTH + 1, WIDTH + 45):
            proof = proofs.prove(session, "portal", seq)
            leaf = tree.leaf_hash(bytes.fromhex(proof.event["hash"]))
            path = proofs.read_path(proof.path)
            assert tree.root_by_inclusion(leaf, proof.leaf, now.size, path) == now.root
    assert differences(settings, database) == []


def test_the_log_is_shown_to_have_only_grown(settings: Settings, database: Database) -> None:
    kept = []
    for count in (1, 300, 7):
        write(database, count)
        kept.append(note(settings, database))
    with database.reader() as session:
        for old in kept:
            path, _ = proofs.consistency(session, old.size)
            now = kept[-1]
            steps = proofs.read_path(path)
            assert tree.is_consistent(old.size, now.size, old.root, now.root, steps)


def test_checkpoints_at_once_make_one_tree(settings: Settings, database: Database) -> None:
    def work(number: int) -> None:
        write(database, 3)
        checkpoint(settings, database)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(12)))
    assert note(settings, database).size == 36
    assert differences(settings, database) == []


def test_what_is_not_there_or_not_yet_is_told_so(settings: Settings, database: Database) -> None:
    with database.reader() as session:
        with pytest.raises(NotFound):
            proofs.prove(session, "portal", 1)
        with pytest.raises(NotFound):
            proofs.consistency(session, 0)
    write(database, 1)
    checkpoint(settings, database)
    write(database, 1)
    with database.reader() as session:
        with pytest.raises(Conflict, match="in no checkpoint yet"):
            proofs.prove(session, "portal", 2)
        for size in (-1, 2):
            with pytest.raises(InvalidInput):
                proofs.consistency(session, size)


def unguarded(database: Database, statement: str) -> None:
    with database.transaction() as session:
        for table in ("audit_event", "audit_span", "audit_checkpoint"):
            session.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER append_only"))
        session.execute(text(statement))


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE audit_event SET hash = repeat('0', 64) WHERE seq = 2", "another root"),
        ("DELETE FROM audit_event WHERE seq = 6", "events of portal are missing behind leaf 5"),
        ("UPDATE audit_tile SET hashes = decode(repeat('00', 192), 'hex')", "tile 0 of level 0"),
        ("DELETE FROM audit_tile", "tile 0 of level 0"),
        ("DELETE FROM audit_span WHERE first_leaf = 0", "leaf 3 is not where it should be"),
        ("DELETE FROM audit_span WHERE first_leaf = 3", "a checkpoint says 6"),
        ("UPDATE audit_span SET first_seq = 2 WHERE first_leaf = 0", "leaf 0 is not where"),
        ("DELETE FROM audit_checkpoint WHERE size = 6", "no checkpoint tells of its 6 leaves"),
        ("UPDATE audit_checkpoint SET size = 4 WHERE size = 3", "none was made there"),
        (
            "UPDATE audit_checkpoint SET note = replace(note, E'\\n3\\n', E'\\n2\\n')",
            "no good signature",
        ),
    ],
)
def test_every_change_behind_its_back_is_seen(
    settings: Settings, database: Database, statement: str, found: str
) -> None:
    for _ in range(2):
        write(database, 3)
        checkpoint(settings, database)
    unguarded(database, statement)
    assert any(found in difference for difference in differences(settings, database))


@pytest.mark.parametrize("table", ["audit_event", "audit_span", "audit_checkpoint", "transfer"])
@pytest.mark.parametrize("statement", ["DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_the_past_can_not_be_emptied(
    settings: Settings, a_trade: Database, table: str, statement: str
) -> None:
    checkpoint(settings, a_trade)
    with pytest.raises(DBAPIError, match="append-only"), a_trade.transaction() as session:
        session.execute(text(statement.format(table)))


def test_a_key_of_the_operators_own_signs_and_the_former_one_still_counts(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    write(database, 2)
    checkpoint(settings, database)
    file = tmp_path / "audit.pem"
    made = subprocess.run(
        ["openssl", "genpkey", "-algorithm", "ed25519", "-out", str(file)], check=True
    )
    assert made.returncode == 0
    former = str(signing(settings).verifier)
    changed = settings.model_copy(update={"audit_key_file": file})
    write(database, 2)
    assert note(changed, database).size == 4
    assert any("no good signature" in one for one in differences(changed, database))
    known = changed.model_copy(update={"audit_former_keys": former})
    assert differences(known, database) == []


@pytest.mark.parametrize("content", [b"", b"-----BEGIN NONSENSE-----", b"\x00\xff"])
def test_a_file_that_holds_no_key_is_named(
    settings: Settings, tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "audit.pem"
    file.write_bytes(content)
    with pytest.raises(InvalidInput, match="AUDIT_KEY_FILE"):
        signing(settings.model_copy(update={"audit_key_file": file}))


@pytest.fixture
def bundle(settings: Settings, a_trade: Database, tmp_path: Path) -> Path:
    """The evidence of a trade, unpacked."""
    checkpoint(settings, a_trade)
    with a_trade.reader() as session:
        trade_id = session.execute(text("SELECT min(id) FROM trade")).scalar_one()
        found = evidence.collect(session, settings, trade_id)
    evidence.write(found, tmp_path / "evidence.zip")
    with zipfile.ZipFile(tmp_path / "evidence.zip") as packed:
        assert sorted(packed.namelist()) == ["README.txt", "check_evidence.py", "evidence.json"]
        packed.extractall(tmp_path)
    return tmp_path


def run_check(bundle: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """As somebody would who has no portal: an isolated Python in another directory."""
    command = [sys.executable, "-I", "check_evidence.py", "evidence.json", *arguments]
    return subprocess.run(command, cwd=bundle, capture_output=True, text=True, check=False)


def test_a_stranger_checks_the_evidence_alone(settings: Settings, bundle: Path) -> None:
    ran = run_check(bundle, "--key", str(signing(settings).verifier))
    assert (ran.returncode, ran.stderr) == (0, "")
    held = json.loads((bundle / "evidence.json").read_text())
    kinds = {entry["event"]["kind"] for entry in held["events"]}
    assert {"trade.matched", "trade.settled"} <= kinds or len(kinds) >= 5
    assert held["trade"]["id"] == held["trade_id"]
    assert len(held["ledger"]) >= 3


def test_without_a_key_of_ones_own_nothing_is_proven(bundle: Path) -> None:
    ran = run_check(bundle)
    assert ran.returncode == 1
    assert "proves nothing" in ran.stdout


def _change_event(held: dict[str, Any]) -> None:
    held["events"][0]["event"]["actor"] = "user:666"


def _forge_hash(held: dict[str, Any]) -> None:
    entry = held["events"][0]
    entry["event"]["actor"] = "user:666"
    entry["event"]["hash"] = check_evidence.event_hash(entry["previous"], entry["event"])


def _another_place(held: dict[str, Any]) -> None:
    held["events"][0]["leaf"] += 1


def _shorter_path(held: dict[str, Any]) -> None:
    held["events"][0]["path"].pop()


def _another_checkpoint(held: dict[str, Any]) -> None:
    held["checkpoint"] = held["checkpoint"].replace("\n", "0\n", 2)


@pytest.mark.parametrize(
    "cheat", [_change_event, _forge_hash, _another_place, _shorter_path, _another_checkpoint]
)
def test_changed_evidence_is_found_out(
    settings: Settings, bundle: Path, cheat: Callable[[dict[str, Any]], None]
) -> None:
    file = bundle / "evidence.json"
    held = json.loads(file.read_text())
    cheat(held)
    file.write_text(json.dumps(held))
    ran = run_check(bundle, "--key", str(signing(settings).verifier))
    assert ran.returncode == 1
    assert "WRONG" in ran.stdout


def test_another_platforms_key_does_not_fit(bundle: Path) -> None:
    key = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    ran = run_check(bundle, "--key", key)
    assert ran.returncode == 1
    assert "is not by PeterNeumann" in ran.stdout


def command(settings: Settings, *arguments: str) -> tuple[int, str]:
    environment = {"DATABASE_URL": settings.required_database_url, "VAR_DIR": str(settings.var_dir)}
    result = CliRunner(env=environment).invoke(main, ["audit", *arguments])
    return result.exit_code, result.output


def test_the_commands_prove_to_a_person_with_a_kept_checkpoint(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    write(database, 3)
    code, kept = command(settings, "checkpoint")
    assert code == 0
    (tmp_path / "kept").write_text(kept)
    write(database, 3)
    assert command(settings, "prove", "portal@5")[0] == 1
    assert command(settings, "checkpoint")[0] == 0
    code, said = command(settings, "prove", "portal@5")
    assert (code, json.loads(said)["event"]["seq"]) == (0, 5)
    code, said = command(settings, "grown", str(tmp_path / "kept"))
    assert (code, "from 3 to 6 events" in said) == (0, True)
    assert command(settings, "prove", "nonsense")[0] == 1
    assert str(signing(settings).verifier) in command(settings, "key")[1]


def test_a_log_rewritten_since_is_found_out_by_a_kept_checkpoint(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    """Somebody with all keys rewrites everything: only what others kept can tell."""
    write(database, 3)
    (tmp_path / "kept").write_text(command(settings, "checkpoint")[1])
    with database.transaction() as session:
        for table in ("audit_event", "audit_span", "audit_checkpoint"):
            session.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
        for table in ("audit_event", "audit_span", "audit_checkpoint", "audit_tile"):
            session.execute(text(f"TRUNCATE {table}"))
        session.execute(text("DELETE FROM audit_stream"))
    write(database, 4)
    assert command(settings, "checkpoint")[0] == 0
    assert differences(settings, database) == []
    code, said = command(settings, "grown", str(tmp_path / "kept"))
    assert (code, "was changed" in said) == (1, True)
