"""Travel-rule payloads after IVMS101.2023 (interVASP), built and checked.

Constraint numbers (C2, C6, …) and the names of fields are those of the standard.
"""

# ruff: noqa: N815

from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from portal.plugin_api import InvalidInput

Text = Annotated[str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True)]
Number = Annotated[str, StringConstraints(min_length=1, max_length=50)]
CountryCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Address(_Part):
    """Where somebody lives or a company sits."""

    addressType: Literal["HOME", "BIZZ", "GEOG"] = "HOME"
    streetName: Text | None = None
    buildingNumber: Text | None = None
    buildingName: Text | None = None
    postcode: Text | None = None
    townName: Text
    country: CountryCode
    addressLine: tuple[Text, ...] | None = Field(None, max_length=7)

    @model_validator(mode="after")
    def _c8_has_lines_or_street_and_building(self) -> Self:
        if not self.addressLine and not (
            self.streetName and (self.buildingName or self.buildingNumber)
        ):
            raise ValueError("needs address lines, or street and building (C8)")
        return self


class PersonName(_Part):
    """A name; the primary identifier is the family name."""

    primaryIdentifier: Text
    secondaryIdentifier: Text | None = None
    naturalPersonNameIdentifierType: Literal["LEGL", "ALIA", "BIRT", "MAID", "MISC"] = "LEGL"


class NaturalNames(_Part):
    """The names of a person, the legal one among them (C6)."""

    nameIdentifier: tuple[PersonName, ...] = Field(min_length=1, max_length=5)

    @model_validator(mode="after")
    def _c6_legal_name(self) -> Self:
        if all(one.naturalPersonNameIdentifierType != "LEGL" for one in self.nameIdentifier):
            raise ValueError("needs the legal name (C6)")
        return self


class Birth(_Part):
    """When and where; in the past (C2)."""

    dateOfBirth: date
    placeOfBirth: Text

    @model_validator(mode="after")
    def _c2_in_the_past(self) -> Self:
        if self.dateOfBirth >= datetime.now(UTC).date():
            raise ValueError("is not in the past (C2)")
        return self


class NationalId(_Part):
    """A number that a state gave to a person."""

    nationalIdentifier: Annotated[str, StringConstraints(min_length=1, max_length=35)]
    nationalIdentifierType: Literal["ARNU", "CCPT", "DRLC", "FIIN", "TXID", "SOCS", "IDCD", "MISC"]
    countryOfIssue: CountryCode | None = None


class NaturalPerson(_Part):
    """A human."""

    name: NaturalNames
    geographicAddress: tuple[Address, ...] | None = Field(None, max_length=5)
    nationalIdentification: NationalId | None = None
    customerIdentification: (
        Annotated[str, StringConstraints(min_length=1, max_length=50)] | None
    ) = None
    dateAndPlaceOfBirth: Birth | None = None
    countryOfResidence: CountryCode | None = None

    @model_validator(mode="after")
    def _c1_can_be_told_apart(self) -> Self:
        if not (
            self.geographicAddress
            or self.nationalIdentification
            or self.customerIdentification
            or self.dateAndPlaceOfBirth
        ):
            raise ValueError("needs an address, a number or a date of birth (C1)")
        return self


class LegalName(_Part):
    """The name of a company."""

    legalPersonName: Text
    legalPersonNameIdentifierType: Literal["LEGL", "SHRT", "TRAD"] = "LEGL"


class LegalNames(_Part):
    """The names of a company, the legal one among them (C5)."""

    nameIdentifier: tuple[LegalName, ...] = Field(min_length=1, max_length=3)

    @model_validator(mode="after")
    def _c5_legal_name(self) -> Self:
        if all(one.legalPersonNameIdentifierType != "LEGL" for one in self.nameIdentifier):
            raise ValueError("needs the legal name (C5)")
        return self


class LegalId(_Part):
    """A company's LEI: 18 letters or digits and 2 check digits (C11)."""

    nationalIdentifier: Annotated[str, StringConstraints(pattern=r"^[0-9A-Z]{18}[0-9]{2}$")]
    nationalIdentifierType: Literal["LEIX"] = "LEIX"


class LegalPerson(_Part):
    """A company, such as a provider."""

    name: LegalNames
    geographicAddress: tuple[Address, ...] | None = Field(None, max_length=5)
    customerIdentification: (
        Annotated[str, StringConstraints(min_length=1, max_length=50)] | None
    ) = None
    nationalIdentification: LegalId | None = None
    countryOfRegistration: CountryCode | None = None

    @model_validator(mode="after")
    def _c4_can_be_told_apart(self) -> Self:
        has_place = any(one.addressType == "GEOG" for one in self.geographicAddress or ())
        if not (has_place or self.nationalIdentification or self.customerIdentification):
            raise ValueError("needs an address of type GEOG, an LEI or a customer number (C4)")
        return self


class Person(_Part):
    """A human or a company, not both."""

    naturalPerson: NaturalPerson | None = None
    legalPerson: LegalPerson | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.naturalPerson is None) == (self.legalPerson is None):
            raise ValueError("is a natural or a legal person, one of both")
        return self


class Originator(_Part):
    """Who sends."""

    originatorPerson: tuple[Person, ...] = Field(min_length=1, max_length=10)
    accountNumber: tuple[Text, ...] | None = Field(None, max_length=20)


class Beneficiary(_Part):
    """Who receives."""

    beneficiaryPerson: tuple[Person, ...] = Field(min_length=1, max_length=10)
    accountNumber: tuple[Text, ...] | None = Field(None, max_length=20)


class Metadata(_Part):
    """Which edition of the standard."""

    payloadVersion: Literal["101.2023"] = "101.2023"


class TravelRulePayload(_Part):
    """What goes from provider to provider with a transfer."""

    originator: Originator
    beneficiary: Beneficiary
    originatingVASP: Person | None = None
    beneficiaryVASP: Person | None = None
    payloadMetadata: Metadata = Metadata()

    def as_json(self) -> dict[str, Any]:
        """The payload as it is sent: absent fields left out."""
        return self.model_dump(mode="json", exclude_none=True)


def missing(payload: TravelRulePayload, wanted: tuple[str, ...]) -> list[str]:
    """Which of a travel rule's data the payload does not tell of its originator.

    Raises InvalidInput for data that IVMS101 has no place for.
    """
    people = [one.naturalPerson for one in payload.originator.originatorPerson]
    found = [person for person in people if person is not None]
    has = {
        "name": True,
        "account": bool(payload.originator.accountNumber),
        "address": all(person.geographicAddress for person in found),
        "national_id": all(person.nationalIdentification for person in found),
        "date_of_birth": all(person.dateAndPlaceOfBirth for person in found),
        "customer_number": all(person.customerIdentification for person in found),
        "vasp": payload.originatingVASP is not None,
    }
    for name in wanted:
        if name not in has:
            raise InvalidInput(f"IVMS101 has no {name}.", field="data", value=name)
    return [name for name in wanted if not has[name]]
