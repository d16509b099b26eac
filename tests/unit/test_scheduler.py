"""The job registry and leadership without a database."""

import time

from portal.core.settings import Settings
from portal.scheduler import JOBS, Leadership

SETTINGS = Settings(_env_file=None)


def test_job_names_are_unique_and_every_period_is_positive():
    assert len({job.name for job in JOBS}) == len(JOBS)
    assert all(job.every(SETTINGS) > 0 for job in JOBS)


def test_each_wing_with_recurring_work_is_in_the_table():
    wings = {job.name.split(".")[0] for job in JOBS}
    assert wings == {
        "audit", "prices", "markets", "trades", "payments", "engine", "escrow", "jobs", "users",
    }  # fmt: skip


def test_prices_are_swept_as_often_as_the_setting_says():
    (sweep,) = [job for job in JOBS if job.name == "prices.sweep"]
    assert sweep.every(Settings(_env_file=None, price_sweep_seconds=7.5)) == 7.5


def test_without_a_database_nobody_leads_and_nothing_raises():
    leadership = Leadership("postgresql://postgres@127.0.0.1:1/none")
    begun = time.monotonic()
    assert leadership.acquire() is False
    assert leadership.held() is False
    leadership.release()
    assert time.monotonic() - begun < 6
