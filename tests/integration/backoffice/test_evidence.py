"""A trade's evidence at the desk: who may take it, and that it is written down who did."""

import io
import json
import zipfile
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from portal.audit.models import AuditEvent
from tests.integration.backoffice import desk, scenes

pytestmark = pytest.mark.postgres
AsRole = Callable[[str], FlaskClient]


@pytest.mark.parametrize("role", ["Admin", "Compliance", "Arbiter", "Auditor"])
def test_evidence_is_taken_with_the_log_knowing(
    role: str, as_role: AsRole, services: desk.DeskServices
) -> None:
    scenes.everything(services)
    client = as_role(role)
    assert "Download the evidence" in client.get("/backoffice/trades/21").text
    answer = client.get("/backoffice/trades/21/evidence")
    assert answer.mimetype == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.data)) as packed:
        held = json.loads(packed.read("evidence.json"))
    assert held["trade_id"] == 21
    assert held["events"][-1]["event"]["kind"] == "evidence.exported"
    with services.database.reader() as session:
        taken = session.scalars(select(AuditEvent).where(AuditEvent.kind == "evidence.exported"))
        assert [event.subject for event in taken] == ["trade:21"]


@pytest.mark.parametrize("role", ["Operator", "Support"])
def test_nobody_else_takes_it(role: str, as_role: AsRole, services: desk.DeskServices) -> None:
    scenes.everything(services)
    client = as_role(role)
    assert "Download the evidence" not in client.get("/backoffice/trades/21").text
    assert client.get("/backoffice/trades/21/evidence").status_code == 403


def test_there_is_none_of_a_trade_that_is_not(as_role: AsRole, services: desk.DeskServices) -> None:
    client = as_role("Auditor")
    assert client.get("/backoffice/trades/4711/evidence").status_code == 404
    with services.database.reader() as session:
        assert not session.scalar(select(AuditEvent).where(AuditEvent.kind == "evidence.exported"))
