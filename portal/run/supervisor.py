"""`portal run`: starts the parts stage by stage, keeps them running, stops them all."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TextIO

from portal.core.errors import PortalError
from portal.run.child import Child, Part
from portal.run.leftovers import RunFiles

READY_SECONDS = 90.0
PROBE_SECONDS = 0.05
QUICK_SECONDS = 10.0
QUICK_CRASHES = 3
BACK_OFF = (0.5, 2.0, 4.0)
COLOURS = (36, 33, 35, 32, 34, 96, 93, 95, 92, 94)
TAIL = 12


class Console:
    """Lines on the terminal, each behind the name of who said it."""

    def __init__(self, output: TextIO) -> None:
        self.output = output
        self.coloured = output.isatty() and "NO_COLOR" not in os.environ
        self._names: dict[str, int] = {}

    def say(self, name: str, line: str) -> None:
        """Print one line of `name`."""
        label = f"{name:>10}"
        if self.coloured:
            colour = COLOURS[self._names.setdefault(name, len(self._names)) % len(COLOURS)]
            label = f"\x1b[{colour}m{label}\x1b[0m"
        self.plain(f"{label} │ {line}")

    def plain(self, line: str) -> None:
        """Print one line as it is."""
        # A terminal that went away must not keep the portal from stopping well.
        with contextlib.suppress(OSError, ValueError):
            self.output.write(f"{line}\n")
            self.output.flush()


class Supervisor:
    """Starts stages of parts, restarts what crashes, stops everything in reverse order."""

    def __init__(self, files: RunFiles, logs: Path, console: Console) -> None:
        self.files = files
        self.logs = logs
        self.console = console
        self.stages: list[list[Child]] = []
        self.stopping = asyncio.Event()
        # By name of a part: what to do once it runs again after a crash.
        self.after_restart: dict[str, Callable[[], Awaitable[None]]] = {}
        self.exit_code = 0
        self._keepers: list[asyncio.Task[None]] = []

    def say(self, line: str) -> None:
        """Print a line of our own."""
        self.console.say("portal", line)

    def listen(self) -> None:
        """Stop on Ctrl-C, SIGTERM and a closed terminal; a second time kills at once."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._told_to_stop)

    def _told_to_stop(self) -> None:
        if self.stopping.is_set():
            for child in self._children():
                child.send(signal.SIGKILL)
            return
        self.say("stopping (once more to stop at once)")
        self.stopping.set()

    def _children(self) -> list[Child]:
        return [child for stage in self.stages for child in stage]

    async def start(self, *stages: Sequence[Part]) -> bool:
        """Start the stages together; True when all parts are ready, False when we must stop.

        They will be stopped one after the other, the last first.
        """
        if self.stopping.is_set():
            return False
        new = [
            [Child(part, self.files, self.logs, self.console.say) for part in stage]
            for stage in stages
        ]
        self.stages.extend(new)
        ready = await asyncio.gather(*(self._bring_up(child) for stage in new for child in stage))
        return all(ready) and not self.stopping.is_set()

    async def _bring_up(self, child: Child) -> bool:
        began = time.monotonic()
        await child.start()
        if child.part.once:
            return await self._finish(child)
        self._keepers.append(asyncio.create_task(self._keep(child)))
        if not await self._wait_ready(child):
            return False
        child.was_ready = True
        self.say(f"{child.part.name} is ready after {time.monotonic() - began:.1f} s")
        return True

    async def _finish(self, child: Child) -> bool:
        ended = asyncio.create_task(child.ended())
        stop = asyncio.create_task(self.stopping.wait())
        await asyncio.wait({ended, stop}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if not ended.done():
            return False
        if code := ended.result():
            self.fail(child, f"{child.part.name} failed ({_how(code)}).")
        return code == 0

    async def _wait_ready(self, child: Child) -> bool:
        probe = child.part.ready
        deadline = time.monotonic() + READY_SECONDS
        while probe is not None and not (child.alive and await probe()):
            if await self._pause(PROBE_SECONDS):
                return False
            if time.monotonic() > deadline:
                self.fail(child, f"{child.part.name} was not ready in {READY_SECONDS:.0f} s.")
                return False
        return not self.stopping.is_set()

    async def _pause(self, seconds: float) -> bool:
        """Wait; True when we were told to stop meanwhile."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.stopping.wait(), seconds)
        return self.stopping.is_set()

    async def _keep(self, child: Child) -> None:
        """Start the child again whenever it ends, unless it does so again and again."""
        crashes = 0
        while True:
            code = await child.ended()
            if self.stopping.is_set():
                return
            if not child.was_ready:
                # Wrong from the start: the same again would end the same.
                self.fail(child, f"{child.part.name} could not start ({_how(code)}).")
                return
            quick = time.monotonic() - child.started < QUICK_SECONDS
            crashes = crashes + 1 if quick else 1
            if crashes >= QUICK_CRASHES:
                self.fail(
                    child, f"{child.part.name} ended {crashes} times in a row ({_how(code)})."
                )
                return
            delay = BACK_OFF[crashes - 1]
            self.say(f"{child.part.name} ended ({_how(code)}); starting it again in {delay} s")
            if await self._pause(delay):
                return
            await child.start()
            if self.stopping.is_set():
                await child.stop()
            elif child.part.name in self.after_restart:
                await self._mend(child)

    async def _mend(self, child: Child) -> None:
        probe = child.part.ready
        while child.alive and probe is not None and not await probe():
            if await self._pause(PROBE_SECONDS):
                return
        try:
            if child.alive:
                await self.after_restart[child.part.name]()
        except PortalError as error:
            self.fail(child, f"{error.message} {error.hint or ''}".rstrip())

    def fail(self, child: Child, reason: str) -> None:
        """Stop everything because of `child`, showing what it said last."""
        self.say(f"{reason} Its last lines ({child.log}):")
        for line in list(child.lines)[-TAIL:]:
            self.console.say(child.part.name, line)
        self.exit_code = 1
        self.stopping.set()

    async def run_until_stopped(self) -> int:
        """Wait for the end of the run, stop every part, return the exit code."""
        await self.stopping.wait()
        return await self.stop()

    async def stop(self) -> int:
        """Stop every part, last started first; returns the exit code."""
        self.stopping.set()
        for stage in reversed(self.stages):
            await asyncio.gather(*(child.stop() for child in stage))
        await asyncio.gather(*self._keepers, return_exceptions=True)
        self.say("everything has stopped")
        return self.exit_code


def _how(code: int) -> str:
    if code >= 0:
        return f"exit {code}"
    return f"killed by {signal.Signals(-code).name}"
