"""A key in this process's memory."""

from collections.abc import Mapping
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_typing import Hash32
from eth_utils.conversions import to_hex

from portal.core.errors import InvalidInput
from portal.escrow import typed_data
from portal.escrow.signers.signer import SignedTransaction
from portal.escrow.typed_data import TypedData


class LocalSigner:
    """Signs with a key that it was given. Shows the address and never the key."""

    def __init__(self, key: str | bytes, name: str = "The key") -> None:
        """`name` is what an error calls the key. Raises InvalidInput when it is none."""
        try:
            self._account: LocalAccount = Account.from_key(key)
        except Exception:
            # From None: the libraries' own words may repeat what they were given.
            raise InvalidInput(
                f"{name} is not a private key: 64 hexadecimal digits are needed.", field=name
            ) from None

    def __repr__(self) -> str:
        return f"LocalSigner({self.address})"

    @property
    def address(self) -> str:
        """The key's checksummed address."""
        return str(self._account.address)

    def sign_transaction(self, transaction: Mapping[str, Any]) -> SignedTransaction:
        """Sign an EIP-1559 transaction."""
        signed = self._account.sign_transaction(dict(transaction))
        return SignedTransaction(bytes(signed.raw_transaction), bytes(signed.hash))

    def sign_typed(self, data: TypedData) -> str:
        """Sign EIP-712 data."""
        return to_hex(self._account.unsafe_sign_hash(Hash32(typed_data.digest(data))).signature)
