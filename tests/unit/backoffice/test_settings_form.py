"""The form of settings carries them there and back, for any plugin's model."""

from typing import Any, Literal

import pytest
from pydantic import Field

from plugins.compliance.regional_rules.settings import RegionalSettings
from plugins.fee_models.maker_taker.plugin import MakerTaker
from plugins.payment_gateways.sepa.settings import SepaSettings
from portal.backoffice.settings_form import SPARE_ROWS, Node, draw, read
from portal.core.errors import InvalidInput
from portal.plugin_api import ProviderSettings


class Odd(ProviderSettings):
    """One of each kind of field."""

    on: bool = True
    mode: Literal["fast", "safe"] = "safe"
    words: tuple[str, ...] = ("one", "two")
    maybe: int | None = None
    table: dict[str, int] = Field(default_factory=lambda: {"a": 1})


def _sent(nodes: list[Node]) -> dict[str, str]:
    """What a browser sends for a form that nobody touched."""
    sent: dict[str, str] = {}
    for node in nodes:
        if node.kind == "group":
            sent |= _sent(list(node.parts))
        elif node.kind == "rows":
            for row in node.rows:
                sent |= _sent(list(row))
        elif node.kind == "check":
            sent |= {node.path: "yes"} if node.value else {}
        else:
            sent[node.path] = str(node.value)
    return sent


def _there_and_back(model: type[ProviderSettings], **changed: str) -> Any:
    schema = model.model_json_schema()
    sent = _sent(draw(schema, model().model_dump(mode="json")))
    return model.model_validate(read(schema, sent | changed))


@pytest.mark.parametrize("model", [MakerTaker.settings_model, RegionalSettings, SepaSettings, Odd])
def test_an_untouched_form_changes_nothing(model: type[ProviderSettings]) -> None:
    assert _there_and_back(model) == model()


def test_a_changed_rate_arrives_as_a_number() -> None:
    assert _there_and_back(MakerTaker.settings_model, maker_bps="25").maker_bps == 25


def test_a_filled_spare_row_is_added() -> None:
    row = len(RegionalSettings().blocked)
    added = _there_and_back(
        RegionalSettings,
        **{
            f"blocked.{row}.source": "House decision",
            f"blocked.{row}.effective_date": "2026-12-01",
            f"blocked.{row}.country": "RU",
            f"blocked.{row}.place": "Russia",
        },
    )
    assert [one.country for one in added.blocked][-1] == "RU"
    assert len(added.blocked) == row + 1


def test_an_emptied_row_is_taken_away() -> None:
    names = ("source", "effective_date", "country", "place")
    left = _there_and_back(RegionalSettings, **{f"blocked.0.{name}": "" for name in names})
    assert [one.country for one in left.blocked] == ["IR", "MM", "CN"]


def test_a_list_shows_spare_rows() -> None:
    nodes = draw(RegionalSettings.model_json_schema(), RegionalSettings().model_dump(mode="json"))
    blocked = next(node for node in nodes if node.path == "blocked")
    assert len(blocked.rows) == len(RegionalSettings().blocked) + SPARE_ROWS


def test_wrong_numbers_reach_the_model_unchanged() -> None:
    sent = read(MakerTaker.settings_model.model_json_schema(), {"maker_bps": "ten", "min_fee": "0"})
    assert sent["maker_bps"] == "ten"


def test_an_optional_number_may_stay_empty() -> None:
    assert _there_and_back(Odd, maybe="").maybe is None
    assert _there_and_back(Odd, maybe="7").maybe == 7


def test_json_that_is_none_names_the_field() -> None:
    with pytest.raises(InvalidInput) as refusal:
        _there_and_back(Odd, table="{")
    assert refusal.value.field == "table"


def test_an_unchecked_box_is_false() -> None:
    schema = Odd.model_json_schema()
    sent = _sent(draw(schema, Odd().model_dump(mode="json")))
    del sent["on"]
    assert read(schema, sent)["on"] is False
