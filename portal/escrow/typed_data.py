"""EIP-712: what wallets are asked to sign, as plain JSON, and who signed it.

Whole numbers are decimal strings in a message, so that no JSON reader rounds them. The struct
and field names are those of the contracts; the hashes must be equal there and here. What is signed
about a trade nests its whole terms, so that every wallet shows the deal.
"""

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from coincurve import PublicKey
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from portal.core.errors import InvalidInput

TypedData = dict[str, Any]
Message = dict[str, Any]
Fields = tuple[tuple[str, str], ...]

DOMAIN_NAME = "OTC Portal Escrow"
DOMAIN_VERSION = "1"
_DOMAIN_FIELDS: Fields = (
    ("name", "string"),
    ("version", "string"),
    ("chainId", "uint256"),
    ("verifyingContract", "address"),
)
# `IEscrow.Decision`; signed as `Settle`, which puts the terms before it.
DECISION: Fields = (("toBuyer", "uint128"), ("payArbiter", "bool"), ("deadline", "uint40"))
STRUCTS: dict[str, Fields] = {
    "Terms": (
        ("salt", "bytes32"),
        ("seller", "address"),
        ("buyer", "address"),
        ("arbiter", "address"),
        ("backupArbiter", "address"),
        ("token", "address"),
        ("amount", "uint128"),
        ("fee", "uint128"),
        ("arbiterFee", "uint128"),
        ("feeTo", "address"),
        ("payBy", "uint40"),
        ("resolveBy", "uint40"),
        ("sunset", "uint40"),
        ("sunsetBuyerBps", "uint16"),
    ),
    "OrderAuthority": (
        ("owner", "address"),
        ("token", "address"),
        ("maxTotal", "uint128"),
        ("minPerTrade", "uint128"),
        ("maxPerTrade", "uint128"),
        ("arbiter", "address"),
        ("backupArbiter", "address"),
        ("feeTo", "address"),
        ("maxFeeBps", "uint16"),
        ("maxArbiterFeeBps", "uint16"),
        ("opener", "address"),
        ("payWindow", "uint32"),
        ("resolveWindow", "uint32"),
        ("sunsetWindow", "uint32"),
        ("sunsetBuyerBps", "uint16"),
        ("deadline", "uint40"),
        ("nonce", "uint256"),
    ),
    "Settle": (("terms", "Terms"), *DECISION),
    "MarkPaid": (("terms", "Terms"),),
    "Cancel": (("terms", "Terms"),),
    "WalletBinding": (("userId", "uint256"), ("address", "address"), ("issuedAt", "uint64")),
}

CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_SIGNATURE = re.compile(r"0x[0-9a-fA-F]{130}")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")


@dataclass(frozen=True)
class Domain:
    """Which contract on which chain a signature is for."""

    chain_id: int
    escrow: str


def typed(domain: Domain, struct: str, message: Message) -> TypedData:
    """The typed data of `struct` with this message, as `eth_signTypedData_v4` takes it."""
    described = {name: _described(STRUCTS[name]) for name in (struct, *_nested(struct))}
    return {
        "types": {"EIP712Domain": _described(_DOMAIN_FIELDS), **described},
        "primaryType": struct,
        "domain": {
            "name": DOMAIN_NAME,
            "version": DOMAIN_VERSION,
            "chainId": domain.chain_id,
            "verifyingContract": domain.escrow,
        },
        "message": _plain(struct, message),
    }


def order_authority(domain: Domain, message: Message) -> TypedData:
    """A seller's standing consent; see `IEscrow.OrderAuthority` for the fields."""
    return typed(domain, "OrderAuthority", message)


def mark_paid(domain: Domain, terms: Message) -> TypedData:
    """The buyer states that the money was sent."""
    return typed(domain, "MarkPaid", {"terms": terms})


def cancel(domain: Domain, terms: Message) -> TypedData:
    """The buyer gives the trade up."""
    return typed(domain, "Cancel", {"terms": terms})


def settle(domain: Domain, terms: Message, to_buyer: int, deadline: int) -> TypedData:
    """A decision: the buyer's gross share in token units, good until a Unix second.

    Our arbiter takes no fee of its own, so it is never paid by a decision.
    """
    decision = {"toBuyer": to_buyer, "payArbiter": False, "deadline": deadline}
    return typed(domain, "Settle", {"terms": terms, **decision})


def wallet_binding(domain: Domain, user_id: int, address: str, issued_at: int) -> TypedData:
    """A person ties a wallet key to their account; `issued_at` is a Unix second."""
    message = {"userId": user_id, "address": address, "issuedAt": issued_at}
    return typed(domain, "WalletBinding", message)


def struct_hash(struct: str, message: Message) -> bytes:
    """EIP-712 hashStruct; a nested struct counts as its own hash."""
    return keccak(type_hash(struct) + _encoded(STRUCTS[struct], message))


@cache
def type_hash(struct: str) -> bytes:
    """EIP-712 typeHash: the struct's type followed by those that it nests, by name."""
    return keccak(text="".join(_type(name, STRUCTS[name]) for name in (struct, *_nested(struct))))


def digest(data: TypedData) -> bytes:
    """The 32 bytes that are signed for this typed data."""
    domain = keccak(_DOMAIN_TYPE_HASH + _encoded(_DOMAIN_FIELDS, data["domain"]))
    return keccak(b"\x19\x01" + domain + struct_hash(data["primaryType"], data["message"]))


def recover(data: TypedData, signature: str, *, field: str = "signature") -> str:
    """The checksummed address that signed.

    Raises InvalidInput naming `field` for anything but 65 bytes of r, low s and v 27 or 28.
    """
    raw = _signature_bytes(signature, field)
    if int.from_bytes(raw[32:64], "big") > CURVE_ORDER // 2:
        raise _bad_signature(field, signature, "has a high s value, which the contract refuses")
    if raw[64] not in (27, 28):
        raise _bad_signature(field, signature, "must end in v = 27 or 28")
    compact = raw[:64] + bytes([raw[64] - 27])
    try:
        public = PublicKey.from_signature_and_message(compact, digest(data), hasher=None)
    except ValueError as error:
        raise _bad_signature(field, signature, "is not a point of the curve") from error
    return to_checksum_address(keccak(public.format(compressed=False)[1:])[12:])


def verify_signature(
    data: TypedData, signature: str, expected_address: str, *, field: str = "signature"
) -> None:
    """Accept a signature of `data` by `expected_address`, refuse any other.

    Raises InvalidInput naming `field`.
    """
    signer = recover(data, signature, field=field)
    if signer.lower() != expected_address.lower():
        raise InvalidInput(
            f"{field} is by {signer}, not by {expected_address}, or over other values.",
            field=field,
            value=signature,
            hint="Load what is to be signed again and sign it with the wallet of this account.",
        )


def parse_address(text: object, *, field: str = "address") -> str:
    """A checksummed address from any spelling of it. Raises InvalidInput naming `field`."""
    if not isinstance(text, str) or _ADDRESS.fullmatch(text) is None:
        raise InvalidInput(
            f"{field} must be 0x and 40 hexadecimal digits.", field=field, value=text
        )
    if int(text, 16) == 0:
        raise InvalidInput(f"{field} can't be the zero address.", field=field, value=text)
    return to_checksum_address(text)


def _signature_bytes(signature: object, field: str) -> bytes:
    if not isinstance(signature, str) or _SIGNATURE.fullmatch(signature) is None:
        raise _bad_signature(field, signature, "must be 0x and 130 hexadecimal digits")
    return bytes.fromhex(signature[2:])


def _bad_signature(field: str, value: object, why: str) -> InvalidInput:
    return InvalidInput(f"{field} {why}.", field=field, value=value)


def _nested(struct: str) -> list[str]:
    """The structs that a struct's fields are of, by name. Ours nest one level deep."""
    return sorted({kind for _, kind in STRUCTS[struct] if kind in STRUCTS})


def _type(struct: str, fields: Fields) -> str:
    return f"{struct}({','.join(f'{kind} {name}' for name, kind in fields)})"


_DOMAIN_TYPE_HASH = keccak(text=_type("EIP712Domain", _DOMAIN_FIELDS))


def _described(fields: Fields) -> list[dict[str, str]]:
    return [{"name": name, "type": kind} for name, kind in fields]


def _plain(struct: str, message: Message) -> Message:
    return {name: _plain_value(kind, message[name]) for name, kind in STRUCTS[struct]}


def _plain_value(kind: str, value: Any) -> Any:
    """A value as the message carries it: numbers as decimal strings, addresses checksummed."""
    if kind in STRUCTS:
        return _plain(kind, value)
    if kind == "bool":
        return bool(value)
    if kind.startswith("uint"):
        return str(int(value))
    return to_checksum_address(value) if kind == "address" else str(value)


def _encoded(fields: Fields, message: Message) -> bytes:
    return b"".join(_word(kind, message[name]) for name, kind in fields)


def _word(kind: str, value: Any) -> bytes:
    if kind in STRUCTS:
        return struct_hash(kind, value)
    if kind == "string":
        return keccak(text=value)
    if kind == "bool":
        return int(value).to_bytes(32, "big")
    if kind.startswith("uint"):
        return int(value).to_bytes(int(kind[4:]) // 8, "big").rjust(32, b"\0")
    size = 20 if kind == "address" else 32
    raw = bytes.fromhex(value.removeprefix("0x"))
    if len(raw) != size:
        raise ValueError(f"{value} is not {size} bytes")
    return raw.rjust(32, b"\0")
