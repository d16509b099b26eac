"""The job registry and leadership without a database."""

import time

import pytest

from portal.core.settings import Settings
from portal.scheduler import JOBS, Job, Leadership

SETTINGS = Settings(_env_file=None)


def test_job_names_are_unique_and_every_period_is_positive():
    assert len({job.name for job in JOBS}) == len(JOBS)
    assert all(job.every(SETTINGS) > 0 for job in JOBS)


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)
def test_every_job_of_the_registry_is_there(job):
    assert callable(job.resolve())


def test_prices_are_swept_as_often_as_the_setting_says():
    (sweep,) = [job for job in JOBS if job.name == "prices.sweep"]
    assert sweep.every(Settings(_env_file=None, price_sweep_seconds=7.5)) == 7.5


def test_a_job_that_is_not_there_is_an_error_at_the_start():
    with pytest.raises(AttributeError):
        Job("x", "portal.markets.jobs:no_such", lambda s: 1.0).resolve()


def test_without_a_database_nobody_leads_and_nothing_raises():
    leadership = Leadership("postgresql://postgres@127.0.0.1:1/none")
    begun = time.monotonic()
    assert leadership.acquire() is False
    assert leadership.held() is False
    leadership.release()
    assert time.monotonic() - begun < 6
