"""A small HTTP proxy in front of a chain node, that can lie, lag, hang and die."""

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.request import Request, urlopen

# Given the method, its parameters and the honest answer: what is answered instead.
Lie = Callable[[str, list[Any], dict[str, Any]], dict[str, Any]]
_TAGS = ("latest", "pending", "safe", "finalized")


class RpcProxy:
    """Answers as the node does, until told otherwise."""

    def __init__(self, node_url: str) -> None:
        self._node_url = node_url
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.lie: Lie | None = None
        self.stuck_at: int | None = None
        self.dead = False
        self.slow_seconds = 0.0
        self.asked = 0
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()

    def lag(self) -> None:
        """See no block after the present one."""
        self.stuck_at = int(self.ask_node("eth_blockNumber", [])["result"], 16)

    def honest(self) -> None:
        """Answer as the node does again."""
        self.lie, self.stuck_at, self.dead = None, None, False
        self.slow_seconds = 0.0

    def answer(self, call: dict[str, Any]) -> dict[str, Any]:
        """What this proxy says to a call."""
        self.asked += 1
        time.sleep(self.slow_seconds)
        method, parameters = call["method"], call.get("params", [])
        if self.stuck_at is not None:
            answer = self._late(method, parameters, self.stuck_at)
        else:
            answer = self.ask_node(method, parameters)
        if self.lie is not None:
            answer = self.lie(method, parameters, answer)
        return {"jsonrpc": "2.0", **answer, "id": call["id"]}

    def ask_node(self, method: str, parameters: list[Any]) -> dict[str, Any]:
        """The node's own answer."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters})
        request = Request(self._node_url, body.encode(), {"Content-Type": "application/json"})
        with urlopen(request, timeout=10) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    def _late(self, method: str, parameters: list[Any], newest: int) -> dict[str, Any]:
        """As a node answers that has no block after `newest`."""
        if method == "eth_blockNumber":
            return {"result": hex(newest)}
        if method == "eth_getLogs":
            wanted = dict(parameters[0])
            wanted["toBlock"] = hex(min(int(wanted["toBlock"], 16), newest))
            return self.ask_node(method, [wanted])
        if any(_number(one) > newest for one in parameters):
            return {"error": {"code": -32000, "message": "header not found"}}
        asked = [hex(newest) if one in ("latest", "pending") else one for one in parameters]
        answer = self.ask_node(method, asked)
        found = answer.get("result")
        mined = isinstance(found, dict) and method == "eth_getTransactionReceipt"
        return {"result": None} if mined and _number(found["blockNumber"]) > newest else answer


def _number(value: Any) -> int:
    """The number of a block, or -1 for what is none."""
    is_number = isinstance(value, str) and value.startswith("0x") and len(value) <= 18
    return int(value, 16) if is_number else -1


def _handler(proxy: RpcProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if proxy.dead:
                self.close_connection = True
                return
            answer = json.dumps(proxy.answer(json.loads(body))).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    return Handler
