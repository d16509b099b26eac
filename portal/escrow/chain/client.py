"""The chain as the portal uses it: a few typed calls over one or more RPC endpoints.

Reads count when a quorum of the endpoints agrees (see `pool`); transactions go to all of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, TypeVar

from eth_typing import BlockNumber, HexStr
from eth_utils.conversions import to_hex
from requests.exceptions import RequestException
from web3 import Web3
from web3.exceptions import (
    ContractLogicError,
    TransactionNotFound,
    Web3Exception,
    Web3RPCError,
)
from web3.types import BlockIdentifier, FilterParams, LogReceipt, RPCEndpoint, TxParams

from portal.core.errors import Conflict, Unavailable
from portal.core.settings import Settings
from portal.escrow.chain.endpoint import Block, failure_of
from portal.escrow.chain.pool import MAX_LAG_BLOCKS, Pool
from portal.escrow.contracts import artefact

Answer = TypeVar("Answer")
LOG_SPAN = 2_000
# The node has the transaction already, or has mined it: both mean "do not send it again".
_HARMLESS = ("already known", "already imported", "nonce too low", "already exists")


class Reverted(Conflict):
    """The contract refuses this call; trying again changes nothing. `message` names the error."""


@dataclass(frozen=True)
class Receipt:
    """A mined transaction. `gas_price` is what a unit of gas was paid in the end, in wei."""

    ok: bool
    block_number: int
    block_hash: str
    gas_used: int
    gas_price: int


class ChainClient:
    """Typed calls to the nodes. Raises Unavailable when no quorum of them answers, Reverted on a
    revert that a quorum sees.

    With a quorum of several, what is asked of "now" is asked of the newest block that they agree
    on, so that answers can be compared.
    """

    def __init__(
        self,
        rpc_urls: Sequence[str],
        quorum: int | None = None,
        chain_id: int | None = None,
        max_lag: int = MAX_LAG_BLOCKS,
    ) -> None:
        self.urls = list(rpc_urls)
        self.pool = Pool(self.urls, quorum, chain_id, max_lag)

    @cached_property
    def chain_id(self) -> int:
        """The chain's EIP-155 id."""
        return self._agree(lambda node: int(node.eth.chain_id))

    def head(self) -> Block:
        """The newest block."""
        return self.pool.head()

    def block(self, number: int) -> Block:
        """The block of this number. Raises Unavailable while it is not there."""
        return self.pool.block(number)

    def finalized(self) -> Block | None:
        """The newest final block; None where the nodes know no finality."""
        return self.pool.finalized()

    def block_number(self) -> int:
        """Number of the newest block."""
        return self.head().number

    def timestamp(self) -> int:
        """Unix second of the newest block."""
        return self.head().timestamp

    def has_code(self, address: str) -> bool:
        """Whether a contract is at `address`."""
        checksum, block = Web3.to_checksum_address(address), self._now()
        return self._agree(lambda node: len(node.eth.get_code(checksum, block)) > 0, "code")

    def balance_of(self, token: str, holder: str, block: int | None = None) -> int:
        """Token units of `holder` at the end of `block` (the newest one if not given)."""
        return int(self.read("TestUSDT", token, "balanceOf", holder, block=block))

    def read(
        self, contract: str, address: str, function: str, *arguments: Any, block: int | None = None
    ) -> Any:
        """What a view function answers."""
        at: BlockIdentifier = self._now() if block is None else BlockNumber(block)
        abi, checksum = artefact(contract)["abi"], Web3.to_checksum_address(address)
        return self._agree(
            lambda node: (
                node.eth.contract(checksum, abi=abi)
                .functions[function](*arguments)
                .call(block_identifier=at)
            ),
            f"{function} of {contract}",
        )

    def call(self, method: str, *parameters: Any) -> Any:
        """What a JSON-RPC method answers, as the node gives it."""
        return self._ask(
            lambda node: node.manager.request_blocking(RPCEndpoint(method), list(parameters))
        )

    def logs(self, address: str, topics: Sequence[Any], first: int, last: int) -> list[LogReceipt]:
        """Logs of a contract in blocks first…last, oldest first, asked for in spans."""
        found: list[LogReceipt] = []
        for start in range(first, last + 1, LOG_SPAN):
            end = min(last, start + LOG_SPAN - 1)
            wanted: FilterParams = {
                "address": Web3.to_checksum_address(address),
                "topics": list(topics),
                "fromBlock": start,
                "toBlock": end,
            }
            found += self._logs(wanted, end)
        return found

    def _logs(self, wanted: FilterParams, end: int) -> list[LogReceipt]:
        """From nodes that have all these blocks: others answer with what they have, silently."""

        def ask(node: Web3) -> list[LogReceipt]:
            if int(node.eth.block_number) < end:
                raise Web3Exception(f"has not got block {end} yet")
            return node.eth.get_logs(wanted)

        return self._agree(ask, f"logs up to block {end}", _mark_of_logs)

    def receipt(self, tx_hash: str) -> Receipt | None:
        """The receipt of a mined transaction, or None."""
        try:
            raw = self._agree(
                lambda node: node.eth.get_transaction_receipt(HexStr(tx_hash)),
                # Not a question with one answer: one node may have the block a second later.
                mark=lambda found: (found["blockHash"], found["status"], found["gasUsed"]),
            )
        except TransactionNotFound:
            return None
        return Receipt(
            raw["status"] == 1,
            int(raw["blockNumber"]),
            to_hex(raw["blockHash"]),
            int(raw["gasUsed"]),
            int(raw["effectiveGasPrice"]),
        )

    def broadcast(self, raw: str) -> None:
        """Hand a signed transaction to every endpoint; one that takes it, or has it, is enough.

        Raises Unavailable with the nodes' reasons when none does.
        """
        reasons = self.ask_each(lambda node: _send(node, raw))
        if all(reason is not None for reason in reasons):
            raise Unavailable(
                f"No chain node took the transaction: {'; '.join(map(str, reasons))}.",
                field="CHAIN_RPC_URLS",
                hint="Look at the relayer's gas balance and the nodes.",
            )

    def send_unlocked(self, sender: str, to: str | None, data: str) -> dict[str, Any]:
        """Have a development node sign with an account of its own, and wait for the receipt."""
        call: TxParams = {"from": Web3.to_checksum_address(sender), "data": HexStr(data)}
        if to is not None:
            call["to"] = Web3.to_checksum_address(to)
        # Only one node may be asked: asked twice, it would be sent twice.
        tx_hash = self.pool.first(lambda node: node.eth.send_transaction(call))
        receipt = self.pool.first(
            lambda node: node.eth.wait_for_transaction_receipt(tx_hash, 30, 0.05)
        )
        return {**receipt, "hash": to_hex(tx_hash)}

    def ask_each(self, question: Callable[[Web3], Answer]) -> list[Answer | Exception]:
        """What every endpoint answers, in their order; an error stands for the answer."""
        return self.pool.each(question)

    def _now(self) -> BlockIdentifier:
        """What "now" is: one node's own newest block, or one that a quorum has."""
        return "latest" if self.pool.quorum == 1 else BlockNumber(self.head().number)

    def _ask(self, question: Callable[[Web3], Answer]) -> Answer:
        """Of what may rightly differ (gas, fees): one answer, when a quorum does not refuse."""
        return self._agree(question, mark=lambda _: None)

    def _agree(
        self,
        question: Callable[[Web3], Answer],
        pinned: str | None = None,
        mark: Callable[[Answer], object] = lambda answer: answer,
    ) -> Answer:
        try:
            return self.pool.agree(question, mark, pinned)
        except ContractLogicError as error:
            raise Reverted(f"The contract refuses: {revert_name(error)}.") from error


@cache
def _client(urls: tuple[str, ...], quorum: int | None, chain_id: int, max_lag: int) -> ChainClient:
    return ChainClient(urls, quorum, chain_id, max_lag)


def chain_client(settings: Settings) -> ChainClient:
    """The client that the settings ask for, one a process."""
    named = (settings.chain_quorum, settings.chain_id, settings.chain_max_lag_blocks)
    return _client(tuple(settings.rpc_urls), *named)


def _mark_of_logs(found: Sequence[LogReceipt]) -> object:
    names = ("blockHash", "transactionHash", "logIndex", "address", "data")
    return tuple((*(log[name] for name in names), tuple(log["topics"])) for log in found)  # type: ignore[literal-required]


def _send(node: Web3, raw: str) -> str | None:
    """None when the node has the transaction now, else why not."""
    try:
        node.eth.send_raw_transaction(HexStr(raw))
    except Web3RPCError as error:
        return None if any(word in str(error).lower() for word in _HARMLESS) else str(error)[:200]
    except (RequestException, OSError, Web3Exception) as error:
        return failure_of(error)
    return None


def revert_name(error: ContractLogicError) -> str:
    """The contract's own name of an error, with its arguments, from the revert data."""
    data = str(error.data or "")
    for contract in ("Escrow", "Vault", "TestUSDT"):
        for entry in artefact(contract)["abi"]:
            if entry["type"] == "error" and data.startswith(_selector(entry)):
                return _error_text(entry, data)
    return str(error.message or data or "no reason given")[:200]


def _selector(entry: dict[str, Any]) -> str:
    kinds = ",".join(_kind(item) for item in entry["inputs"])
    return to_hex(Web3.keccak(text=f"{entry['name']}({kinds})")[:4])


def _kind(item: dict[str, Any]) -> str:
    return str(item["type"])


def _error_text(entry: dict[str, Any], data: str) -> str:
    kinds = [_kind(item) for item in entry["inputs"]]
    values = Web3().codec.decode(kinds, bytes.fromhex(data[10:]))
    shown = (to_hex(value) if isinstance(value, bytes) else str(value) for value in values)
    return f"{entry['name']}({', '.join(shown)})"


def encode_call(contract: str, function: str, arguments: Sequence[Any]) -> str:
    """Calldata of a contract's function, as hexadecimal text."""
    interface = Web3().eth.contract(abi=artefact(contract)["abi"])
    return str(interface.encode_abi(function, args=list(arguments)))
