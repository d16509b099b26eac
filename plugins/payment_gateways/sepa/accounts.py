"""Payment accounts: an IBAN in the SEPA area, its holder, a BIC where one is needed."""

import re
from collections.abc import Mapping

from schwifty import BIC, IBAN
from schwifty.exceptions import SchwiftyException

from portal.plugin_api import AccountField, InvalidInput

# No controls, no line breaks: the holder's name becomes a line of the QR payload (EPC069-12: 70).
_HOLDER = r"[^\W\d_][^\x00-\x1f\x7f\u2028\u2029]{0,69}"

FIELDS = (
    AccountField(
        name="iban",
        label="IBAN",
        pattern=r"[A-Za-z]{2} ?\d{2}[A-Za-z0-9 ]{9,42}",
        example="DE89 3704 0044 0532 0130 00",
    ),
    AccountField(name="holder", label="Account holder", pattern=_HOLDER, example="Maria Schmidt"),
    AccountField(
        name="bic",
        label="BIC",
        pattern=r"[A-Za-z0-9]{8}([A-Za-z0-9]{3})?",
        example="COBADEFFXXX",
        required=False,
    ),
)

# EPC069-12: the BIC may be left out only for banks of the European Economic Area.
_EEA = frozenset((
    "AT", "BE", "BG", "HR", "CY", "CZ", "DK", "EE", "FI", "FR", "DE", "GR", "HU", "IS", "IE",
    "IT", "LV", "LI", "LT", "LU", "MT", "NL", "NO", "PL", "PT", "RO", "SK", "SI", "ES", "SE",
))  # fmt: skip


def normalised(values: Mapping[str, str]) -> dict[str, str]:
    """The account with its checksums verified, blanks out, upper case.

    Raises InvalidInput naming the field.
    """
    iban = _iban(values["iban"])
    bic = _bic(values["bic"], iban)
    if not bic and iban.country_code not in _EEA:
        raise InvalidInput(
            f"An account in {iban.country_code} needs its BIC as well.",
            field="bic",
            hint="It is on your bank statement, next to the IBAN.",
        )
    return {"iban": str(iban), "holder": " ".join(values["holder"].split()), "bic": bic}


def label(iban: str) -> str:
    """Country, check digits and the last four characters."""
    return f"{iban[:4]} … {iban[-4:]}"


def grouped(iban: str) -> str:
    """The IBAN in groups of four, as people read it."""
    return " ".join(re.findall(".{1,4}", iban))


def _iban(value: str) -> IBAN:
    try:
        iban = IBAN(value)
    except SchwiftyException as error:
        raise InvalidInput(
            f"This is not a valid IBAN: {error}.",
            field="iban",
            value=value,
            hint="Compare it with your bank's app, character by character.",
        ) from error
    if not iban.in_sepa_zone:
        raise InvalidInput(
            f"Accounts in {iban.country_code} can't be paid by SEPA.",
            field="iban",
            value=value,
            hint="Use an account in the SEPA area.",
        )
    return iban


def _bic(value: str, iban: IBAN) -> str:
    if not value:
        return ""
    try:
        bic = BIC(value)
    except SchwiftyException as error:
        raise InvalidInput(
            f"This is not a valid BIC: {error}.",
            field="bic",
            value=value,
            hint="It has 8 or 11 characters, like COBADEFFXXX.",
        ) from error
    return str(bic)
