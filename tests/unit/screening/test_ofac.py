from pathlib import Path

import pytest

from portal.core.errors import InvalidInput
from portal.screening import ofac

FILE = Path(__file__).parent / "sdn.xml"
TEXT = FILE.read_text()


def written(folder: Path, text: str) -> Path:
    file = folder / "SDN.XML"
    file.write_text(text)
    return file


def test_names_aliases_and_wallet_addresses_are_read_under_the_default_namespace() -> None:
    entries = {entry.uid: entry for entry in ofac.read(FILE)}
    assert list(entries) == ["101", "102", "103", "104"]
    assert entries["101"].names == ("Vladimir Sergeyevich EXAMPLOV", "Volodya EXAMPLOV")
    assert entries["101"].addresses == (
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        "0x52908400098527886E0F7030069857D2E4169EE7",
    )
    assert (entries["104"].kind, entries["104"].names) == (
        "Entity",
        ("SAMPLE TRADING COMPANY LTD",),
    )


def test_the_older_namespace_is_read_alike(tmp_path: Path) -> None:
    older = TEXT.replace(
        "https://sanctionslistservice.ofac.treas.gov/api/PublicationPreview/exports/XML",
        "http://tempuri.org/sdnList.xsd",
    )
    assert ofac.read(written(tmp_path, older)) == ofac.read(FILE)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('<sdnList xmlns="x"/>', "holds no sdnEntry"),
        ("<html></html>", "holds no sdnEntry"),
        ("", "no well-formed XML"),
        (TEXT[:-40], "no well-formed XML"),
        (TEXT.replace("<uid>102</uid>", "<uid/>"), "in line 13 has no uid"),
    ],
)
def test_a_broken_or_empty_list_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        ofac.read(written(tmp_path, text))


def test_entities_are_not_resolved(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("SECRETNAME")
    bomb = TEXT.replace(
        "<sdnList", f'<!DOCTYPE x [<!ENTITY e SYSTEM "file://{secret}">]><sdnList', 1
    ).replace("Xiaoming", "&e;")
    try:
        names = [name for entry in ofac.read(written(tmp_path, bomb)) for name in entry.names]
    except InvalidInput:
        return
    assert "SECRETNAME" not in " ".join(names)
