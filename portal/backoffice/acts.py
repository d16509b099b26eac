"""Acts: the only way the back office changes anything. A form, a permission, one service call."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from flask import request
from markupsafe import Markup

from portal.core.errors import InvalidInput, PortalError

Values = dict[str, Any]


@dataclass(frozen=True)
class Field:
    """One input of an act's form. `many` asks for any number of `options`."""

    name: str
    label: str
    kind: Literal["text", "area", "number", "choice", "many", "check", "file", "hidden"] = "text"
    help: str = ""
    required: bool = True
    options: Sequence[tuple[str, str]] = ()
    value: Any = ""
    longest: int = 2_000
    unit: str = ""


Fields = Sequence[Field]


@dataclass(frozen=True)
class Act:
    """Something a person at the desk may do.

    Attributes:
        name: part of the address and, with `can_`, the permission.
        run: calls the service; gets the view, the record (None on a page without one) and the
            values; answers with the sentence that tells what was done.
        consequence: what it will do, told before the button, not asked after it.
        offered: whether the record's state allows it now.
        fields: the inputs, or how to make them for a record.
    """

    name: str
    label: str
    run: Callable[[Any, Any, Values], str]
    consequence: str = ""
    fields: Fields | Callable[[Any], Fields] = ()
    harmful: bool = False
    offered: Callable[[Any], bool] = lambda record: True

    @property
    def permission(self) -> str:
        """The Flask-AppBuilder permission that this act needs."""
        return f"can_{self.name}"

    def fields_for(self, record: Any) -> list[Field]:
        """The inputs for this record."""
        return list(self.fields(record) if callable(self.fields) else self.fields)


@dataclass(frozen=True)
class Attempt:
    """An act that was refused: what was typed stays in the form, with the reason beside it."""

    act: str
    values: Mapping[str, Any]
    error: PortalError


def reason_field(label: str = "Reason", help: str = "Kept in the audit log.") -> Field:
    """The written reason that every decision about people or money needs."""
    return Field("reason", label, kind="area", help=help)


def read_values(fields: Fields) -> Values:
    """The form as sent. Raises InvalidInput naming the first field that is wrong."""
    return {field.name: _read(field) for field in fields}


def sent_values(fields: Fields) -> Values:
    """The form as sent, unchecked, to show again."""
    return {
        field.name: request.form.getlist(field.name)
        if field.kind == "many"
        else request.form.get(field.name, "")
        for field in fields
        if field.kind != "file"
    }


def _read(field: Field) -> Any:
    if field.kind == "file":
        return _read_file(field)
    if field.kind == "check":
        return field.name in request.form
    if field.kind == "many":
        return [_known(field, value) for value in request.form.getlist(field.name)]
    value = request.form.get(field.name, "").strip()
    if not value:
        if field.required:
            raise InvalidInput(f"{field.label} is missing.", field=field.name)
        return ""
    if len(value) > field.longest:
        raise InvalidInput(
            f"{field.label} is longer than {field.longest} characters.", field=field.name
        )
    return _known(field, value) if field.kind == "choice" else value


def _known(field: Field, value: str) -> str:
    if value not in {key for key, _ in field.options}:
        raise InvalidInput(f"{field.label} has no such choice.", field=field.name, value=value)
    return value


def _read_file(field: Field) -> bytes:
    upload = request.files.get(field.name)
    content = upload.read() if upload else b""
    if not content:
        raise InvalidInput(f"{field.label} is missing or empty.", field=field.name)
    return content


@dataclass(frozen=True)
class Form:
    """An act as the template draws it."""

    act: Act
    action: str
    fields: Sequence[Field]
    values: Mapping[str, Any]
    error: PortalError | None = None

    def value(self, field: Field) -> Any:
        """What the input shows: what was typed before, else its value now."""
        return self.values.get(field.name, field.value)

    def problem(self, field: Field) -> str:
        """What is wrong with this input."""
        return self.error.message if self.error and self.error.field == field.name else ""

    @property
    def general_problem(self) -> str:
        """What is wrong with none of the inputs in particular."""
        names = {field.name for field in self.fields}
        return self.error.message if self.error and self.error.field not in names else ""

    @property
    def hint(self) -> str | Markup:
        """The way out."""
        return (self.error.hint or "") if self.error else ""
