"""What the chain holds at a block: code, contract storage of open trades, balances.

Numbers are decimal strings where they may pass 2^53, so that every JSON reader keeps them whole.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from eth_utils.address import to_checksum_address
from eth_utils.conversions import to_bytes, to_hex
from eth_utils.crypto import keccak

from portal.core.errors import Conflict, PortalError, Unavailable
from portal.core.settings import DEV_CHAIN_ID
from portal.escrow.chain.client import ChainClient
from portal.escrow.contract import EscrowContract
from portal.escrow.contracts import vault_implementation
from portal.escrow.deployment import Deployment

# A mapping's place among the contract's storage is looked for up to here.
_HIGHEST_SLOT = 32


@dataclass(frozen=True)
class Block:
    """A block by number and hash; `timestamp` is a Unix second."""

    number: int
    hash: str
    timestamp: int


def finalized_block(client: ChainClient, deployment: Deployment, confirmations: int) -> Block:
    """The newest block that can't be taken back.

    A development chain finalizes late or never: there it is the one with enough confirmations.
    Raises Conflict while the contracts are not final themselves.
    """
    if deployment.chain_id == DEV_CHAIN_ID:
        block = block_at(client, hex(max(0, client.block_number() - confirmations + 1)))
    else:
        block = block_at(client, "finalized")
    if block.number < deployment.block:
        raise Conflict(
            f"Block {block.number} is the newest that is final, but the escrow was made in block "
            f"{deployment.block}.",
            hint="Try again when that is final too.",
        )
    return block


def block_at(client: ChainClient, place: str) -> Block:
    """The block at a hexadecimal number or tag. Raises Unavailable when the node has none."""
    found = client.call("eth_getBlockByNumber", place, False)
    if found is None:
        raise Unavailable(f"The node has no block {place}.", field="CHAIN_RPC_URLS")
    return Block(int(found["number"], 16), str(found["hash"]), int(found["timestamp"], 16))


def chain_part(
    client: ChainClient,
    deployment: Deployment,
    block: Block,
    trades: dict[str, str],
    vaults: Iterable[str],
) -> dict[str, Any]:
    """Everything at `block`. `trades` maps trade numbers to escrow ids, `vaults` are addresses.

    Raises Unavailable when the node does not answer, or answers for another block of that number.
    """
    _require_block(client, block)
    escrow = EscrowContract(client, deployment)
    place = hex(block.number)
    found = {
        "chain_id": deployment.chain_id,
        "block": {"number": block.number, "hash": block.hash, "timestamp": block.timestamp},
        "escrow": {
            "address": deployment.escrow,
            "code_hash": _code_hash(client, deployment.escrow, place),
            "vault_code_hash": _code_hash(client, vault_implementation(deployment.escrow), place),
            "storage_hash": _storage_hash(client, deployment.escrow, place),
        },
        "tokens": _tokens(client, deployment, block.number, list(vaults)),
        "trades": _trades(client, escrow, block.number, trades),
    }
    _require_block(client, block)
    return found


def _require_block(client: ChainClient, block: Block) -> None:
    found = block_at(client, hex(block.number))
    if found.hash != block.hash:
        raise Unavailable(
            f"The node has block {block.number} as {found.hash}, not as {block.hash}.",
            field="CHAIN_RPC_URLS",
            hint="The chain was reorganised below what counted as final, or it is another chain.",
        )


def _code_hash(client: ChainClient, address: str, place: str) -> str:
    return to_hex(keccak(hexstr=str(client.call("eth_getCode", address, place))))


def _storage_hash(client: ChainClient, address: str, place: str) -> str | None:
    """The root over all of the contract's storage; None where the node gives no proofs."""
    try:
        return str(client.call("eth_getProof", address, [], place)["storageHash"])
    except PortalError:
        return None


def _tokens(
    client: ChainClient, deployment: Deployment, block: int, vaults: list[str]
) -> dict[str, Any]:
    return {
        asset: {
            "address": token,
            "escrow": str(client.balance_of(token, deployment.escrow, block)),
            "vaults": {
                vault: str(units)
                for vault in vaults
                if (units := client.balance_of(token, to_checksum_address(vault), block))
            },
        }
        for asset, token in deployment.tokens.items()
    }


def _trades(
    client: ChainClient, escrow: EscrowContract, block: int, trades: dict[str, str]
) -> dict[str, Any]:
    """Status and storage word of each trade. The word is read where the mapping was found."""
    statuses = {number: escrow.status(found, block) for number, found in trades.items()}
    slot = _mapping_slot(client, escrow, block, trades)
    return {
        number: {
            "escrow_id": trades[number],
            "status": str(status),
            "slot": None if slot is None else _key(trades[number], slot),
            "word": None if slot is None else _word(client, escrow, trades[number], slot, block),
        }
        for number, status in statuses.items()
    }


def _mapping_slot(
    client: ChainClient, escrow: EscrowContract, block: int, trades: dict[str, str]
) -> int | None:
    """Where the contract keeps trades: the lowest slot that holds something for one that is on
    chain. None when no trade is.
    """
    for escrow_id in trades.values():
        if escrow.status(escrow_id, block) == "none":
            continue
        for slot in range(_HIGHEST_SLOT):
            if int(_word(client, escrow, escrow_id, slot, block), 16):
                return slot
    return None


def _key(escrow_id: str, slot: int) -> str:
    """Solidity's place of `mapping[escrow_id]` for a mapping at `slot`."""
    return to_hex(keccak(to_bytes(hexstr=escrow_id) + slot.to_bytes(32, "big")))


def _word(
    client: ChainClient, escrow: EscrowContract, escrow_id: str, slot: int, block: int
) -> str:
    address, key = escrow.deployment.escrow, _key(escrow_id, slot)
    return str(client.call("eth_getStorageAt", address, key, hex(block)))
