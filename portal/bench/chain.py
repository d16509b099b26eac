"""Settlement on chain: trades a second through the intents, gas, what an intent costs, and how fast
signatures are checked.

A development node (anvil) mines each transaction when it comes, so the figures are those of the
portal's side: what it takes to store, sign, send and follow a transaction.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from portal.bench.chain_deals import Deal, Desk, has_batches, settle_batches
from portal.bench.lab import Lab, open_lab
from portal.bench.processes import free_port
from portal.bench.results import machine, print_result
from portal.core.db import Database
from portal.core.jobs import JobContext
from portal.core.settings import Settings
from portal.engine.client import EngineClient
from portal.escrow import typed_data
from portal.escrow.chain.agreed import nonce_of
from portal.escrow.chain.client import ChainClient
from portal.escrow.chain.intents import UNDER_WAY, queue_intent
from portal.escrow.contract import EscrowContract
from portal.escrow.demo import ensure_demo_deployment, mint_demo_coins
from portal.escrow.deploying import priced
from portal.escrow.models import ChainIntent
from portal.escrow.rules import Status
from portal.escrow.service import run_intents
from portal.escrow.signers.chosen import relayer
from portal.run.chain import anvil_command

CHECK_SECONDS = 3.0
CHECKS_WANTED = 4_000
_BARE_MOST = 200
_ROUND = 100
_PERCENT = 100


@dataclass(frozen=True)
class Call:
    """A transaction to send, and how many trades it is about."""

    name: str
    data: str
    trades: int


class Bench:
    """A chain with contracts, a database for the intents, and two people who deal."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.database = database
        self.client = ChainClient(settings.rpc_urls)
        self.context = JobContext(settings, database, EngineClient(settings), None)
        self.deployment = ensure_demo_deployment(settings, database)
        self.signer = relayer(settings)
        self.desk = Desk(settings, self.deployment, self.client.timestamp())

    def fund(self, deals: list[Deal]) -> None:
        """Test coins for the seller's vault, and some for every buyer's: none is new then."""
        vaults = [(self.desk.seller, sum(int(deal.terms["amount"]) for deal in deals))]
        vaults += [(buyer, 1) for buyer in self.desk.buyers]
        for who, units in vaults:
            vault = self.deployment.vault(who.address)
            mint_demo_coins(self.context.settings, self.database, self.deployment, vault, units)
        self._follow()

    def through_intents(self, step: str, calls: list[Call]) -> dict[str, Any]:
        """Queue all at once and run until the last is confirmed."""
        started = time.perf_counter()
        with self.database.transaction() as session:
            for call in calls:
                to, key = self.deployment.escrow, f"bench:{call.name}"
                queue_intent(session, key=key, kind=f"bench_{step}", to=to, data=call.data)
        self._follow()
        seconds = time.perf_counter() - started
        return _line(step, calls, seconds, self._gas(step))

    def bare(self, step: str, calls: list[Call]) -> dict[str, Any]:
        """The same kind of transaction without an intent: prepared, signed, sent, waited for."""
        started, gas = time.perf_counter(), []
        nonce = nonce_of(self.client, self.signer.address)
        for number, call in enumerate(calls):
            ready = priced(self.client, self.signer.address, call.data, self.deployment.escrow)
            signed = self.signer.sign_transaction({**ready, "nonce": nonce + number})
            self.client.broadcast("0x" + signed.raw_transaction.hex())
            while (receipt := self.client.receipt("0x" + signed.hash.hex())) is None:
                time.sleep(0.001)
            gas.append(receipt.gas_used)
        return _line(step, calls, time.perf_counter() - started, gas)

    def not_closed(self, deals: list[Deal]) -> int:
        """How many of the deals the contract does not show as paid out."""
        escrow = EscrowContract(self.client, self.deployment)
        return sum(escrow.status(deal.escrow_id) is not Status.CLOSED for deal in deals)

    def _follow(self) -> None:
        going = select(func.count()).where(ChainIntent.status.in_(UNDER_WAY))
        while True:
            run_intents(self.context, self.client)
            with self.database.reader() as session:
                if not session.scalar(going):
                    return

    def _gas(self, step: str) -> list[int]:
        query = select(ChainIntent.tx_hash).where(ChainIntent.kind == f"bench_{step}")
        with self.database.reader() as session:
            hashes = session.scalars(query).all()
        receipts = [self.client.receipt(str(tx_hash)) for tx_hash in hashes]
        return [receipt.gas_used for receipt in receipts if receipt is not None]


def main(settings: Settings, *, trades: int, batch: int) -> int:
    """`portal bench chain`: a line each step; 1 when something was not as it must be."""
    print_result(checks := check_signatures())
    with open_lab(settings, {}) as lab, _portal(lab) as bench:
        problems = [*checks["problems"], *_settle(bench, trades, batch)]
    return 1 if problems else 0


def check_signatures(seconds: float = CHECK_SECONDS) -> dict[str, Any]:
    """Off-chain checks of a party's signature of a decision, for each second of a core."""
    data, signature, address = Desk.signed_sample()
    count, started = 0, time.process_time()
    while time.process_time() < started + seconds:
        for _ in range(_ROUND):
            typed_data.verify_signature(data, signature, address)
        count += _ROUND
    rate = count / (time.process_time() - started)
    few = f"{rate:.0f} checks a second on one core, {CHECKS_WANTED} are wanted"
    return {
        "bench": "chain",
        "step": "check_signatures",
        "checks_per_s_per_core": round(rate),
        "checks": count,
        **machine(),
        "problems": [few] if rate < CHECKS_WANTED else [],
    }


@contextmanager
def _portal(lab: Lab) -> Iterator[Bench]:
    """A node and the database of a lab."""
    port, place = free_port(), Path(lab.directory) / "chain"
    place.mkdir()
    command = [*anvil_command(place, port), "--prune-history"]
    lab.start_server("anvil", command, lab.environment()).wait_listening(port)
    url = f"http://127.0.0.1:{port}"
    settings = Settings(_env_file=None, database_url=lab.database_url, chain_rpc_urls=url)
    database = Database(lab.database_url)
    try:
        yield Bench(settings, database)
    finally:
        database.dispose()


def _settle(bench: Bench, trades: int, batch: int) -> list[str]:
    """Open and settle: one by one, in batches where the contract has them, and without intents."""
    bare = min(trades, _BARE_MOST)
    in_batches = trades if has_batches() else 0
    deals = bench.desk.deals(trades + in_batches + bare)
    bench.fund(deals)
    opened = bench.through_intents("open", [Call(f"open:{d.number}", d.open, 1) for d in deals])
    singly, rest = deals[:trades], deals[trades:]
    together, plain = rest[:in_batches], rest[in_batches:]
    lines = [opened, bench.through_intents("settle", _settles(singly))]
    if together:
        batches = enumerate(settle_batches(together, batch))
        calls = [Call(f"batch:{number}", data, count) for number, (data, count) in batches]
        lines.append(bench.through_intents("settle_batch", calls) | {"batch": batch})
    lines.append(bench.bare("settle_bare", _settles(plain)))
    lines.append(_overhead(lines[1], lines[-1]))
    open_still = bench.not_closed(deals)
    problems = [f"{open_still} trades are not closed on chain"] if open_still else []
    for line in lines:
        print_result({"bench": "chain", **line, **machine(), "problems": problems})
    return problems


def _settles(deals: list[Deal]) -> list[Call]:
    return [Call(f"settle:{deal.number}", deal.settle, 1) for deal in deals]


def _line(step: str, calls: list[Call], seconds: float, gas: list[int]) -> dict[str, Any]:
    trades = sum(call.trades for call in calls)
    return {
        "step": step,
        "trades": trades,
        "transactions": len(calls),
        "seconds": round(seconds, 2),
        "trades_per_s": round(trades / seconds, 1),
        "ms_each": round(seconds * 1_000 / trades, 2),
        "gas_each": round(sum(gas) / trades),
        "gas_largest_transaction": max(gas),
    }


def _overhead(with_intents: dict[str, Any], bare: dict[str, Any]) -> dict[str, Any]:
    """What storing, locking and following add to each transaction."""
    extra = with_intents["ms_each"] - bare["ms_each"]
    return {
        "step": "intent_overhead",
        "ms_each": round(extra, 2),
        "percent": round(_PERCENT * extra / bare["ms_each"]),
    }
