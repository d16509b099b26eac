"""The phone client computes trade ids by itself; its test vectors are the portal's own."""

import json
from pathlib import Path
from typing import Any

import pytest

from portal.escrow.contract import escrow_id
from portal.escrow.typed_data import STRUCTS

VECTORS: list[dict[str, Any]] = json.loads(Path("h5_client/test/trade-ids.json").read_text())


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["tradeId"]))
def test_a_clients_vector_is_the_portals(vector: dict[str, Any]) -> None:
    assert list(vector["terms"]) == [name for name, _ in STRUCTS["Terms"]]
    assert escrow_id(vector["terms"]) == vector["tradeId"]
