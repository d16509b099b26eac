"""schemathesis over the whole API: whatever is sent, the answer is documented and no 5xx."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from portal.api.openapi import document
from portal.api.register import dump
from portal.core.db import Database
from portal.core.settings import Settings
from tests.integration.api.world import World

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
    unsupported_method,
]
EXAMPLES = 10
# Logging out would end the session that the rest is called with; no chain runs here.
LEFT_OUT = {"/api/v1/auth/logout", "/api/v1/demo/faucet"}


@pytest.fixture
def fuzzed(settings: Settings, database: Database) -> Iterator[World]:
    """A portal without request limits: here they would only hide what is behind them."""
    loose = settings.model_copy(
        update={"rate_limit_per_minute": 10**6, "rate_limit_auth_per_minute": 10**6}
    )
    world = World(loose, database)
    yield world
    world.close()


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize("logged_in", [False, True], ids=["stranger", "trader"])
def test_every_answer_is_documented(fuzzed: World, mode: GenerationMode, logged_in: bool) -> None:
    headers = {}
    if logged_in:
        headers = {"Authorization": f"Bearer {fuzzed.outfit(fuzzed.trader('Alice')).token}"}
    failures: list[str] = []
    for name, check in _operations(fuzzed.app, mode, headers):
        try:
            check()
        except Unsatisfiable:
            assert mode is GenerationMode.NEGATIVE  # It takes no input that could be wrong.
        except (Exception, FailureGroup) as error:
            failures.append(f"{name}: {error}")
    assert not failures, "\n\n".join(failures)


def test_the_document_needs_no_database(fuzzed: World, tmp_path: Path) -> None:
    written = dump(Settings(_env_file=None), tmp_path / "openapi.json")
    assert '"/api/v1/orders"' in written.read_text()
    assert document(fuzzed.app)["openapi"].startswith("3.1")


def test_the_clients_copy_is_the_present_one(tmp_path: Path) -> None:
    present = dump(Settings(_env_file=None), tmp_path / "openapi.json").read_text()
    kept = Path("h5_client/openapi.json").read_text()
    assert kept == present, "Run: portal api openapi"


def _operations(app: Flask, mode: GenerationMode, headers: dict[str, str]):  # type: ignore[no-untyped-def]
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.path in LEFT_OUT:
            continue

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def check(case: Case) -> None:
            case.call_and_validate(headers=headers, checks=CHECKS)

        yield f"{operation.method.upper()} {operation.path}", check
