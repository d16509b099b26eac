from pathlib import Path

import pytest

from portal.screening import ofac
from portal.screening.entries import ListEntry
from portal.screening.matching import NameIndex, address_key

LISTED = ofac.read(Path(__file__).parent / "sdn.xml")
INDEX = NameIndex([("ofac", entry) for entry in LISTED])

FOUND = [
    ("Vladimir Sergeyevich Examplov", "101"),
    ("EXAMPLOV, Vladimir", "101"),
    ("Wladimir Examplow", "101"),
    ("Владимир Экзамплов", "101"),
    ("volodya examplov", "101"),
    ("Vladímir Sergeyevich Exámplov", "101"),
    ("Mohammed Hussein Sample", "102"),
    ("محمد حسين سامبل", "102"),
    ("王小明", "103"),
    ("Wang Xiao Ming", "103"),
    ("Xiaoming Wang", "103"),
    ("Sample Trading Company Limited", "104"),
]


@pytest.mark.parametrize(("name", "uid"), FOUND)
def test_names_are_found_in_other_spellings_orders_and_scripts(name: str, uid: str) -> None:
    assert uid in [match.uid for match in INDEX.search(name, 82)]


@pytest.mark.parametrize(
    "name",
    [
        "Vladimir Miller",
        "Alice Example",
        "Li Ming",
        "李小龙",
        "Trading",
        "Mohammed Ali",
        "",
        "  ",
        "¿?",
    ],
)
def test_other_names_are_not(name: str) -> None:
    assert INDEX.search(name, 82) == []


def test_the_name_itself_scores_a_hundred_and_comes_first() -> None:
    best = INDEX.search("Xiaoming WANG", 50)[0]
    assert (best.list_name, best.uid, best.score) == ("ofac", "103", 100)


def test_every_listed_name_finds_itself() -> None:
    for entry in LISTED:
        for name in entry.names:
            assert entry.uid in [match.uid for match in INDEX.search(name, 100)]


def test_a_chinese_name_on_the_list_is_found_in_latin_letters() -> None:
    index = NameIndex([("un", ListEntry("1", "Individual", ("欧阳小明",)))])
    assert index.search("Ouyang Xiaoming", 88)
    assert index.search("欧阳小明", 100)


def test_evm_addresses_are_the_same_in_any_case_and_bitcoins_are_not() -> None:
    assert address_key(" 0xABcd ") == address_key("0XabCD")
    assert address_key("1BoatSLRHtKNngkdXEeobR76b53LETtpyT") != address_key(
        "1boatslrhtknngkdxeeobr76b53letptyt"
    )
