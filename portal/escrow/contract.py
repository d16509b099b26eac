"""The escrow contract on chain: its status slots, its closings, and calldata for its functions."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from eth_utils.conversions import to_hex
from eth_utils.crypto import keccak
from web3 import Web3
from web3.types import LogReceipt

from portal.escrow.chain.client import ChainClient, encode_call
from portal.escrow.contracts import artefact
from portal.escrow.deployment import Deployment
from portal.escrow.rules import CHAIN_STATUS, Status
from portal.escrow.typed_data import DECISION, STRUCTS, Fields, struct_hash

NO_SIGNATURE = b""
_KINDS = dict(STRUCTS["Terms"])
# What each trade of a batch of full releases has of its own; other times follow its `payBy`.
OWN_TERMS = ("salt", "seller", "buyer", "amount", "fee", "payBy")


@dataclass(frozen=True)
class Closing:
    """How a trade's escrow ended: the buyer's gross share, and in which transaction."""

    to_buyer: int
    tx_hash: str
    block_number: int


@dataclass(frozen=True)
class Settlement:
    """One decision of a batch, with the signatures at hand (two are needed)."""

    terms: dict[str, Any]
    decision: dict[str, Any]
    seller: str | None = None
    buyer: str | None = None
    arbiter: str | None = None


class EscrowContract:
    """Reads of one deployed escrow."""

    def __init__(self, client: ChainClient, deployment: Deployment) -> None:
        self.client = client
        self.deployment = deployment

    def status(self, escrow_id: str, block: int | None = None) -> Status:
        """Where a trade stands on chain at the end of `block` (the newest if not given)."""
        number = self.client.read(
            "Escrow", self.deployment.escrow, "statusOf", bytes.fromhex(escrow_id[2:]), block=block
        )
        return CHAIN_STATUS[int(number)]

    def closing(self, escrow_id: str, since: int | None = None) -> Closing | None:
        """How a trade ended, from the contract's events; None while it has not."""
        found = self._events([_closing_topics(), escrow_id], since)
        return _closing(found[-1]) if found else None

    def closings(self) -> dict[str, Closing]:
        """How every trade that ended did, by its id."""
        logs = self._events([_closing_topics()], None)
        return {to_hex(log["topics"][1]): _closing(log) for log in logs}

    def opening(self, escrow_id: str, since: int | None = None) -> str | None:
        """Hash of the transaction that opened a trade, or None."""
        found = self._events([event_topic("Opened"), escrow_id], since)
        return to_hex(found[-1]["transactionHash"]) if found else None

    def _events(self, topics: list[Any], since: int | None) -> list[LogReceipt]:
        first = self.deployment.block if since is None else since
        return self.client.logs(self.deployment.escrow, topics, first, self.client.block_number())


def _closing_topics() -> list[str]:
    return [event_topic(name) for name in ("Settled", "Cancelled", "Expired")]


def _closing(log: LogReceipt) -> Closing:
    settled = to_hex(log["topics"][0]) == event_topic("Settled")
    share = int.from_bytes(log["data"][:32], "big") if settled else 0
    return Closing(share, to_hex(log["transactionHash"]), int(log["blockNumber"]))


@cache
def event_topic(name: str, contract: str = "Escrow") -> str:
    """First topic of a contract's event."""
    entry = next(
        item
        for item in artefact(contract)["abi"]
        if item["type"] == "event" and item["name"] == name
    )
    kinds = ",".join(_canonical(item) for item in entry["inputs"])
    return to_hex(keccak(text=f"{name}({kinds})"))


def _canonical(item: dict[str, Any]) -> str:
    if item["type"] != "tuple":
        return str(item["type"])
    return f"({','.join(_canonical(part) for part in item['components'])})"


def escrow_id(terms: dict[str, Any]) -> str:
    """The contract's trade id: the struct hash of the terms."""
    return to_hex(struct_hash("Terms", terms))


def open_call(terms: dict[str, Any], authority: dict[str, Any], signature: str) -> str:
    """Calldata that opens a trade under a seller's authority."""
    arguments = [_tuple("Terms", terms), _tuple("OrderAuthority", authority), _raw(signature)]
    return encode_call("Escrow", "open", arguments)


def mark_paid_call(terms: dict[str, Any], buyer_signature: str) -> str:
    """Calldata that relays the buyer's `MarkPaid`."""
    return encode_call("Escrow", "markPaid", [_tuple("Terms", terms), _raw(buyer_signature)])


def cancel_call(terms: dict[str, Any], buyer_signature: str) -> str:
    """Calldata that relays the buyer's `Cancel`."""
    return encode_call("Escrow", "cancel", [_tuple("Terms", terms), _raw(buyer_signature)])


def expire_call(terms: dict[str, Any]) -> str:
    """Calldata that returns an unpaid trade's coins."""
    return encode_call("Escrow", "expire", [_tuple("Terms", terms)])


def settle_call(
    terms: dict[str, Any],
    decision: dict[str, Any],
    seller: str | None,
    buyer: str | None,
    arbiter: str | None,
) -> str:
    """Calldata that executes a decision with the signatures at hand (two are needed)."""
    signatures = [_raw(signature) for signature in (seller, buyer, arbiter)]
    arguments = [_tuple("Terms", terms), _values(DECISION, decision), *signatures]
    return encode_call("Escrow", "settle", arguments)


def settle_batch_call(settlements: list[Settlement], *, skip: bool) -> str:
    """Calldata that executes many decisions and pays each payee once per token.

    With `skip` those that can't be executed are passed over, else one of them reverts all.
    """
    items = [
        (
            _tuple("Terms", one.terms),
            _values(DECISION, one.decision),
            _raw(one.seller),
            _raw(one.buyer),
            _raw(one.arbiter),
        )
        for one in settlements
    ]
    return encode_call("Escrow", "settleBatch", [items, skip])


def release_batch_call(settlements: list[Settlement], *, skip: bool) -> str:
    """Calldata that does what `settle_batch_call` does for trades of which `share_release` holds:
    full releases that keys of seller and buyer signed. It costs a sixth less gas.

    Raises ValueError for other settlements, and for signatures that are not 65 bytes.
    """
    if not share_release(settlements):
        raise ValueError("these settlements are no full releases with common terms")
    first = settlements[0]
    items = [
        tuple(_value(_KINDS[name], one.terms[name]) for name in OWN_TERMS)
        + _compact(one.seller)
        + _compact(one.buyer)
        for one in settlements
    ]
    deadline = int(first.decision["deadline"])
    return encode_call(
        "Escrow", "releaseBatch", [_tuple("Terms", first.terms), deadline, items, skip]
    )


def share_release(settlements: list[Settlement]) -> bool:
    """Whether one `release_batch_call` can carry all of these: everything goes to the buyer, seller
    and buyer signed, and the trades differ in nothing but `OWN_TERMS` and the times that follow.

    Contract wallets can't sign these; who is one is for the caller to know.
    """
    return (
        bool(settlements)
        and len({_common(one) for one in settlements}) == 1
        and all(
            int(one.decision["toBuyer"]) == int(one.terms["amount"])
            and not one.decision["payArbiter"]
            and one.seller
            and one.buyer
            for one in settlements
        )
    )


def _common(one: Settlement) -> tuple[Any, ...]:
    terms, pay_by = one.terms, int(one.terms["payBy"])
    later = [
        int(at) - pay_by for at in (terms["resolveBy"], terms["sunset"], one.decision["deadline"])
    ]
    own = (*OWN_TERMS, "resolveBy", "sunset")
    return (*later, *(_value(_KINDS[name], terms[name]) for name in _KINDS if name not in own))


def _compact(signature: str | None) -> tuple[bytes, bytes]:
    """r, and s with the parity of the point in its highest bit (EIP-2098)."""
    raw = _raw(signature)
    if len(raw) != 65 or raw[64] not in (27, 28) or raw[32] >> 7:
        raise ValueError(f"{signature} is no signature of r, low s and v = 27 or 28")
    return raw[:32], bytes([raw[32] | (raw[64] - 27) << 7]) + raw[33:64]


def sunset_call(terms: dict[str, Any]) -> str:
    """Calldata that pays out the agreed split of a paid trade after its sunset."""
    return encode_call("Escrow", "splitAtSunset", [_tuple("Terms", terms)])


def _tuple(struct: str, message: dict[str, Any]) -> tuple[Any, ...]:
    return _values(STRUCTS[struct], message)


def _values(fields: Fields, message: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(_value(kind, message[name]) for name, kind in fields)


def _value(kind: str, value: Any) -> Any:
    if kind.startswith("uint"):
        return int(value)
    if kind == "bool":
        return bool(value)
    if kind == "address":
        return Web3.to_checksum_address(value)
    return bytes.fromhex(str(value).removeprefix("0x"))


def _raw(signature: str | None) -> bytes:
    return bytes.fromhex(signature.removeprefix("0x")) if signature else NO_SIGNATURE
