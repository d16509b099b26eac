"""The settings as a table, for `portal settings` and docs/configuration.md."""

import types
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import SecretStr

from portal.core.settings import Settings


def rows() -> list[tuple[str, str, str, str]]:
    """(environment variable, kind, default, meaning) of every setting, in their order."""
    return [
        (name.upper(), _kind(field.annotation), _default(field.default), str(field.description))
        for name, field in Settings.model_fields.items()
    ]


def markdown() -> str:
    """The table in Markdown."""
    lines = ["| Variable | Kind | Default | Meaning |", "|---|---|---|---|"]
    for name, kind, default, meaning in rows():
        shown = f"`{default}`" if default else ""
        lines.append(f"| `{name}` | {kind} | {shown} | {meaning} |")
    return "\n".join(lines) + "\n"


def _kind(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return " or ".join(f"`{value}`" for value in get_args(annotation))
    if get_origin(annotation) in (Union, types.UnionType):
        present = [kind for kind in get_args(annotation) if kind is not type(None)]
        return ", ".join(_kind(kind) for kind in present)
    words = {bool: "yes/no", int: "whole number", float: "number", str: "text", SecretStr: "secret"}
    return words.get(annotation, "path")


def _default(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, SecretStr):
        return "(demo)"
    return str(value)
