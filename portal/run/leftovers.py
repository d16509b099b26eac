"""What an earlier run left behind: found by its run files, recognised with care, stopped.

A run file holds a child's process id, start time and command line. A process is ours only if
all three still match, so a number that the system has given to somebody else is left alone.
"""

import contextlib
import fcntl
import json
import os
import signal
from pathlib import Path
from typing import IO

import psutil

from portal.core.errors import Conflict

STOP_SECONDS = 5.0


class RunFiles:
    """The directory of run files, locked for as long as this process runs."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._lock: IO[str] | None = None

    def lock(self) -> None:
        """Take the directory; Conflict when another `portal run` has it."""
        self.directory.mkdir(parents=True, exist_ok=True)
        file = (self.directory / "portal.lock").open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            owner = file.read().strip() or "unknown"
            file.close()
            raise Conflict(
                f"The portal is already running here (process {owner}).",
                hint="Stop it with Ctrl-C, or set VAR_DIR and the ports to run a second one.",
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        self._lock = file

    def note(self, name: str, pid: int, stop_signal: signal.Signals) -> None:
        """Remember a child that was just started."""
        try:
            process = psutil.Process(pid)
            body = {
                "pid": pid,
                "started": process.create_time(),
                "command": process.cmdline(),
                "signal": int(stop_signal),
            }
        except psutil.NoSuchProcess:
            return
        part = self.directory / f"{name}.tmp"
        part.write_text(json.dumps(body))
        part.replace(self.directory / f"{name}.pid")

    def forget(self, name: str) -> None:
        """The child has ended."""
        (self.directory / f"{name}.pid").unlink(missing_ok=True)

    def stop_leftovers(self) -> list[str]:
        """Stop every child of an earlier run that still lives; returns their names."""
        stopped = []
        for file in sorted(self.directory.glob("*.pid")):
            if _stop_noted(_read(file)):
                stopped.append(file.stem)
            file.unlink(missing_ok=True)
        return stopped


def _read(file: Path) -> dict[str, object]:
    try:
        body = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    return body if isinstance(body, dict) else {}


def _stop_noted(body: dict[str, object]) -> bool:
    pid = body.get("pid")
    if not isinstance(pid, int):
        return False
    leader = _process(pid)
    if leader is None:
        # The leader is gone; whoever is still in its group descends from it, since a number
        # in use as a group is not given to a new process.
        return _kill_group(pid)
    if not _same(leader, body):
        return False
    number = body.get("signal")
    stop_process(leader, signal.Signals(number) if isinstance(number, int) else signal.SIGTERM)
    return True


def _process(pid: int) -> psutil.Process | None:
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process
    except psutil.NoSuchProcess:
        return None


def _same(process: psutil.Process, body: dict[str, object]) -> bool:
    started = body.get("started")
    try:
        return (
            isinstance(started, int | float)
            and abs(process.create_time() - started) < 1.5
            and process.cmdline() == body.get("command")
        )
    except psutil.Error:
        return False


def stop_process(process: psutil.Process, stop_signal: signal.Signals) -> None:
    """Ask the process to stop, wait, then kill its whole group."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(stop_signal)
        try:
            process.wait(STOP_SECONDS)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(STOP_SECONDS)
    _kill_group(process.pid)


def _kill_group(group: int) -> bool:
    """Kill what is left of a process group of ours; never our own."""
    if group in (0, 1, os.getpgrp()):
        return False
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def clear_postgres(data: Path) -> bool:
    """Make room for a new server on `data`; True when a running one had to be stopped.

    A note whose process number now belongs to another program is removed: PostgreSQL itself
    would refuse to start.
    """
    note = data / "postmaster.pid"
    try:
        pid = int(note.read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return False
    process = _process(pid)
    if process is not None and str(data) in process.cmdline():
        stop_process(process, signal.SIGINT)
        return True
    note.unlink(missing_ok=True)
    return False
