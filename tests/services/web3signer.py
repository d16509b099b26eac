"""A Web3Signer on a free loopback port, in its documented shape, that can be told to misbehave.

As specified at https://docs.web3signer.consensys.io/reference/api: `eth_signTransaction` and
`eth_accounts` by JSON-RPC at `/`, `GET /api/v1/eth1/publicKeys`, and
`POST /api/v1/eth1/sign/{public key}`, which signs keccak256 of the data and answers with text.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from eth_account import Account
from eth_keys.datatypes import PrivateKey
from eth_utils.crypto import keccak

NUMBERS = ("nonce", "gas", "maxFeePerGas", "maxPriorityFeePerGas", "value")


class FakeWeb3Signer:
    """Knows one key. `twist` may change what is asked before it is signed; `status`, `delay` and
    `answer` spoil the transport.
    """

    def __init__(self, key: str, chain_id: int) -> None:
        self.key, self.chain_id = PrivateKey(bytes.fromhex(key.removeprefix("0x"))), chain_id
        self.twist: Callable[[Any], Any] = lambda asked: asked
        self.status, self.delay = 200, 0.0
        self.answer: str | None = None
        self.seen: list[str] = []
        self.url = ""

    def rpc(self, call: dict[str, Any]) -> dict[str, Any]:
        """What the JSON-RPC side answers."""
        (asked,) = call["params"]
        reply = {"jsonrpc": "2.0", "id": call["id"]}
        if asked["from"].lower() != self.key.public_key.to_address():
            error = {"code": -32000, "message": "From address does not match available account"}
            return reply | {"error": error}
        transaction = {name: int(asked[name], 16) for name in NUMBERS}
        transaction |= {"type": 2, "chainId": self.chain_id, "data": asked["data"]}
        if "to" in asked:
            transaction["to"] = asked["to"]
        signed = Account.sign_transaction(self.twist(transaction), self.key.to_hex())
        return reply | {"result": "0x" + signed.raw_transaction.hex().removeprefix("0x")}

    def sign(self, public_key: str, data: str) -> str | None:
        """r, s, v over keccak256 of the data, v 27 or 28; None for a key that is not here."""
        if public_key != self.key.public_key.to_hex():
            return None
        hashed = keccak(self.twist(bytes.fromhex(data[2:])))
        raw = self.key.sign_msg_hash(hashed).to_bytes()
        return "0x" + (raw[:64] + bytes([raw[64] + 27])).hex()


@contextmanager
def serving(signer: FakeWeb3Signer) -> Iterator[FakeWeb3Signer]:
    """Serve until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._say(json.dumps([signer.key.public_key.to_hex()]))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path == "/":
                self._say(json.dumps(signer.rpc(body)))
                return
            said = signer.sign(self.path.rpartition("/")[2], body["data"])
            self._say(said or "", 404 if said is None else 200)

        def _say(self, text: str, status: int = 200) -> None:
            signer.seen.append(self.path)
            time.sleep(signer.delay)
            with suppress(BrokenPipeError, ConnectionResetError):  # Nobody waits any more.
                self.send_response(signer.status if signer.status != 200 else status)
                self.end_headers()
                self.wfile.write((signer.answer if signer.answer is not None else text).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    signer.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield signer
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
