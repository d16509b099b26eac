"""Proofs that a person controls an address outside: EIP-191 for EVM, BIP-322 for Bitcoin.

The message names the portal, the person and the day, so that a proof serves nobody else.
"""

from datetime import date

import bip322
from eth_account import Account
from eth_account.messages import encode_defunct

from portal.core.errors import InvalidInput

_LONGEST = 4_000


def proof_message(portal: str, user_id: int, address: str, day: date) -> str:
    """What the person signs."""
    return (
        f"I, person {user_id} of {portal}, control the address {address}. {day.isoformat()} (UTC)"
    )


def check_proof(address: str, message: str, signature: str) -> None:
    """Raises InvalidInput unless `signature` is of `message` by the keys of `address`.

    EVM addresses (`0x…`): a personal_sign signature of 65 bytes in hexadecimal (EIP-191). Bitcoin:
    a BIP-322 "simple" signature in base64, of P2WPKH or P2TR by its key.
    """
    if len(signature) > _LONGEST:
        raise _wrong(address, "it is too long")
    check = _check_evm if address[:2].lower() == "0x" else _check_bitcoin
    check(address, message, signature)


def _check_evm(address: str, message: str, signature: str) -> None:
    try:
        signer = Account.recover_message(encode_defunct(text=message), signature=signature)
    except Exception as error:  # Its libraries raise a dozen kinds for bytes that are none.
        raise _wrong(address, "it is no signature") from error
    if str(signer).lower() != address.lower():
        raise _wrong(address, f"it is by {signer}")


def _check_bitcoin(address: str, message: str, signature: str) -> None:
    try:
        bip322.verify_simple_encoded(address, message, signature)
    except Exception as error:  # VerificationError is one of several.
        raise _wrong(address, str(error)[:200]) from error


def _wrong(address: str, why: str) -> InvalidInput:
    return InvalidInput(
        f"The signature does not prove control of {address}: {why}.",
        field="signature",
        value=address,
        hint="Sign exactly the message shown, with the wallet that holds the address.",
    )
