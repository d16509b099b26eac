"""Bases of request and answer models, and the types that many of them share."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

from portal.core.units import MAX_UNITS

IDEMPOTENCY_HEADER = "Idempotency-Key"


class Body(BaseModel):
    """A JSON body: exact types, no unknown fields."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Query(BaseModel):
    """Query parameters: text is converted, unknown names are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Answer(BaseModel):
    """A JSON answer. Every field is always there; absent values are null."""

    model_config = ConfigDict(extra="forbid", from_attributes=True)


class Page(Query):
    """One page of a list, newest first: what is older than the id `before`."""

    before: Annotated[int | None, Field(ge=1, le=MAX_UNITS)] = None


class IdempotencyHeaders(BaseModel):
    """The key that makes a repeated request harmless."""

    key: Annotated[
        str,
        Field(
            alias=IDEMPOTENCY_HEADER,
            pattern=r"^[A-Za-z0-9_-]{8,64}$",
            description="8 to 64 of A-Z a-z 0-9 _ -; new for each act, the same for its retries.",
        ),
    ]


class ErrorDetail(Answer):
    """What was wrong, with which field and value, and what to do."""

    code: str
    message: str
    field: str | None = None
    value: str | None = None
    hint: str | None = None


class ErrorAnswer(Answer):
    """The body of every answer with a status of 400 and above."""

    error: ErrorDetail


def iso_utc(at: datetime) -> str:
    """ISO 8601 in UTC with milliseconds and Z; a naive time is taken to be UTC."""
    aware = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    return aware.isoformat(timespec="milliseconds").replace("+00:00", "Z")


Time = Annotated[datetime, PlainSerializer(iso_utc, return_type=str, when_used="json")]
Amount = Annotated[
    str,
    Field(
        max_length=62,
        pattern=r"^-?[0-9]{1,30}(\.[0-9]{1,30})?$",
        description="A plain decimal number.",
        examples=["12.5"],
    ),
]
Id = Annotated[int, Field(ge=1, le=MAX_UNITS)]
Address = Annotated[str, Field(pattern=r"^0x[0-9a-fA-F]{40}$", description="An Ethereum address.")]
Signature = Annotated[str, Field(pattern=r"^0x[0-9a-fA-F]{130}$", description="65 bytes: r, s, v.")]
Code = Annotated[str, Field(pattern=r"^[0-9]{6}$", description="Code of the authenticator app.")]
