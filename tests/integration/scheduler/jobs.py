"""Jobs for the scheduler's tests. What happened is read from the record of runs."""

import threading

from portal.core.errors import Unavailable
from portal.core.jobs import JobContext
from portal.scheduler import Job

entered = threading.Event()
go_on = threading.Event()


def works(context: JobContext) -> str:
    return f"swept for {context.settings.portal_name}"


def crashes(context: JobContext) -> str:
    raise ZeroDivisionError("the sky is falling")


def is_refused(context: JobContext) -> str:
    raise Unavailable("The trading engine does not answer just now.")


def takes_long(context: JobContext) -> str:
    entered.set()
    go_on.wait(20)
    return "done at last"


def every(name: str, seconds: float = 0.1) -> Job:
    """The job of this module with that name."""
    return Job(name, globals()[name], lambda settings: seconds)
