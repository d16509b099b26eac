import pytest

from plugins.payment_gateways.sepa.names import match_names


@pytest.mark.parametrize(
    ("expected", "given", "outcome"),
    [
        ("Maria Schmidt", "MARIA SCHMIDT", "MTCH"),
        ("Maria Schmidt", "Schmidt, Maria", "MTCH"),
        ("Maria Schmidt", "Frau Dr. Maria Schmidt", "MTCH"),
        ("José Núñez", "Jose Nunez", "MTCH"),
        ("Jürgen Müller", "Juergen Mueller", "MTCH"),
        ("Juergen Mueller", "Jürgen Müller", "MTCH"),
        ("Jürgen Müller", "Jurgen Muller", "MTCH"),
        ("Łukasz Żak", "Lukasz Zak", "MTCH"),
        ("Søren Kjær", "Soren Kjaer", "MTCH"),
        ("Anna-Lena Voß", "ANNA LENA VOSS", "MTCH"),
        ("Sean O'Brien", "Sean OBrien", "MTCH"),
        ("Annalena Voss", "Anna Lena Voss", "MTCH"),
        ("Muster GmbH", "Muster G.m.b.H.", "MTCH"),
        ("Example Limited", "EXAMPLE LTD.", "MTCH"),
        ("Мария Иванова", "ИВАНОВА МАРИЯ", "MTCH"),
        ("Maria Schmidt", "M. Schmidt", "CMTC"),
        ("Maria Schmidt", "Maria Anna Schmidt", "CMTC"),
        ("Maria Anna Schmidt", "Maria Schmidt", "CMTC"),
        ("Maria Schmidt", "Maria Schmitd", "CMTC"),
        ("Maria Schmidt", "Maria Schmid", "CMTC"),
        ("Maria Schmidt", "Maria Schmidt GmbH", "CMTC"),
        ("Muster GmbH", "Muster AG", "CMTC"),
        ("Maria Schmidt", "Maria Schmidt und Jan Schmidt", "CMTC"),
        ("Maria Schmidt", "Jan Schmidt", "NMTC"),
        ("Maria Schmidt", "Maria Kowalska", "NMTC"),
        ("Maria Schmidt", "Schmidt", "NMTC"),
        ("Maria Schmidt", "Maria", "NMTC"),
        ("Maria Schmidt", "Bob Demo", "NMTC"),
        ("Alice Demo", "Bob Demo", "NMTC"),
        ("Li Wu", "Li Wo", "NMTC"),
        ("Maria Schmidt", "", "NOAP"),
        ("Maria Schmidt", "NOTPROVIDED", "NOAP"),
        ("Maria Schmidt", "…", "NOAP"),
        ("", "Maria Schmidt", "NOAP"),
        ("Maria Ivanova", "Мария Иванова", "NOAP"),
    ],
)
def test_names(expected: str, given: str, outcome: str) -> None:
    assert match_names(expected, given) == outcome


def test_a_look_alike_letter_is_no_match() -> None:
    assert match_names("Maria Schmidt", "M\u0430ria Schmidt") == "CMTC"
