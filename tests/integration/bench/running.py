"""`portal bench …` as a process, in a directory of its own on a disk."""

import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[3]
COMMON = {"bench", "offered_per_s", "achieved_per_s", "seconds", "ack_ms", "cores", "memory_mb"}
TIMEOUT = 180


@contextmanager
def place() -> Iterator[Path]:
    """A directory beside the sources: a bench refuses one in memory, as /tmp may be."""
    directory = ROOT / "var" / f"bench-test-{uuid.uuid4().hex[:8]}"
    directory.mkdir(mode=0o755, parents=True)
    try:
        yield directory
    finally:
        shutil.rmtree(directory)


def start(directory: Path, *arguments: str) -> subprocess.Popen[str]:
    """Begin a bench."""
    environment = {**os.environ, "VAR_DIR": str(directory), "PORTAL_ENV": "demo"}
    return subprocess.Popen(
        [sys.executable, "-m", "portal.cli", "bench", *arguments],
        env=environment,
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def results(directory: Path, *arguments: str) -> list[dict[str, Any]]:
    """Run a bench to its end: it must succeed and leave nothing behind; its lines."""
    bench = start(directory, *arguments)
    said, complaints = bench.communicate(timeout=TIMEOUT)
    assert bench.returncode == 0, complaints + said
    assert left_behind(directory) == []
    lines = [json.loads(line) for line in said.splitlines()]
    assert lines, complaints
    for line in lines:
        assert line["problems"] == []
    return lines


def left_behind(directory: Path) -> list[str]:
    """Processes that belong to a bench of this directory, and what is in its workplace."""
    files = [path.name for path in (directory / "bench").glob("*")]
    return files + [f"{process.pid} {process.name()}" for process in processes(directory)]


def command_lines(directory: Path) -> list[list[str]]:
    """How the processes of this directory were started, of those that still live."""
    lines = []
    for process in processes(directory):
        with suppress(psutil.Error):
            lines.append(process.cmdline())
    return lines


def processes(directory: Path) -> list[psutil.Process]:
    """Every process that was started for this directory."""
    found = []
    for process in psutil.process_iter():
        try:
            mine = process.environ().get("VAR_DIR", "").startswith(str(directory))
            if mine or any(str(directory) in part for part in process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found
