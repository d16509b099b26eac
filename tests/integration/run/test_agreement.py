"""A chain that lost blocks is brought up to the database, or the difference is named."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from eth_account import Account

from portal.core.db import Database
from portal.core.errors import Conflict, Unavailable
from portal.core.key_source import DEV_RELAYER_KEY
from portal.core.settings import DEV_CHAIN_ID
from portal.escrow.models import ChainAttempt, ChainDeployment, ChainIntent
from portal.run.agreement import ChainProbe, agree
from portal.run.chain import anvil_command
from tests.integration.run.test_postgres import free_port

pytestmark = [pytest.mark.chain, pytest.mark.postgres]


@contextmanager
def running_chain(directory: Path) -> Iterator[ChainProbe]:
    port = free_port()
    process = subprocess.Popen(anvil_command(directory, port), stdout=subprocess.DEVNULL)
    try:
        yield answering(ChainProbe(f"http://127.0.0.1:{port}"), process)
    finally:
        process.kill()  # As in a crash: the state file is not written any more.
        process.wait()


def answering(probe: ChainProbe, process: subprocess.Popen[bytes]) -> ChainProbe:
    for _ in range(200):
        try:
            probe.chain_id()
        except Unavailable:
            try:
                process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
            raise
        return probe
    raise AssertionError("anvil did not answer in 10 s")


def signed_transfer(nonce: int) -> str:
    transaction = {
        "nonce": nonce, "to": "0x" + "42" * 20, "value": 1, "gas": 21000,
        "maxFeePerGas": 10**10, "maxPriorityFeePerGas": 10**9, "chainId": DEV_CHAIN_ID,
    }  # fmt: skip
    return "0x" + Account.sign_transaction(transaction, DEV_RELAYER_KEY).raw_transaction.hex()


def note_intent(database: Database, raw: str | None, block: int) -> None:
    with database.transaction() as session:
        intent = ChainIntent(
            key=f"k{block}", kind="test", to_address="", data="", status="confirmed",
            block_number=block,
        )  # fmt: skip
        session.add(intent)
        session.flush()
        session.add(
            ChainAttempt(
                intent_id=intent.id, chain_id=DEV_CHAIN_ID, sender="", nonce=block - 1, number=1,
                gas=21_000, max_fee=10**10, priority_fee=10**9, raw=raw, status="mined",
                block_number=block,
            )
        )  # fmt: skip


def test_lost_transactions_are_sent_again(database: Database, tmp_path: Path) -> None:
    raws = [signed_transfer(0), signed_transfer(1)]
    for block, raw in enumerate(raws, start=1):
        note_intent(database, raw, block)
    with running_chain(tmp_path) as chain:
        chain.ask("eth_sendRawTransaction", raws[0])
        said = agree(chain.url, database.url)
        assert said == "the chain had lost 1 blocks; sent 1 transactions again"
        assert chain.height() == 2
        assert agree(chain.url, database.url) is None


def test_a_chain_that_cannot_catch_up_is_named(database: Database, tmp_path: Path) -> None:
    note_intent(database, None, 7)
    with running_chain(tmp_path) as chain, pytest.raises(Conflict) as refused:
        agree(chain.url, database.url)
    assert refused.value.message == (
        "The local chain is at block 0; the database has seen block 7."
    )
    assert "portal run --fresh" in str(refused.value.hint)


def test_a_missing_contract_is_named(database: Database, tmp_path: Path) -> None:
    with database.transaction() as session:
        session.add(
            ChainDeployment(
                chain_id=DEV_CHAIN_ID, name="escrow", address="0x" + "42" * 20, block_number=0
            )
        )
    with (
        running_chain(tmp_path) as chain,
        pytest.raises(Conflict, match="has no contract escrow"),
    ):
        agree(chain.url, database.url)


def test_nothing_recorded_is_agreement(database: Database, tmp_path: Path) -> None:
    with running_chain(tmp_path) as chain:
        assert agree(chain.url, database.url) is None
