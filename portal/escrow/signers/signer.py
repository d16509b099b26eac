"""What the portal asks of a key, wherever the key is."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from portal.escrow.typed_data import TypedData


class SignedTransaction(NamedTuple):
    """A transaction ready to be sent, and its hash."""

    raw_transaction: bytes
    hash: bytes


class Signer(Protocol):
    """One key of the platform.

    Every method may raise Unavailable when the key can't be reached: nothing is signed then, and
    asking again later is right.
    """

    @property
    def address(self) -> str:
        """The key's checksummed address; known without opening the key."""
        ...

    def sign_transaction(self, transaction: Mapping[str, Any]) -> SignedTransaction:
        """Sign an EIP-1559 transaction: chainId, nonce, gas, maxFeePerGas, maxPriorityFeePerGas,
        value, data, and `to` unless it makes a contract. Amounts in wei.
        """
        ...

    def sign_typed(self, data: TypedData) -> str:
        """Sign EIP-712 data: 65 bytes r, s, v (27 or 28) as hexadecimal text."""
        ...
