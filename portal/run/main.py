"""The order of events of `portal run`, from the first check to the last goodbye."""

import asyncio
import sys
import time
from dataclasses import replace
from functools import partial

from portal.core.errors import PortalError
from portal.core.settings import Settings
from portal.run.agreement import agree
from portal.run.banner import banner
from portal.run.chain import prepare_state
from portal.run.doctor import check_chain, check_database
from portal.run.leftovers import RunFiles, clear_postgres
from portal.run.plan import DATABASE, Plan, make_plan, put_aside
from portal.run.ports import port_problems
from portal.run.supervisor import Console, Supervisor

CANNOT_START = 2


def main(settings: Settings, *, verbose: bool = False, fresh: bool = False) -> int:
    """Run the portal until told to stop; the exit code.

    0 stopped on request, 1 a part failed, 2 it could not even start.
    """
    console = Console(sys.stdout)
    files = RunFiles(settings.var_dir.absolute() / "run")
    try:
        files.lock()
        for name in files.stop_leftovers():
            console.say("portal", f"stopped {name}, left over from an earlier run")
        if fresh and (old := put_aside(settings.var_dir.absolute())):
            console.say("portal", f"the data of earlier runs is now in {old}")
        plan = make_plan(settings)
        _check_and_prepare(plan, console)
    except PortalError as error:
        sys.stderr.write(f"{error.message} {error.hint or ''}\n".replace(" \n", "\n"))
        return CANNOT_START
    return asyncio.run(_run(plan, files, console, verbose=verbose))


def _check_and_prepare(plan: Plan, console: Console) -> None:
    if plan.postgres is not None and clear_postgres(plan.postgres.data):
        console.say("portal", "stopped postgres, left over from an earlier run")
    if problems := [*port_problems(plan.ports()), *_foreign_problems(plan)]:
        raise PortalError("\n".join(problems))
    if plan.local_chain and (mended := prepare_state(plan.chain_directory)):
        console.say("portal", mended)
    if plan.postgres is not None and not plan.postgres.initialised:
        console.say("portal", "making the database files (once)")
        plan.postgres.initialise()


def _foreign_problems(plan: Plan) -> list[str]:
    """What is wrong with the servers that settings point us to."""
    checks = []
    if plan.postgres is None:
        checks.append(check_database(plan.settings))
    if not plan.local_chain:
        checks.append(check_chain(plan.settings))
    return [check.said for check in checks if not check.good]


async def _run(plan: Plan, files: RunFiles, console: Console, *, verbose: bool) -> int:
    began = time.monotonic()
    logs = plan.settings.var_dir.absolute() / "log"
    logs.mkdir(parents=True, exist_ok=True)
    supervisor = Supervisor(files, logs, console)
    supervisor.listen()
    try:
        if await _bring_up(plan, supervisor, verbose=verbose):
            seconds = time.monotonic() - began
            for line in banner(plan, seconds):
                console.plain(line)
            return await supervisor.run_until_stopped()
    except PortalError as error:
        supervisor.say(f"{error.message} {error.hint or ''}".rstrip())
        supervisor.exit_code = 1
    return await supervisor.stop()


async def _bring_up(plan: Plan, supervisor: Supervisor, *, verbose: bool) -> bool:
    services = [replace(part, quiet=part.quiet and not verbose) for part in plan.services()]
    if not await supervisor.start(services):
        return False
    # A second start finds schema and demo data as this very code left them: don't do it again.
    prepared = plan.prepared()
    if plan.postgres is not None:
        await asyncio.to_thread(plan.postgres.ensure_database, DATABASE)
    if not prepared and not await supervisor.start([plan.migration()]):
        return False
    up, _ = await asyncio.gather(
        supervisor.start([plan.engine()], plan.doors()), _agree(plan, supervisor)
    )
    supervisor.after_restart["chain"] = partial(_agree, plan, supervisor)
    if up and not prepared:
        up = not plan.settings.is_demo or await supervisor.start([plan.seed()])
        if up:
            plan.note_prepared()
    return up and await supervisor.start([plan.scheduler()])


async def _agree(plan: Plan, supervisor: Supervisor) -> None:
    """Have a chain that was killed catch up with the database."""
    if plan.local_chain:
        mended = await asyncio.to_thread(
            agree, plan.settings.rpc_urls[0], plan.environment["DATABASE_URL"]
        )
        if mended:
            supervisor.say(mended)
