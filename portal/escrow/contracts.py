"""The contracts as Python knows them: ABI, and addresses worked out without asking a node."""

import json
from functools import cache
from importlib.resources import files
from typing import Any

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

# OpenZeppelin Clones with immutable arguments: the code around implementation and arguments.
_CLONE_HEAD = bytes.fromhex("3d81600a3d39f3363d3d373d3d3d363d73")
_CLONE_TAIL = bytes.fromhex("5af43d82803e903d91602b57fd5bf3")
_CLONE_SIZE = 0x2D


@cache
def artefact(name: str) -> dict[str, Any]:
    """What `contracts/` built of `Escrow`, `Vault` or `TestUSDT`: `abi`, `bytecode` (creation),
    `runtime` with zeros for immutables, and `immutables`, where they begin.
    """
    text = files("portal.escrow").joinpath("abi", f"{name}.json").read_text(encoding="utf-8")
    content: dict[str, Any] = json.loads(text)
    return content


def vault_implementation(escrow: str) -> str:
    """Address of the vault code that this escrow deployed when it was made (its nonce 1)."""
    return created_address(escrow, 1)


def created_address(creator: str, nonce: int) -> str:
    """Address of the contract that `creator` makes with this nonce (by CREATE)."""
    # The last 20 bytes of keccak256 over the RLP of the list [20 address bytes, nonce].
    size = (nonce.bit_length() + 7) // 8
    number = nonce.to_bytes(size, "big")
    if nonce == 0 or nonce > 0x7F:
        number = bytes([0x80 + size]) + number
    content = b"\x94" + bytes.fromhex(creator.removeprefix("0x")) + number
    return to_checksum_address(keccak(bytes([0xC0 + len(content)]) + content)[12:])


def vault_address(escrow: str, owner: str) -> str:
    """Where the coins of `owner` live: the same as the contract's `vaultOf`, worked out offline.

    EIP-1014 with salt zero over the creation code of a clone whose argument is the owner.
    """
    return _vault_address(escrow.lower(), owner.lower())


@cache
def _vault_address(escrow: str, owner: str) -> str:
    arguments = bytes.fromhex(owner.removeprefix("0x"))
    implementation = bytes.fromhex(vault_implementation(escrow).removeprefix("0x"))
    size = (len(arguments) + _CLONE_SIZE).to_bytes(2, "big")
    code = b"\x61" + size + _CLONE_HEAD + implementation + _CLONE_TAIL + arguments
    deployer = bytes.fromhex(escrow.removeprefix("0x"))
    return to_checksum_address(keccak(b"\xff" + deployer + bytes(32) + keccak(code))[12:])
