#!/usr/bin/env python3
"""A trader's way out when the operator is gone.

Needs nothing but a node, the contract, the trade's terms and the signatures at hand: no part of
the portal, only eth-account, eth-abi and eth-utils (`pip install eth-account`).

A case is a JSON file: {"rpc": URL, "chainId": N, "escrow": ADDRESS, "terms": {…},
"decision": {"toBuyer", "payArbiter", "deadline"}, "signatures": {"seller": 0x…, "buyer": 0x…}}.
The terms are in the portal's view of the trade, in the signing dialogue and in the contract's
event `Opened`. Your key is read from the environment variable KEY; it signs and pays gas.

  exit.py status CASE                 where the trade stands and what can be done from when on
  exit.py sign CASE TO_BUYER          add your signature of a decision to the case, to hand it on
  exit.py settle CASE                 carry out the decision with two signatures (you count as one)
  exit.py cancel CASE                 buyer: give the coins back
  exit.py expire CASE                 anybody: unpaid past payBy, back to the seller
  exit.py sunset CASE                 anybody: paid and undecided past the sunset, the agreed split
  exit.py credit CASE TOKEN TO        anybody: have a payout delivered that failed
  exit.py vault CASE                  the address of your vault
  exit.py leave CASE TOKEN TO AMOUNT  ask for coins of your vault (two days); prints the request
  exit.py take CASE REQUEST           after the delay: take them (REQUEST as `leave` printed it)

Amounts are in the token's smallest unit; token 0x00…00 is the chain's own coin.
"""

import json
import os
import secrets
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from eth_abi.abi import decode, encode
from eth_account import Account
from eth_utils.address import to_checksum_address
from eth_utils.conversions import to_hex
from eth_utils.crypto import keccak

TERMS = (
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
)
DECISION = (("toBuyer", "uint128"), ("payArbiter", "bool"), ("deadline", "uint40"))
TERMS_TYPE = f"({','.join(kind for _, kind in TERMS)})"
DECISION_TYPE = f"({','.join(kind for _, kind in DECISION)})"
OUTFLOW_TYPE = "(address,address,uint256,uint256,uint40)"
STATUS = ("none", "open", "paid", "closed")
PARTIES = ("seller", "buyer", "arbiter")


class Case:
    """A trade, the node that knows it, and the key of whoever wants out."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self.content: dict[str, Any] = json.loads(self.path.read_text())
        self.terms = values(TERMS, self.content["terms"])
        self.escrow = to_checksum_address(self.content["escrow"])

    @property
    def account(self) -> Any:
        """The signer and payer."""
        return Account.from_key(os.environ["KEY"])

    def rpc(self, method: str, *parameters: Any) -> Any:
        """One question to the node. Raises SystemExit with its complaint."""
        question = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(parameters)}
        request = urllib.request.Request(  # noqa: S310 (the URL is the trader's own)
            self.content["rpc"],
            json.dumps(question).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            told = json.load(answer)
        if "error" in told:
            sys.exit(f"The node refuses: {told['error']}")
        return told["result"]

    def read(self, signature: str, kinds: list[str], arguments: list[Any], out: str) -> Any:
        """Call a view function of the escrow."""
        call = {"to": self.escrow, "data": calldata(signature, kinds, arguments)}
        return decode([out], bytes.fromhex(self.rpc("eth_call", call, "latest")[2:]))[0]

    def send(self, to: str, data: str) -> str:
        """Sign and send a transaction, wait for it. Returns its hash; exits if it failed."""
        me = self.account
        base = int(self.rpc("eth_getBlockByNumber", "latest", False)["baseFeePerGas"], 16)
        call = {"from": me.address, "to": to, "data": data}
        transaction = {
            "to": to,
            "data": data,
            "value": 0,
            "type": 2,
            "chainId": int(self.content["chainId"]),
            "nonce": int(self.rpc("eth_getTransactionCount", me.address, "pending"), 16),
            # Payouts ask for a reserve that an estimate can miss.
            "gas": int(self.rpc("eth_estimateGas", call), 16) * 3 // 2 + 300_000,
            "maxFeePerGas": 2 * base + 2 * 10**9,
            "maxPriorityFeePerGas": 10**9,
        }
        raw = to_hex(me.sign_transaction(transaction).raw_transaction)
        hash_ = str(self.rpc("eth_sendRawTransaction", raw))
        for _ in range(120):
            receipt = self.rpc("eth_getTransactionReceipt", hash_)
            if receipt is not None:
                return hash_ if int(receipt["status"], 16) else sys.exit(f"{hash_} failed")
            time.sleep(1)
        sys.exit(f"{hash_} is not mined yet; look again later")

    def keep(self) -> None:
        """Write the case back, with what was added."""
        self.path.write_text(json.dumps(self.content, indent=2) + "\n")


def values(fields: tuple[tuple[str, str], ...], named: dict[str, Any]) -> tuple[Any, ...]:
    """Named values in the contract's order and as the encoder wants them."""
    return tuple(value(kind, named[name]) for name, kind in fields)


def value(kind: str, given: Any) -> Any:
    """One value as the encoder wants it."""
    if kind.startswith("uint"):
        return int(given)
    if kind == "bytes32":
        return bytes.fromhex(given.removeprefix("0x"))
    return to_checksum_address(given) if kind == "address" else given


def calldata(signature: str, kinds: list[str], arguments: list[Any]) -> str:
    """Selector and encoded arguments."""
    return to_hex(keccak(text=signature)[:4] + encode(kinds, arguments))


def act(case: Case, name: str, *signatures: bytes) -> str:
    """Call a function that takes the terms, and bytes after them."""
    kinds = [TERMS_TYPE, *["bytes" for _ in signatures]]
    return case.send(
        case.escrow, calldata(f"{name}({','.join(kinds)})", kinds, [case.terms, *signatures])
    )


def status(case: Case) -> str:
    """Where the trade stands and which ways lead out of it."""
    trade_id = case.read(f"tradeIdOf({TERMS_TYPE})", [TERMS_TYPE], [case.terms], "bytes32")
    number = case.read("statusOf(bytes32)", ["bytes32"], [trade_id], "uint8")
    named = case.content["terms"]
    ways = {
        "none": [],
        "open": ["settle", "cancel (buyer)", f"expire after {when(named['payBy'])}"],
        "paid": ["settle", "cancel (buyer)", f"sunset after {when(named['sunset'])}"],
        "closed": [],
    }[STATUS[number]]
    backup = f"third signer after {when(named['resolveBy'])}: {named['backupArbiter']}"
    return "\n".join([f"trade {to_hex(trade_id)}: {STATUS[number]}", *ways, backup])


def when(second: Any) -> str:
    """A Unix second in words."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(int(second)))


def sign(case: Case, to_buyer: str) -> str:
    """Add our signature of a decision, the one in the case if it gives the same share."""
    decision = case.content.get("decision")
    if decision is None or int(decision["toBuyer"]) != int(to_buyer):
        deadline = str(case.content["terms"]["sunset"])
        decision = {"toBuyer": to_buyer, "payArbiter": False, "deadline": deadline}
        case.content |= {"decision": decision, "signatures": {}}
    party = party_of(case)
    signed = case.account.sign_typed_data(full_message=settle_data(case, decision))
    case.content.setdefault("signatures", {})[party] = to_hex(signed.signature)
    case.keep()
    return f"signed as {party}"


def party_of(case: Case) -> str:
    """Which of the three we are; the backup counts as the arbiter."""
    named = case.content["terms"]
    roles = {named[name].lower(): name for name in PARTIES}
    roles.setdefault(named["backupArbiter"].lower(), "arbiter")
    party = roles.get(case.account.address.lower())
    return party or sys.exit(f"{case.account.address} is no party of this trade")


def settle_data(case: Case, decision: dict[str, Any]) -> dict[str, Any]:
    """EIP-712 data of `Settle`: the whole terms and the decision."""
    described = {
        "Settle": (("terms", "Terms"), *DECISION),
        "Terms": TERMS,
        "EIP712Domain": (
            ("name", "string"),
            ("version", "string"),
            ("chainId", "uint256"),
            ("verifyingContract", "address"),
        ),
    }
    terms = dict(zip((name for name, _ in TERMS), case.terms, strict=True))
    named = {name: value(kind, decision[name]) for name, kind in DECISION}
    return {
        "types": {
            struct: [{"name": name, "type": kind} for name, kind in fields]
            for struct, fields in described.items()
        },
        "primaryType": "Settle",
        "domain": {
            "name": "OTC Portal Escrow",
            "version": "1",
            "chainId": int(case.content["chainId"]),
            "verifyingContract": case.escrow,
        },
        "message": {"terms": terms, **named},
    }


def settle(case: Case) -> str:
    """Carry out the decision; our own call is one of the two signatures."""
    given = case.content.get("signatures", {})
    proofs = [bytes.fromhex(given.get(party, "0x")[2:]) for party in PARTIES]
    kinds = [TERMS_TYPE, DECISION_TYPE, "bytes", "bytes", "bytes"]
    arguments = [case.terms, values(DECISION, case.content["decision"]), *proofs]
    return case.send(case.escrow, calldata(f"settle({','.join(kinds)})", kinds, arguments))


def credit(case: Case, token: str, to: str) -> str:
    """Have a failed payout delivered."""
    data = calldata("withdrawCredit(address,address)", ["address", "address"], [token, to])
    return case.send(case.escrow, data)


def vault(case: Case) -> str:
    """Address of our vault."""
    return to_checksum_address(
        case.read("vaultOf(address)", ["address"], [case.account.address], "address")
    )


def leave(case: Case, token: str, to: str, amount: str) -> str:
    """Put our vault's code on chain if need be and start the delay of an exit."""
    place = vault(case)
    if case.rpc("eth_getCode", place, "latest") == "0x":
        data = calldata("deployVault(address)", ["address"], [case.account.address])
        case.send(case.escrow, data)
    soon = int(case.rpc("eth_getBlockByNumber", "latest", False)["timestamp"], 16) + 3600
    request = (token, to, int(amount), secrets.randbits(64), soon)
    kinds = [OUTFLOW_TYPE, "bytes"]
    case.send(place, calldata(f"requestExit({','.join(kinds)})", kinds, [request, b""]))
    return json.dumps(request)


def take(case: Case, request: str) -> str:
    """Take a ripe exit."""
    outflow = tuple(json.loads(request))
    return case.send(vault(case), calldata(f"exit({OUTFLOW_TYPE})", [OUTFLOW_TYPE], [outflow]))


COMMANDS = {
    "status": status,
    "sign": sign,
    "settle": settle,
    "cancel": lambda case: act(case, "cancel", b""),
    "expire": lambda case: act(case, "expire"),
    "sunset": lambda case: act(case, "splitAtSunset"),
    "credit": credit,
    "vault": vault,
    "leave": leave,
    "take": take,
}


def main(arguments: list[str]) -> None:
    """Run one command and print what it answers."""
    if len(arguments) < 2 or arguments[0] not in COMMANDS:
        sys.exit(__doc__)
    command, path, *rest = arguments
    print(COMMANDS[command](Case(path), *rest))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
