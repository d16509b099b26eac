"""A key in a Web3Signer (or whatever speaks like one), asked over HTTP.

Transactions go to its JSON-RPC method `eth_signTransaction`. Typed data goes to
`POST /api/v1/eth1/sign/{identifier}`, which signs keccak256 of the bytes it gets: the 66 bytes of
EIP-712 (0x1901, domain hash, struct hash) are sent, never a hash. The identifier is the public
key; it is looked up by the address in `GET /api/v1/eth1/publicKeys`. See
https://docs.web3signer.consensys.io/reference/api. What comes back is believed only after it was
found to be by the right key, over exactly what was asked.
"""

from collections.abc import Mapping
from typing import Any

import httpx
from eth_account import Account
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from eth_utils.address import to_checksum_address
from eth_utils.conversions import to_hex
from eth_utils.crypto import keccak
from hexbytes import HexBytes

from portal.core.addresses import public_part
from portal.core.errors import InvalidInput, Unavailable
from portal.escrow import typed_data
from portal.escrow.signers.signer import SignedTransaction
from portal.escrow.typed_data import TypedData

_NUMBERS = ("chainId", "nonce", "gas", "maxFeePerGas", "maxPriorityFeePerGas", "value")


class RemoteSigner:
    """Asks a remote signer for every signature.

    `name` is the setting that holds `url`. Raises Unavailable when the signer does not answer in
    `timeout` seconds, refuses, or answers with anything but the right signature.
    """

    def __init__(self, url: str, address: str, timeout: float, name: str) -> None:
        self._address = typed_data.parse_address(
            address, field=name.replace("SIGNER_URL", "ADDRESS")
        )
        self._name, self._place = name, public_part(url)
        self._http = httpx.Client(base_url=url.rstrip("/"), timeout=timeout)
        self._public_key: str | None = None

    def __repr__(self) -> str:
        return f"RemoteSigner({self._place}, {self._address})"

    @property
    def address(self) -> str:
        """The address whose signatures are asked for and accepted."""
        return self._address

    def sign_transaction(self, transaction: Mapping[str, Any]) -> SignedTransaction:
        """Have an EIP-1559 transaction signed."""
        asked = _json(transaction) | {"from": self._address}
        raw = self._rpc("eth_signTransaction", [asked])
        self._check_transaction(raw, transaction)
        return SignedTransaction(raw, keccak(raw))

    def sign_typed(self, data: TypedData) -> str:
        """Have EIP-712 data signed."""
        path = f"/api/v1/eth1/sign/{self.public_key()}"
        signed_bytes = to_hex(typed_data.signed_bytes(data))
        said = self._send("POST", path, json={"data": signed_bytes}).text.strip().strip('"')
        signature = _with_parity(said)
        try:
            typed_data.verify_signature(data, signature, self._address)
        except InvalidInput as error:
            raise self._wrong(f"a signature that {_why(error)}") from None
        return signature

    def public_key(self) -> str:
        """The signer's name for this key. Raises Unavailable when it has no key of the address."""
        if self._public_key is None:
            keys = _parsed(self._send("GET", "/api/v1/eth1/publicKeys"))
            listed = keys if isinstance(keys, list) else []
            found = [key for key in listed if _address_of(key) == self._address]
            if not found:
                raise self._unavailable(f"has no key of {self._address}")
            self._public_key = str(found[0])
        return self._public_key

    def _rpc(self, method: str, parameters: list[Any]) -> bytes:
        call = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
        body = _parsed(self._send("POST", "/", json=call))
        if not isinstance(body, dict) or not isinstance(body.get("result"), str):
            error = body.get("error") if isinstance(body, dict) else None
            reason = error.get("message") if isinstance(error, dict) else "no result"
            raise self._unavailable(f"refused {method}: {str(reason)[:200]}")
        try:
            return bytes.fromhex(body["result"].removeprefix("0x"))
        except ValueError:
            raise self._wrong("no hexadecimal transaction") from None

    def _send(self, method: str, path: str, **content: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, path, **content)
        except httpx.HTTPError as error:
            raise self._unavailable(f"does not answer: {type(error).__name__}") from None
        if answer.status_code != httpx.codes.OK:
            raise self._unavailable(f"answered {method} with HTTP {answer.status_code}")
        return answer

    def _check_transaction(self, raw: bytes, asked: Mapping[str, Any]) -> None:
        try:
            signed = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
            signer = Account.recover_transaction(raw)
        except Exception:
            raise self._wrong("bytes that are no EIP-1559 transaction") from None
        if signer != self._address:
            raise self._wrong(f"a transaction signed by {signer}, not by {self._address}")
        changed = [name for name, value in _plain(asked).items() if _plain(signed)[name] != value]
        if changed:
            raise self._wrong(f"a transaction with another {', '.join(changed)}")

    def _wrong(self, what: str) -> Unavailable:
        return self._unavailable(f"gave back {what}")

    def _unavailable(self, what: str) -> Unavailable:
        return Unavailable(
            f"The signer at {self._place} {what}.",
            field=self._name,
            hint=f"Nothing was signed. Look at the signer, or correct {self._name}.",
        )


def _json(transaction: Mapping[str, Any]) -> dict[str, str]:
    """As `eth_signTransaction` takes it: quantities as hexadecimal text."""
    fields = {name: hex(int(transaction[name])) for name in _NUMBERS}
    fields |= {"type": "0x2", "data": str(transaction["data"])}
    return fields | ({"to": str(transaction["to"])} if transaction.get("to") else {})


def _plain(transaction: Mapping[str, Any]) -> dict[str, Any]:
    """What a transaction does, in a form that can be compared."""
    return {
        **{name: int(transaction[name]) for name in _NUMBERS},
        "type": int(transaction.get("type", 2)),
        "to": bytes(HexBytes(transaction.get("to") or b"")),
        "data": bytes(HexBytes(transaction["data"])),
        "accessList": [] if not transaction.get("accessList") else transaction["accessList"],
    }


def _address_of(public_key: object) -> str | None:
    """The address of an uncompressed public key, 0x and 128 digits."""
    try:
        point = bytes.fromhex(str(public_key).removeprefix("0x"))
    except ValueError:
        return None
    return to_checksum_address(keccak(point[-64:])[12:]) if len(point) in (64, 65) else None


def _with_parity(signature: str) -> str:
    """v as 27 or 28, where the signer counts from 0."""
    return signature[:-2] + {"00": "1b", "01": "1c"}.get(signature[-2:], signature[-2:])


def _parsed(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None


def _why(error: InvalidInput) -> str:
    return error.message.removeprefix("signature ").rstrip(".")
