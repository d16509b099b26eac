"""Travel-rule payloads, judged by the npm package ivms101 too."""

import copy
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from plugins.compliance.dated_packs.ivms101 import TravelRulePayload, missing
from portal.plugin_api import InvalidInput
from portal.run.node import packaged_node, system_node

ORACLE = Path(__file__).parents[2] / "node"
PAYLOAD: dict[str, Any] = {
    "originator": {
        "originatorPerson": [
            {
                "naturalPerson": {
                    "name": {
                        "nameIdentifier": [
                            {"primaryIdentifier": "Example", "secondaryIdentifier": "Alice"}
                        ]
                    },
                    "geographicAddress": [
                        {
                            "streetName": "Hauptstrasse",
                            "buildingNumber": "1",
                            "postcode": "10115",
                            "townName": "Berlin",
                            "country": "DE",
                        }
                    ],
                    "nationalIdentification": {
                        "nationalIdentifier": "L01X00T47",
                        "nationalIdentifierType": "IDCD",
                        "countryOfIssue": "DE",
                    },
                    "dateAndPlaceOfBirth": {"dateOfBirth": "1980-02-29", "placeOfBirth": "Ulm"},
                }
            }
        ],
        "accountNumber": ["0x52908400098527886E0F7030069857D2E4169EE7"],
    },
    "beneficiary": {
        "beneficiaryPerson": [
            {
                "naturalPerson": {
                    "name": {"nameIdentifier": [{"primaryIdentifier": "王小明"}]},
                    "customerIdentification": "42",
                    "countryOfResidence": "XX",
                }
            }
        ]
    },
    "originatingVASP": {
        "legalPerson": {
            "name": {"nameIdentifier": [{"legalPersonName": "Portal Ltd"}]},
            "nationalIdentification": {"nationalIdentifier": "529900T8BM49AURSDO55"},
        }
    },
}
SENDER = ("originator", "originatorPerson", 0, "naturalPerson")
RECEIVER = ("beneficiary", "beneficiaryPerson", 0, "naturalPerson")
VASP = ("originatingVASP", "legalPerson")
# What is changed, where, into what (None: taken away), and our words for it.
WRONG: list[tuple[tuple[str | int, ...], Any, str]] = [
    (("originator",), None, "originator"),
    ((*SENDER, "name", "nameIdentifier", 0, "naturalPersonNameIdentifierType"), "ALIA", "C6"),
    ((*SENDER, "name", "nameIdentifier"), [], "nameIdentifier"),
    ((*SENDER, "dateAndPlaceOfBirth", "dateOfBirth"), "2999-01-01", "C2"),
    ((*SENDER, "geographicAddress", 0, "buildingNumber"), None, "C8"),
    ((*SENDER, "geographicAddress", 0, "country"), "Germany", "country"),
    ((*SENDER, "nationalIdentification", "nationalIdentifierType"), "LEIX", "Type"),
    (
        ("beneficiary", "beneficiaryPerson", 0, "naturalPerson", "customerIdentification"),
        None,
        "C1",
    ),
    ((*VASP, "nationalIdentification", "nationalIdentifier"), "529900", "nationalIdentifier"),
    ((*VASP, "nationalIdentification"), None, "C4"),
    ((*VASP, "name", "nameIdentifier", 0, "legalPersonNameIdentifierType"), "TRAD", "C5"),
    (("payloadMetadata",), {"payloadVersion": "102"}, "payloadVersion"),
]


def changed(payload: dict[str, Any], place: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    result = copy.deepcopy(payload)
    part: Any = result
    for step in place[:-1]:
        part = part[step]
    if value is None:
        del part[place[-1]]
    else:
        part[place[-1]] = value
    return result


def judged(payloads: list[dict[str, Any]]) -> list[bool]:
    """What the npm package says of each."""
    node = system_node() or packaged_node()
    assert node is not None
    assert (ORACLE / "node_modules" / "ivms101").exists(), "run `make setup`"
    run = subprocess.run(
        ["node", "ivms101.mjs"],
        cwd=ORACLE,
        env=os.environ | {"PATH": f"{node}:{os.environ['PATH']}"},
        input=json.dumps(payloads),
        capture_output=True,
        text=True,
        check=True,
    )
    answer: list[bool] = json.loads(run.stdout)
    return answer


def test_the_validators_of_ivms101_take_what_we_build() -> None:
    assert judged([TravelRulePayload.model_validate(PAYLOAD).as_json()]) == [True]


def test_the_validators_of_ivms101_refuse_what_we_refuse() -> None:
    whole = TravelRulePayload.model_validate(PAYLOAD).as_json()
    assert judged([changed(whole, place, value) for place, value, _ in WRONG]) == [False] * len(
        WRONG
    )


@pytest.mark.parametrize(("place", "value", "said"), WRONG)
def test_what_the_standard_forbids_is_refused(
    place: tuple[str | int, ...], value: Any, said: str
) -> None:
    whole = TravelRulePayload.model_validate(PAYLOAD).as_json()
    with pytest.raises(ValidationError, match=said):
        TravelRulePayload.model_validate(changed(whole, place, value))


def test_what_a_rule_wants_and_the_payload_lacks_is_named() -> None:
    payload = TravelRulePayload.model_validate(PAYLOAD)
    assert missing(payload, ("name", "account", "address", "date_of_birth", "vasp")) == []
    assert missing(payload, ("name", "customer_number")) == ["customer_number"]
    with pytest.raises(InvalidInput, match="no shoe size"):
        missing(payload, ("shoe size",))
