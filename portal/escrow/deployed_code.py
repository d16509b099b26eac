"""Whether the code at an address is the packaged contract.

The artefact holds the runtime code with zeros where each immutable goes. On chain those 32 bytes
hold one of the few values that the constructor may have put there, and nothing else may differ:
then the code is ours, though its hash is another on every chain.
"""

from eth_utils.conversions import to_bytes
from eth_utils.crypto import keccak

from portal.escrow import typed_data
from portal.escrow.chain.client import ChainClient
from portal.escrow.contracts import artefact, vault_implementation

_WORD = 32
_VERSION = typed_data.DOMAIN_VERSION
VAULT_DOMAIN_NAME = "OTC Portal Vault"


def escrow_code_problems(client: ChainClient, escrow: str, co_signer: str) -> list[str]:
    """What is not as packaged about an escrow and its vaults; empty when all is.

    `co_signer` is who must co-sign withdrawals. Raises Unavailable when no node answers.
    """
    vault = vault_implementation(escrow)
    chain_id = client.chain_id
    ours = _immutables(typed_data.DOMAIN_NAME, chain_id, escrow) | {_word(vault)}
    vaults = _immutables(VAULT_DOMAIN_NAME, chain_id, vault) | {_word(escrow), _word(co_signer)}
    problems = [
        f"the code at {address} {problem}"
        for name, address, allowed in (("Escrow", escrow, ours), ("Vault", vault, vaults))
        if (problem := code_problem(name, code_at(client, address), allowed))
    ]
    return problems or _co_signer_problems(client, vault, co_signer)


def code_at(client: ChainClient, address: str) -> bytes:
    """The runtime code at an address; empty where no contract is."""
    return to_bytes(hexstr=str(client.call("eth_getCode", address, "latest")))


def code_problem(name: str, code: bytes, allowed: frozenset[bytes]) -> str | None:
    """Why `code` is not the packaged contract `name` with only `allowed` words as immutables."""
    if not code:
        return "is empty: there is no contract"
    built = artefact(name)
    blank, words = bytearray(code), set()
    for start in built["immutables"]:
        words.add(code[start : start + _WORD])
        blank[start : start + _WORD] = bytes(_WORD)
    if keccak(bytes(blank)) != keccak(hexstr=built["runtime"]):
        return f"is not that of the packaged {name}"
    foreign = sorted(words - allowed)
    return f"was made with a value of its own: 0x{foreign[0].hex()}" if foreign else None


def _co_signer_problems(client: ChainClient, vault: str, co_signer: str) -> list[str]:
    found = str(client.read("Vault", vault, "coSigner"))
    if found.lower() == co_signer.lower():
        return []
    return [f"its vaults are co-signed by {found}, not by {co_signer}"]


def _immutables(name: str, chain_id: int, address: str) -> frozenset[bytes]:
    """What OpenZeppelin's EIP712 keeps: see `EIP712.sol`."""
    domain = typed_data.domain_hash(name, _VERSION, chain_id, address)
    texts = (_short(name), _short(_VERSION), keccak(text=name), keccak(text=_VERSION))
    return frozenset({domain, _word(address), chain_id.to_bytes(_WORD, "big"), *texts})


def _short(text: str) -> bytes:
    """A ShortString: the text, zeros, and its length in the last byte."""
    raw = text.encode()
    return raw.ljust(_WORD - 1, b"\0") + bytes([len(raw)])


def _word(address: str) -> bytes:
    return to_bytes(hexstr=address).rjust(_WORD, b"\0")
