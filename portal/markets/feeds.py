"""Prices from exchanges, by ccxt.

A source is one or two legs: `kraken USDT/EUR`, or the cross `kraken BTC/EUR ÷ htx BTC/USDT`.
Each exchange is asked once per symbol and sweep, in its own thread, with ccxt's rate limit and a
timeout; whatever goes wrong there is that source's problem and nobody else's.

Numbers: ccxt is told to keep numbers as the strings the exchange sent (`number: str`), which
become Decimal here; no float takes part. The price of a ticker is the middle of bid and ask when
both are there, else the last trade. Bid above ask is a broken book: the ticker is refused.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from decimal import Decimal, DecimalException, localcontext
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from portal.core.clock import Clock, now_ms
from portal.core.errors import InvalidInput
from portal.core.lazy import LazyModule
from portal.markets.quotes import PRECISION, Reading

if TYPE_CHECKING:
    import ccxt
else:
    # It reads in a hundred exchanges: only the process that asks one for a price should wait.
    ccxt = LazyModule("ccxt")

Operation = Literal["multiply", "divide"]
SOURCE_DIGITS = 12
TickerKey = tuple[str, str]

# ccxt loads what an exchange trades once; a client this old is replaced, so new pairs appear.
CLIENT_LIFE_MS = 6 * 3_600_000
# When it then misses a pair, it is asked again for its pairs, but not at every sweep.
RELOAD_MS = 600_000


@dataclass(frozen=True, slots=True)
class Leg:
    """One ticker of one exchange (a ccxt class name) and how it enters the price."""

    exchange: str
    symbol: str
    operation: Operation = "multiply"


@dataclass(frozen=True, slots=True)
class Source:
    """A named way to a market's price: the legs applied in turn, starting from 1."""

    name: str
    legs: tuple[Leg, ...]


@dataclass(frozen=True, slots=True)
class Ticker:
    """One exchange's answer: a price, or the problem. Milliseconds, UTC."""

    fetched_ms: int
    price: Decimal | None = None
    at_ms: int | None = None
    problem: str | None = None


def exchange_names() -> list[str]:
    """The exchange classes ccxt knows: what a leg may name."""
    return list(ccxt.exchanges)


class PriceFeed:
    """Asks exchanges for tickers and combines them into sources' readings.

    Args:
        replay_url: sends the very same requests to a replay server instead (demo, tests).
        timeout_ms: for one request; a whole sweep waits at most twice that.
    """

    def __init__(
        self, *, replay_url: str | None = None, timeout_ms: int = 5_000, clock: Clock = now_ms
    ) -> None:
        self._replay_url = replay_url
        self._timeout_ms = timeout_ms
        self._clock = clock
        self._clients: dict[str, tuple[Any, int]] = {}
        self._busy: dict[str, threading.Lock] = {}
        self._pool = ThreadPoolExecutor(max_workers=8, thread_name_prefix="price-feed")

    def read(self, sources: Sequence[Source]) -> dict[Source, Reading]:
        """One reading per source; problems are in the readings, nothing is raised."""
        tickers = self.tickers({(leg.exchange, leg.symbol) for s in sources for leg in s.legs})
        return {source: combine(source, tickers) for source in sources}

    def tickers(self, keys: Iterable[TickerKey]) -> dict[TickerKey, Ticker]:
        """Every asked ticker, exchanges in parallel, the symbols of one in turn."""
        wanted = sorted(set(keys))
        asked: dict[Future[dict[TickerKey, Ticker]], str] = {}
        for exchange in sorted({exchange for exchange, _ in wanted}):
            symbols = [symbol for name, symbol in wanted if name == exchange]
            asked[self._pool.submit(self._ask, exchange, symbols)] = exchange
        done, _ = wait(asked, timeout=2 * self._timeout_ms / 1000)
        late = Ticker(self._clock(), problem=f"no answer within {2 * self._timeout_ms} ms")
        found = dict.fromkeys(wanted, late)
        for future in done:
            found.update(future.result())
        return found

    def close(self) -> None:
        """Stop asking; a request under way ends by its own timeout."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _ask(self, exchange: str, symbols: list[str]) -> dict[TickerKey, Ticker]:
        busy = self._busy.setdefault(exchange, threading.Lock())
        if not busy.acquire(blocking=False):
            still = Ticker(self._clock(), problem="still waiting for its previous answer")
            return {(exchange, symbol): still for symbol in symbols}
        try:
            return {(exchange, symbol): self._fetch(exchange, symbol) for symbol in symbols}
        finally:
            busy.release()

    def _fetch(self, exchange: str, symbol: str) -> Ticker:
        """One ticker. Whatever ccxt or its parsing raises is this ticker's problem."""
        asked_ms = self._clock()
        try:
            return read_ticker(self._client(exchange).fetch_ticker(symbol), asked_ms)
        except ccxt.BadSymbol as error:
            self._doubt(exchange)
            return Ticker(asked_ms, problem=describe(error))
        except Exception as error:
            return Ticker(asked_ms, problem=describe(error))

    def _doubt(self, exchange: str) -> None:
        """Forget a client whose list of pairs is empty (a broken answer) or has grown old."""
        client, made_ms = self._clients[exchange]
        if not client.symbols or self._clock() - made_ms > RELOAD_MS:
            del self._clients[exchange]

    def _client(self, exchange: str) -> Any:
        client, made_ms = self._clients.get(exchange, (None, 0))
        if client is None or self._clock() - made_ms > CLIENT_LIFE_MS:
            client = make_client(exchange, self._timeout_ms, self._replay_url)
            self._clients[exchange] = (client, self._clock())
        return client


def make_client(exchange: str, timeout_ms: int, replay_url: str | None = None) -> Any:
    """A ccxt client for public spot tickers, at its real address unless redirected."""
    if exchange not in ccxt.exchanges:
        raise InvalidInput(
            f"{exchange} is not an exchange that ccxt knows.", field="sources", value=exchange
        )
    kind: Callable[[dict[str, Any]], Any] = getattr(ccxt, exchange)
    config: dict[str, Any] = {
        # Exchanges count our requests; the replay server on this machine does not.
        "enableRateLimit": replay_url is None,
        "timeout": timeout_ms,
        "number": str,
        # Deposit networks and fees of every coin are megabytes no ticker needs.
        "has": {"fetchCurrencies": False},
        "options": {"defaultType": "spot"},
    }
    if exchange in ("htx", "huobi"):
        only_spot = {"types": {"spot": True, "linear": False, "inverse": False}}
        config["options"] = {"defaultType": "spot", "fetchMarkets": only_spot}
    client = kind(config)
    if replay_url:
        client.urls["api"] = redirected(client.urls["api"], f"{replay_url.rstrip('/')}/{exchange}")
    return client


def redirected(urls: Any, base: str) -> Any:
    """ccxt's `urls["api"]` (nested) with scheme and host replaced by `base`, paths kept."""
    if isinstance(urls, dict):
        return {key: redirected(value, base) for key, value in urls.items()}
    if isinstance(urls, list):
        return [redirected(value, base) for value in urls]
    return base + urlsplit(urls).path if isinstance(urls, str) else urls


def read_ticker(answer: dict[str, Any], fetched_ms: int) -> Ticker:
    """The price of a unified ccxt ticker: mid of bid and ask, else last."""
    bid, ask, last = (decimal(answer.get(name)) for name in ("bid", "ask", "last"))
    stamp = answer.get("timestamp")
    at_ms = int(stamp) if stamp is not None else None
    if bid and ask and bid > ask:
        return Ticker(fetched_ms, None, at_ms, f"crossed quote: bid {bid:f} above ask {ask:f}")
    if bid and ask:
        with localcontext() as context:
            context.prec = PRECISION
            return Ticker(fetched_ms, (bid + ask) / 2, at_ms)
    if last:
        return Ticker(fetched_ms, last, at_ms)
    return Ticker(fetched_ms, None, at_ms, "no bid and ask, and no last trade")


def decimal(value: object) -> Decimal | None:
    """A positive finite Decimal from a ccxt number (string, or float by its shortest form)."""
    try:
        number = Decimal(str(value))
    except DecimalException:
        return None
    return number if number.is_finite() and number > 0 else None


def combine(source: Source, tickers: dict[TickerKey, Ticker]) -> Reading:
    """A source's reading: its legs' prices multiplied or divided, times the oldest of them.

    The result is rounded half-even to 12 digits, far below any tick, so that the stored text of
    a source is exactly what the quote was made of.
    """
    legs = [(leg, tickers[leg.exchange, leg.symbol]) for leg in source.legs]
    fetched = min((ticker.fetched_ms for _, ticker in legs), default=0)
    stamps = [ticker.at_ms for _, ticker in legs if ticker.at_ms is not None]
    at_ms = min(stamps, default=None)
    price = Decimal(1)
    problem = None if legs else "the source has no legs"
    with localcontext() as context:
        context.prec = PRECISION
        for leg, ticker in legs:
            if ticker.price is None:
                problem = problem or f"{leg.exchange} {leg.symbol}: {ticker.problem}"
            elif leg.operation == "multiply":
                price *= ticker.price
            else:
                price /= ticker.price
        context.prec = SOURCE_DIGITS
        price = +price
    return Reading(source.name, fetched, None if problem else price, at_ms, problem)


def describe(error: Exception) -> str:
    """An error in one short line for the back office, without the exchange's HTML."""
    kinds: list[tuple[type[Exception], str]] = [
        (ccxt.RequestTimeout, "timed out"),
        (ccxt.BadSymbol, "does not trade this symbol"),
        (ccxt.RateLimitExceeded, "says we ask too often"),
        (ccxt.ExchangeNotAvailable, "not available"),
        (ccxt.NetworkError, "can't be reached"),
        (ccxt.ExchangeError, "refused"),
        (InvalidInput, "unknown exchange"),
    ]
    label = next((text for kind, text in kinds if isinstance(error, kind)), "answer not understood")
    detail = " ".join(str(error).split())[:120]
    return f"{label} ({type(error).__name__}: {detail})"
