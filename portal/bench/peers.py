"""Matchers from PyPI, run on our stream in an environment of their own."""

import json
import subprocess
import sys
import venv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from portal.bench import contestants
from portal.bench.results import machine
from portal.bench.stream import normal
from portal.core.errors import Unavailable
from portal.core.settings import Settings

# As measured in docs/benchmarks.md.
PACKAGES = (
    "akhil4n-orderbook==0.1.1",
    "cython-orderbook==0.1.2",
    "pyorderbook==0.4.9",
    "order-matching[polars]==0.12.0",
    "lightmatchingengine==2019.1.4",
    "limit-order-book==2.0.0",
)


def measure(
    settings: Settings, orders: int, seconds: float, ours: Mapping[str, dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    """A result for each package, and at the end how many times faster ours is.

    `ours`: the results of our builds on the same stream.
    """
    place = settings.var_dir / "bench-peers"
    python = _environment(place)
    stream = place / "stream.json"
    # The first half: what our own matcher is timed on.
    stream.write_text(json.dumps(normal(orders)[: orders // 2]))
    results = [_one(python, stream, name, seconds) for name in contestants.CONTESTANTS]
    most = max((result["trades"] or 0 for result in results), default=0)
    for result in results:
        result["correct"] = _is_correct(result, orders // 2, most)
        yield result
    rivals = [result for result in results if result["correct"]]
    if rivals and ours:
        yield {
            "bench": "match",
            "scenario": "peers",
            "best": max(rivals, key=lambda result: float(result["achieved_per_s"]))["peer"],
            "times_the_best": {
                measure: {
                    build: round(mine[measure] / max(rival[measure] for rival in rivals), 2)
                    for build, mine in ours.items()
                }
                for measure in ("achieved_per_s", "with_building_per_s", "per_processor_s")
            },
            **machine(),
            "problems": [],
        }


def _is_correct(result: dict[str, Any], orders: int, most: int) -> bool | None:
    """Whether it made the trades that the others made; None where it does not tell its trades."""
    if result["trades"] is None:
        return None
    complete = result["orders"] < orders or result["trades"] == most
    return complete and not result["failed"]


def _one(python: Path, stream: Path, name: str, seconds: float) -> dict[str, Any]:
    before = machine()
    script = Path(contestants.__file__)
    done = subprocess.run(  # noqa: S603
        [str(python), "-I", str(script), name, str(stream), str(seconds)],
        stdout=subprocess.PIPE,
        check=False,
    )
    if done.returncode:
        raise Unavailable(f"{name} could not be run; what it said stands above.")
    told = json.loads(done.stdout)
    return {
        "bench": "match",
        "scenario": "peers",
        "peer": name,
        "offered_per_s": None,
        "achieved_per_s": round(told["done"] / told["seconds"]),
        "with_building_per_s": round(told["done"] / (told["seconds"] + told["building_seconds"])),
        "seconds": round(told["seconds"], 3),
        "processor_seconds": round(told["processor_seconds"], 3),
        "per_processor_s": round(told["done"] / told["processor_seconds"]),
        "ack_ms": None,
        "orders": told["done"],
        "trades": told["trades"],
        "failed": told["failed"],
        **before,
        "memory_mb": told["memory_mb"],
        "problems": [],
    }


def _environment(place: Path) -> Path:
    """The Python of the side environment, made once. Raises Unavailable without a network."""
    python = place / "venv" / "bin" / "python"
    mark = place / "installed.txt"
    if mark.exists() and mark.read_text() == "\n".join(PACKAGES):
        return python
    venv.create(place / "venv", with_pip=True, clear=True)
    done = subprocess.run(  # noqa: S603
        [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES],
        stdout=sys.stderr,
        check=False,
    )
    if done.returncode:
        raise Unavailable(
            "The other matchers could not be installed.", hint="--peers needs access to PyPI."
        )
    mark.write_text("\n".join(PACKAGES))
    return python
