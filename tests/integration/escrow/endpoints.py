"""RPC endpoints that stand before a real node and lag or lie in what they answer."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.request import Request, urlopen

# Gets a method, its parameters and the node's true result; gives what is answered instead.
Answer = Callable[[str, list[Any], Any], Any]


class Refusal(dict[str, Any]):
    """A JSON-RPC error in place of the result."""


@contextmanager
def endpoint(node: str, answer: Answer) -> Iterator[str]:
    """The address of an endpoint before `node` that answers what `answer` makes of the truth."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            reply = _forward(node, body)
            call = json.loads(body)
            if "result" in reply:
                said = answer(call["method"], call.get("params", []), reply["result"])
                reply.pop("result")
                reply["error" if isinstance(said, Refusal) else "result"] = said
            content = json.dumps(reply).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def _forward(node: str, body: bytes) -> dict[str, Any]:
    request = Request(node, body, {"Content-Type": "application/json"})
    with urlopen(request, timeout=10) as answer:
        reply: dict[str, Any] = json.load(answer)
    return reply


def spent_without_receipts(method: str, parameters: list[Any], truth: Any) -> Any:
    """Says that nonces are spent, for good, and knows no receipt."""
    if method == "eth_getTransactionCount":
        return hex(int(truth, 16) + 5)
    return None if method in ("eth_getTransactionReceipt", "eth_getTransactionByHash") else truth


def no_receipts(method: str, parameters: list[Any], truth: Any) -> Any:
    """Is behind with receipts, though not with the count of transactions."""
    return None if method in ("eth_getTransactionReceipt", "eth_getTransactionByHash") else truth


def overstated_nonces(method: str, parameters: list[Any], truth: Any) -> Any:
    """Counts two transactions that nobody made."""
    return hex(int(truth, 16) + 2) if method == "eth_getTransactionCount" else truth


def late_nonces(method: str, parameters: list[Any], truth: Any) -> Any:
    """Has not got the last transaction of anybody."""
    return hex(max(0, int(truth, 16) - 1)) if method == "eth_getTransactionCount" else truth


def refuses_calls(method: str, parameters: list[Any], truth: Any) -> Any:
    """Says that contracts refuse whatever is tried."""
    refusal = Refusal(code=3, message="execution reverted", data="0x")
    return refusal if method == "eth_estimateGas" else truth


def asks_much_gas(method: str, parameters: list[Any], truth: Any) -> Any:
    """Says that a call needs more than one transaction may use."""
    return hex(2**24 + 1) if method == "eth_estimateGas" else truth


def dear(method: str, parameters: list[Any], truth: Any) -> Any:
    """Says that gas costs a thousand times what it does."""
    if method != "eth_feeHistory":
        return truth
    dearer = [hex(int(fee, 16) * 1000) for fee in truth["baseFeePerGas"]]
    return {**truth, "baseFeePerGas": dearer}
