"""A supervisor of small scripts: `python -m tests.unit.run.driver DIR '[[{name, script}], …]'`."""

import asyncio
import json
import signal
import sys
from pathlib import Path

from portal.run.child import Part
from portal.run.leftovers import RunFiles
from portal.run.supervisor import Console, Supervisor


def _part(told: dict[str, object], directory: Path) -> Part:
    marker = directory / f"{told['name']}.ready"

    async def ready() -> bool:
        return marker.exists()

    return Part(
        name=str(told["name"]),
        command=(sys.executable, "-c", str(told["script"]), str(marker)),
        ready=ready if told.get("ready") else None,
        once=bool(told.get("once")),
        stop_signal=signal.SIGTERM,
        stop_seconds=1.0,
    )


async def _run(directory: Path, stages: list[list[dict[str, object]]]) -> int:
    files = RunFiles(directory / "run")
    files.lock()
    console = Console(sys.stdout)
    for name in files.stop_leftovers():
        console.say("portal", f"stopped leftover {name}")
    supervisor = Supervisor(files, directory, console)
    supervisor.listen()
    for stage in stages:
        if not await supervisor.start([_part(told, directory) for told in stage]):
            return await supervisor.stop()
    console.say("portal", "all up")
    return await supervisor.run_until_stopped()


if __name__ == "__main__":
    sys.exit(asyncio.run(_run(Path(sys.argv[1]), json.loads(sys.argv[2]))))
