"""The chain as the portal uses it: a few typed calls over one or more RPC endpoints.

Reads go to the first endpoint that answers; transactions go to all of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_typing import HexStr
from eth_utils.conversions import to_hex
from requests.exceptions import RequestException
from web3 import Web3
from web3.exceptions import (
    ContractLogicError,
    TransactionNotFound,
    Web3Exception,
    Web3RPCError,
)
from web3.types import FilterParams, LogReceipt, RPCEndpoint, TxParams

from portal.core.addresses import public_part
from portal.core.errors import Conflict, Unavailable
from portal.escrow.contracts import artefact

Answer = TypeVar("Answer")
TIMEOUT_SECONDS = 10
GAS_MARGIN_PERCENT = 20
LOG_SPAN = 2_000
# The node has the transaction already, or has mined it: both mean "do not send it again".
_HARMLESS = ("already known", "already imported", "nonce too low", "already exists")


class Reverted(Conflict):
    """The contract refuses this call; trying again changes nothing. `message` names the error."""


@dataclass(frozen=True)
class Receipt:
    """A mined transaction."""

    ok: bool
    block_number: int
    gas_used: int


class ChainClient:
    """Typed calls to a node. Raises Unavailable when no endpoint answers, Reverted on a revert."""

    def __init__(self, rpc_urls: Sequence[str]) -> None:
        self.urls = list(rpc_urls)
        self._nodes = [
            Web3(Web3.HTTPProvider(url, request_kwargs={"timeout": TIMEOUT_SECONDS}))
            for url in self.urls
        ]

    @cached_property
    def chain_id(self) -> int:
        """The chain's EIP-155 id."""
        return self._ask(lambda node: int(node.eth.chain_id))

    def block_number(self) -> int:
        """Number of the newest block."""
        return self._ask(lambda node: int(node.eth.block_number))

    def timestamp(self) -> int:
        """Unix second of the newest block."""
        return self._ask(lambda node: int(node.eth.get_block("latest")["timestamp"]))

    def has_code(self, address: str) -> bool:
        """Whether a contract is at `address`."""
        return self._ask(lambda node: len(node.eth.get_code(Web3.to_checksum_address(address))) > 0)

    def nonce(self, address: str) -> int:
        """How many transactions of `address` are mined."""
        checksum = Web3.to_checksum_address(address)
        return self._ask(lambda node: int(node.eth.get_transaction_count(checksum, "latest")))

    def balance_of(self, token: str, holder: str, block: int | None = None) -> int:
        """Token units of `holder` at the end of `block` (the newest one if not given)."""
        return int(self.read("TestUSDT", token, "balanceOf", holder, block=block))

    def read(
        self, contract: str, address: str, function: str, *arguments: Any, block: int | None = None
    ) -> Any:
        """What a view function answers."""
        return self._ask(
            lambda node: (
                node.eth.contract(Web3.to_checksum_address(address), abi=artefact(contract)["abi"])
                .functions[function](*arguments)
                .call(block_identifier="latest" if block is None else block)
            )
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
        """From a node that has all these blocks: others answer with what they have, silently."""

        def ask(node: Web3) -> list[LogReceipt]:
            if int(node.eth.block_number) < end:
                raise Web3Exception(f"has not got block {end} yet")
            return node.eth.get_logs(wanted)

        return self._ask(ask)

    def receipt(self, tx_hash: str) -> Receipt | None:
        """The receipt of a mined transaction, or None."""
        try:
            raw = self._ask(lambda node: node.eth.get_transaction_receipt(HexStr(tx_hash)))
        except TransactionNotFound:
            return None
        return Receipt(raw["status"] == 1, int(raw["blockNumber"]), int(raw["gasUsed"]))

    def prepare(self, sender: str, to: str, data: str) -> dict[str, Any]:
        """A transaction without nonce: gas estimated with a margin, fees for the next blocks.

        Raises Reverted when the contract would refuse it.
        """
        call: TxParams = {
            "from": Web3.to_checksum_address(sender),
            "to": Web3.to_checksum_address(to),
            "data": HexStr(data),
            "value": Web3.to_wei(0, "wei"),
        }
        gas = self._ask(lambda node: node.eth.estimate_gas(call))
        base = self._ask(lambda node: int(node.eth.get_block("latest").get("baseFeePerGas", 0)))
        tip = self._ask(lambda node: int(node.eth.max_priority_fee))
        return {
            "chainId": self.chain_id,
            "type": 2,
            "to": call["to"],
            "data": call["data"],
            "value": call["value"],
            "gas": gas * (100 + GAS_MARGIN_PERCENT) // 100,
            "maxFeePerGas": Web3.to_wei(2 * base + tip, "wei"),
            "maxPriorityFeePerGas": Web3.to_wei(tip, "wei"),
        }

    def broadcast(self, raw: str) -> None:
        """Hand a signed transaction to every endpoint; one that takes it, or has it, is enough.

        Raises Unavailable with the nodes' reasons when none does.
        """
        reasons = [_send(node, raw) for node in self._nodes]
        if all(reasons):
            raise Unavailable(
                f"No chain node took the transaction: {'; '.join(filter(None, reasons))}.",
                field="CHAIN_RPC_URLS",
                hint="Look at the relayer's gas balance and the nodes.",
            )

    def send_unlocked(self, sender: str, to: str | None, data: str) -> dict[str, Any]:
        """Have a development node sign with an account of its own, and wait for the receipt."""
        call: TxParams = {"from": Web3.to_checksum_address(sender), "data": HexStr(data)}
        if to is not None:
            call["to"] = Web3.to_checksum_address(to)
        tx_hash = self._ask(lambda node: node.eth.send_transaction(call))
        receipt = self._ask(lambda node: node.eth.wait_for_transaction_receipt(tx_hash, 30, 0.05))
        return {**receipt, "hash": to_hex(tx_hash)}

    def _ask(self, question: Callable[[Web3], Answer]) -> Answer:
        reasons = []
        for url, node in zip(self.urls, self._nodes, strict=True):
            try:
                return question(node)
            except ContractLogicError as error:
                raise Reverted(f"The contract refuses: {revert_name(error)}.") from error
            except TransactionNotFound:
                raise
            except (RequestException, OSError, Web3Exception) as error:
                reasons.append(f"{public_part(url)}: {failure_of(error)}")
        raise Unavailable(
            f"No chain node answered: {'; '.join(reasons)}.",
            field="CHAIN_RPC_URLS",
            hint="Start the chain, or set CHAIN_RPC_URLS to nodes that answer.",
        )


def failure_of(error: Exception) -> str:
    """What went wrong; words of the HTTP library are left out, since they repeat the address."""
    detail = "" if isinstance(error, RequestException | OSError) else f": {str(error)[:160]}"
    return f"{type(error).__name__}{detail}"


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


def account(key: str) -> LocalAccount:
    """The account of a private key given as hexadecimal text."""
    found: LocalAccount = Account.from_key(key)
    return found


def encode_call(contract: str, function: str, arguments: Sequence[Any]) -> str:
    """Calldata of a contract's function, as hexadecimal text."""
    interface = Web3().eth.contract(abi=artefact(contract)["abi"])
    return str(interface.encode_abi(function, args=list(arguments)))
