"""One child process of `portal run`: started, listened to, stopped, never orphaned."""

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from portal.run.leftovers import RunFiles
from portal.run.postgres import Account
from portal.run.probes import Probe

KEPT_LINES = 20
LONGEST_LINE = 64 * 1024
LOG_BYTES = 5 * 1024 * 1024
PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


@dataclass(frozen=True)
class Part:
    """What to run and how to tell that it is ready.

    `once` parts run to their end and must exit 0. `quiet` parts log to their file only.
    `account` is who it runs as, `directory` where; both None mean as we do.
    """

    name: str
    command: tuple[str, ...]
    ready: Probe | None = None
    once: bool = False
    quiet: bool = False
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 5.0
    environment: Mapping[str, str] | None = None
    account: Account | None = None
    directory: Path | None = None


def _exit_of(process: subprocess.Popen[bytes]) -> "asyncio.Future[int]":
    """The exit code to come. A thread waits for it: it blocks, and only for this process."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[int] = loop.create_future()

    def settle(code: int) -> None:
        if not future.done():
            future.set_result(code)

    def wait() -> None:
        code = process.wait()
        with contextlib.suppress(RuntimeError):  # The loop has ended: nobody asks any more.
            loop.call_soon_threadsafe(settle, code)

    threading.Thread(target=wait, name=f"wait-{process.pid}", daemon=True).start()
    return future


def die_with_parent(stop_signal: signal.Signals) -> Callable[[], None] | None:
    """For `preexec_fn`: have Linux signal the child when its parent dies, however it dies."""
    libc = _LIBC
    if libc is None:
        return None
    parent = os.getpid()

    def ask() -> None:
        libc.prctl(PR_SET_PDEATHSIG, int(stop_signal))
        if os.getppid() != parent:  # It died before we could ask.
            os._exit(1)

    return ask


class Child:
    """A running part. `say(name, line)` gets every line it prints (unless it is quiet)."""

    def __init__(
        self, part: Part, files: RunFiles, logs: Path, say: Callable[[str, str], None]
    ) -> None:
        self.part = part
        self.files = files
        self.log = logs / f"{part.name}.log"
        self.say = say
        self.lines: deque[str] = deque(maxlen=KEPT_LINES)
        self.process: subprocess.Popen[bytes] | None = None
        self.started = 0.0
        self.was_ready = False
        self._exit: asyncio.Future[int] | None = None
        self._reading: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the process. It ends with us, even when we are killed."""
        part, account = self.part, self.part.account
        # Not asyncio's own subprocess: that one ends only when nobody holds the pipe any more,
        # and an orphaned worker of a killed server holds it.
        self.process = subprocess.Popen(  # noqa: S603
            part.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # A session of its own: Ctrl-C in the terminal reaches us alone, and we stop it.
            start_new_session=True,
            preexec_fn=die_with_parent(part.stop_signal),
            env=part.environment,
            cwd=part.directory,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
        self.started = time.monotonic()
        self.files.note(part.name, self.process.pid, part.stop_signal)
        self._exit = _exit_of(self.process)
        self._reading = asyncio.create_task(self._read(self.process))

    async def _read(self, process: subprocess.Popen[bytes]) -> None:
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        reader = asyncio.StreamReader(limit=LONGEST_LINE)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), process.stdout
        )
        with contextlib.closing(transport), self.log.open("ab") as log:
            while True:
                try:
                    raw = await reader.readline()
                except ValueError:  # A line longer than the limit: the buffer was dropped.
                    raw = b"(a very long line was left out)\n"
                if not raw:
                    return
                log.write(raw)
                log.flush()
                self._hear(raw.decode(errors="replace").rstrip())

    def _hear(self, line: str) -> None:
        self.lines.append(line)
        if not self.part.quiet:
            self.say(self.part.name, line)

    async def ended(self) -> int:
        """Wait for the end of the process; its exit code (negative: the signal)."""
        if self._exit is None:
            raise RuntimeError(f"{self.part.name} was never started")
        code = await asyncio.shield(self._exit)
        self._kill_group()
        if self._reading is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._reading, 1)
        self.files.forget(self.part.name)
        return code

    @property
    def alive(self) -> bool:
        return self._exit is not None and not self._exit.done()

    def send(self, number: signal.Signals) -> None:
        """Signal the process if it lives."""
        if self.process is not None and self.alive:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(number)

    async def stop(self) -> None:
        """Ask it to stop; kill it and what it started when it takes too long."""
        if not self.alive:
            return
        self.send(self.part.stop_signal)
        try:
            await asyncio.wait_for(asyncio.shield(self.ended()), self.part.stop_seconds)
        except TimeoutError:
            self.say(self.part.name, "did not stop in time and was killed")
            self.send(signal.SIGKILL)
            await self.ended()

    def _kill_group(self) -> None:
        """End what the process left behind, such as workers of a killed server."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
