"""What the endpoints agree on before anything is signed.

One endpoint may lag, lie or be dead. Whatever a minority says must never make us sign a second
transaction for one effect, refuse a payout, or pay any price.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from statistics import median_low

from eth_typing import BlockNumber, HexStr
from eth_utils.conversions import to_hex
from web3 import Web3
from web3.exceptions import ContractLogicError, TransactionNotFound
from web3.types import TxParams

from portal.core.errors import Unavailable
from portal.escrow.chain.client import ChainClient, Reverted, revert_name
from portal.escrow.chain.endpoint import failure_of
from portal.escrow.chain.fees import HISTORY_BLOCKS, TIP_PERCENTILES, FeeMarket, read_market

GAS_MARGIN_PERCENT = 20
# Most that one transaction may use since EIP-7825; development nodes take more.
MOST_GAS = 2**24
# About a day of blocks: no public chain has gone back as far.
NEVER_TAKEN_BACK = 7_200


def nonce_of(client: ChainClient, address: str) -> int:
    """How many transactions of `address` are mined, as a quorum and half of those that answer
    have it.

    Raises Unavailable when too few answer.
    """
    checksum = Web3.to_checksum_address(address)
    return client.pool.reached(lambda node: int(node.eth.get_transaction_count(checksum, "latest")))


def went_to_another(client: ChainClient, address: str, nonce: int, hashes: Sequence[str]) -> bool:
    """Whether `nonce` is spent for good on a transaction that is none of `hashes`.

    Most of the configured endpoints must say so of their finalized chain, and none may know a
    receipt: an endpoint that lags, and one that lies, leave it open.
    """
    checksum = Web3.to_checksum_address(address)

    def says(node: Web3) -> bool | None:
        if _has_any(node.eth.get_transaction_receipt, hashes):
            return False
        spent = int(node.eth.get_transaction_count(checksum, "finalized")) > nonce
        return True if spent else None

    answers = client.ask_each(says)
    return False not in answers and answers.count(True) * 2 > len(answers)


def knows(client: ChainClient, hashes: Sequence[str]) -> bool:
    """Whether some endpoint has one of these transactions, mined or waiting."""
    return True in client.ask_each(lambda node: _has_any(node.eth.get_transaction, hashes))


def _has_any(get: Callable[[HexStr], object], hashes: Sequence[str]) -> bool:
    for tx_hash in hashes:
        with suppress(TransactionNotFound):
            get(HexStr(tx_hash))
            return True
    return False


def block_hash(client: ChainClient, number: int) -> str | None:
    """Hash of a block; None while most of those that answer have not got the same one."""
    answers = client.ask_each(lambda node: to_hex(node.eth.get_block(BlockNumber(number))["hash"]))
    hashes = [answer for answer in answers if isinstance(answer, str)]
    found = max(hashes, key=hashes.count, default=None)
    return found if found is not None and hashes.count(found) * 2 > len(hashes) else None


def final_height(client: ChainClient) -> int:
    """Number of the newest block that no reorg takes back.

    Where nodes know no finality it is one that so many blocks lie upon that none ever was.
    Raises Unavailable when too few answer.
    """
    final = client.finalized()
    return client.block_number() - NEVER_TAKEN_BACK if final is None else final.number


def fee_market(client: ChainClient) -> FeeMarket:
    """The market for gas, as the middle one of those endpoints that answer sees it.

    Raises Unavailable when none answers.
    """
    percentiles = [float(percentile) for percentile in TIP_PERCENTILES.values()]
    answers = client.ask_each(
        lambda node: read_market(node.eth.fee_history(HISTORY_BLOCKS, "latest", percentiles))
    )
    markets = [answer for answer in answers if not isinstance(answer, Exception)]
    if not markets:
        raise _silent(answers)
    markets.sort(key=lambda market: market.base_fee)
    return markets[(len(markets) - 1) // 2]


def estimate_gas(client: ChainClient, sender: str, to: str, data: str) -> int:
    """Gas for a call, with a margin.

    Raises Reverted when most of the endpoints that answer say that the contract would refuse it,
    or when it needs more than a transaction may use; Unavailable when they are evenly split, or
    none answers.
    """
    call: TxParams = {
        "from": Web3.to_checksum_address(sender),
        "to": Web3.to_checksum_address(to),
        "data": HexStr(data),
        "value": Web3.to_wei(0, "wei"),
    }
    answers = client.ask_each(lambda node: node.eth.estimate_gas(call))
    estimates = [answer for answer in answers if not isinstance(answer, Exception)]
    refusals = [answer for answer in answers if isinstance(answer, ContractLogicError)]
    if len(refusals) > len(estimates):
        raise Reverted(f"The contract refuses: {revert_name(refusals[0])}.")
    if not estimates:
        raise _silent(answers)
    if len(refusals) == len(estimates):
        raise Unavailable("The chain nodes do not agree whether the contract takes the call.")
    gas = median_low(estimates)
    if gas > MOST_GAS:
        raise Reverted(f"The call needs {gas:,} gas; a transaction may use {MOST_GAS:,}.")
    return min(gas * (100 + GAS_MARGIN_PERCENT) // 100, MOST_GAS)


def _silent(answers: Sequence[object]) -> Unavailable:
    reasons = "; ".join(failure_of(answer) for answer in answers if isinstance(answer, Exception))
    return Unavailable(
        f"No chain node answered: {reasons}.",
        field="CHAIN_RPC_URLS",
        hint="Start the chain, or set CHAIN_RPC_URLS to nodes that answer.",
    )
