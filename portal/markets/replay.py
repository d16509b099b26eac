"""The price replay server: recorded exchange answers, served on the loopback to real ccxt.

Demo and tests have no internet, yet run the code that production runs. An answer is a recording
(`recorded/*.json`, each with its origin); on the way out the server restamps it: timestamps
become the present, and price fields are scaled so that all exchanges agree on one level per pair,
which moves a little with time. The movement depends on the clock only, so a test can repeat it.
"""

import copy
import json
import signal
import threading
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

import orjson

from portal.core.clock import Clock, now_ms
from portal.core.settings import Settings

EXCHANGES = ("htx", "kraken", "bitstamp", "bitvavo")

# What a test (or a curious operator) may make an exchange do.
Fault = Literal["down", "silent", "garbage", "stale", "lying", "crossed"]
STALE_MS = 600_000
LYING_FACTOR = Decimal("1.25")
CROSSED_FACTOR = Decimal("1.01")

# Movement of a level: (pair, period in seconds, height in hundredths of a basis point).
WAVES = {"BTC/USDT": ((600, 2_500), (47, 300)), "USDT/EUR": ((900, 300), (61, 60))}


@dataclass(frozen=True)
class Recording:
    """One recorded answer and what to restamp in it (dotted paths into the body)."""

    origin: str
    path: str
    query: dict[str, str]
    body: Any
    instrument: str | None = None
    prices: tuple[str, ...] = ()
    bid: str = ""
    ask: str = ""
    times: tuple[tuple[str, str], ...] = ()


@cache
def recordings(exchange: str) -> tuple[Recording, ...]:
    """Everything recorded of one exchange; empty for an exchange we have nothing of."""
    if exchange not in EXCHANGES:
        return ()
    return tuple(
        Recording(
            **{
                **entry,
                "prices": tuple(entry.get("prices", ())),
                "times": tuple(entry.get("times", {}).items()),
            }
        )
        for entry in _load(exchange)["responses"]
    )


def _load(name: str) -> Any:
    text = resources.files("portal.markets").joinpath(f"recorded/{name}.json").read_text("utf-8")
    return json.loads(text, parse_float=Decimal)


@cache
def _levels() -> dict[str, Any]:
    levels: dict[str, Any] = _load("levels")
    return levels


def level(instrument: str, at_ms: int) -> Decimal:
    """The price of a pair at a moment, the same for all exchanges: BTC/EUR is the product."""
    if instrument == "BTC/EUR":
        return level("BTC/USDT", at_ms) * level("USDT/EUR", at_ms)
    moved = sum(_wave(at_ms, period, height) for period, height in WAVES[instrument])
    return Decimal(_levels()["levels"][instrument]) * (1_000_000 + moved) / 1_000_000


def _wave(at_ms: int, period_s: int, height: int) -> int:
    """A triangle between -height and +height."""
    place = at_ms % (period_s * 1000)
    half = period_s * 500
    return 2 * height * min(place, 2 * half - place) // half - height


def restamped(recording: Recording, exchange: str, at_ms: int, fault: Fault | None = None) -> Any:
    """The recorded body with present times and the present level (or the asked fault)."""
    body = copy.deepcopy(recording.body)
    stamp = at_ms - STALE_MS if fault == "stale" else at_ms
    for path, unit in recording.times:
        _put(body, path, stamp if unit == "ms" else stamp // 1000)
    if recording.instrument:
        _restamp_prices(body, recording, exchange, at_ms, fault)
    return body


def _restamp_prices(
    body: Any, recording: Recording, exchange: str, at_ms: int, fault: Fault | None
) -> None:
    instrument = str(recording.instrument)
    lean = Decimal(10_000 + _levels()["lean_bps"][exchange]) / 10_000
    recorded = (_get(body, recording.bid) + _get(body, recording.ask)) / 2
    factor = level(instrument, at_ms) * lean / recorded
    if fault == "lying":
        factor *= LYING_FACTOR
    step = Decimal(1).scaleb(-_levels()["decimals"][instrument])
    for path in recording.prices:
        crossing = CROSSED_FACTOR if fault == "crossed" and path == recording.bid else 1
        _put(body, path, (_get(body, path) * factor * crossing).quantize(step))


def _get(body: Any, path: str) -> Decimal:
    for step in path.split("."):
        body = body[int(step)] if isinstance(body, list) else body[step]
    return Decimal(body)


def _put(body: Any, path: str, value: Decimal | int) -> None:
    """Replace a leaf, as a string where the recording had a string, else as a number."""
    *way, last = path.split(".")
    for step in way:
        body = body[int(step)] if isinstance(body, list) else body[step]
    key: Any = int(last) if isinstance(body, list) else last
    text = f"{value:f}" if isinstance(value, Decimal) else str(value)
    body[key] = text if isinstance(body[key], str) else orjson.Fragment(text)


def _number(value: object) -> orjson.Fragment:
    """An untouched recorded Decimal as the number it was."""
    if isinstance(value, Decimal):
        return orjson.Fragment(f"{value:f}")
    raise TypeError(f"{type(value).__name__} was never recorded")


class ReplayServer(ThreadingHTTPServer):
    """Serves `/<exchange><path of its API>`; port 0 picks a free one. Loopback only."""

    daemon_threads = True

    def __init__(self, port: int = 0, *, clock: Clock = now_ms) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.clock = clock
        self.faults: dict[str, Fault] = {}
        self.requests_seen: list[str] = []
        self.stopping = threading.Event()

    @property
    def url(self) -> str:
        """What PRICE_REPLAY_URL is set to."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def start(self) -> "ReplayServer":
        """Serve in a thread of its own."""
        threading.Thread(target=self.serve_forever, name="price-replay", daemon=True).start()
        return self

    def stop(self) -> None:
        """Stop serving and free the port."""
        self.stopping.set()
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: ReplayServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        _, exchange, rest = [*address.path.split("/", 2), "", ""][:3]
        if len(self.server.requests_seen) < 1_000:
            self.server.requests_seen.append(self.path)
        fault = self.server.faults.get(exchange)
        if fault == "silent":
            self.server.stopping.wait(60)
            self.close_connection = True
        elif fault == "down":
            self._answer(503, b"<html>503 Service Unavailable</html>", "text/html")
        elif fault == "garbage":
            self._answer(200, b"<html>Down for maintenance</html>", "text/html")
        else:
            self._replay(exchange, f"/{rest}", dict(parse_qsl(address.query)), fault)

    def _replay(self, exchange: str, path: str, query: dict[str, str], fault: Fault | None) -> None:
        for recording in recordings(exchange):
            if recording.path == path and recording.query == query:
                body = restamped(recording, exchange, self.server.clock(), fault)
                self._answer(200, orjson.dumps(body, default=_number), "application/json")
                return
        self._answer(404, b'{"error":"nothing recorded for this request"}', "application/json")

    def _answer(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Silent: ccxt asks several times a second."""


def main(settings: Settings) -> None:
    """`portal replay`: serve on REPLAY_PORT until SIGTERM or Ctrl-C."""
    server = ReplayServer(settings.replay_port)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    server.start()
    ended.wait()
    server.stop()
