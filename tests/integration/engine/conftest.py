"""What tests of the engine on a real PostgreSQL begin with."""

from typing import Any

import pytest

from portal.engine.sequencer import Sequencer
from tests.factories.engine import define_market, deposit


@pytest.fixture
def sequencer(database_url: str) -> Any:
    sequencer = Sequencer(database_url)
    sequencer.run([define_market(), deposit()])
    yield sequencer
    sequencer.stop()
