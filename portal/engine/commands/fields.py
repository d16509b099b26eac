"""The types of commands' fields, and what every command carries."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from portal.core.units import MAX_UNITS

Id = Annotated[int, Meta(ge=1, le=MAX_UNITS)]
Units = Annotated[int, Meta(ge=0, le=MAX_UNITS)]
Positive = Annotated[int, Meta(ge=1, le=MAX_UNITS)]
# Seconds, at most ten years: a deadline must stay within 64 bits of milliseconds.
Window = Annotated[int, Meta(ge=1, le=10 * 366 * 86_400)]
Bps = Annotated[int, Meta(ge=0, le=10_000)]
Places = Annotated[int, Meta(ge=0, le=18)]
Text = Annotated[str, Meta(min_length=1, max_length=500)]
Key = Annotated[str, Meta(min_length=1, max_length=200)]
Side = Literal["buy", "sell"]


class Command(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """What every command carries."""

    key: Key | None = None

    @property
    def kind(self) -> str:
        """The command's name, as in `kind` of its JSON."""
        return str(self.__struct_config__.tag)


class Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A group of fields inside a command."""
