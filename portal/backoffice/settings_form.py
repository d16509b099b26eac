"""A form for any provider's settings, drawn from the JSON Schema of its pydantic model.

Plain fields, groups of fields, lists of groups and lists of words; anything else is edited as
JSON. The form only carries text back: the provider's own model is what checks it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from portal.core.errors import InvalidInput

Schema = Mapping[str, Any]
SPARE_ROWS = 2
_ROW_LIMIT = 500


@dataclass(frozen=True)
class Node:
    """A part of the form. `path` is its place in the settings: `blocked.0.country`."""

    path: str
    label: str
    help: str
    kind: Literal["text", "number", "date", "check", "choice", "words", "json", "group", "rows"]
    value: Any = None
    options: Sequence[str] = ()
    parts: Sequence["Node"] = ()
    rows: Sequence[Sequence["Node"]] = ()
    required: bool = True


def draw(schema: Schema, values: Mapping[str, Any]) -> list[Node]:
    """The form of a settings model with these values in it."""
    return [
        _node(part, name, schema, values.get(name), name in schema.get("required", ()))
        for name, part in schema.get("properties", {}).items()
    ]


def read(schema: Schema, sent: Mapping[str, str]) -> dict[str, Any]:
    """What was sent, in the shape of the settings. Raises InvalidInput for JSON that is none."""
    return {
        name: _read(part, name, schema, sent) for name, part in schema.get("properties", {}).items()
    }


def _resolved(part: Schema, root: Schema) -> dict[str, Any]:
    """The schema of a field, with its reference followed and an optional one taken as itself."""
    whole = dict(part)
    while reference := whole.pop("$ref", None) or _lone(whole.pop("allOf", [])):
        whole = {**root["$defs"][reference.rsplit("/", 1)[-1]], **whole}
    choices = whole.get("anyOf")
    if choices:
        real = [one for one in choices if one.get("type") != "null"]
        if len(real) == 1 and len(choices) == 2:
            rest = {name: value for name, value in whole.items() if name != "anyOf"}
            return {**_resolved(real[0], root), **rest, "optional": True}
    return whole


def _lone(parts: Sequence[Schema]) -> str | None:
    return parts[0].get("$ref") if len(parts) == 1 else None


def _kind(field: Schema, root: Schema) -> str:
    if "enum" in field:
        return "choice"
    kinds = {"integer": "number", "number": "number", "boolean": "check", "string": "text"}
    kind = str(field.get("type"))
    if kind == "string" and field.get("format") == "date":
        return "date"
    if kind == "object" and "properties" in field:
        return "group"
    if kind == "array" and isinstance(field.get("items"), Mapping):
        item = _kind(_resolved(field["items"], root), root)
        return {"group": "rows", "text": "words"}.get(item, "json")
    return kinds.get(kind, "json")


def _node(part: Schema, path: str, root: Schema, value: Any, required: bool) -> Node:
    field = _resolved(part, root)
    kind = _kind(field, root)
    label = str(field.get("title") or path.rsplit(".", 1)[-1].replace("_", " ").capitalize())
    if field.get("optional"):
        required = False
    node: dict[str, Any] = {
        "path": path,
        "label": label,
        "help": str(part.get("description") or _bounds(field)),
        "kind": kind,
        "value": _shown(kind, value),
        "required": required,
    }
    if kind == "choice":
        node["options"] = [str(option) for option in field["enum"]]
    if kind == "group":
        node["parts"] = _group(field, path, root, value or {})
    if kind == "rows":
        node["rows"] = _rows(_resolved(field["items"], root), path, root, value or [])
    return Node(**node)


def _group(field: Schema, path: str, root: Schema, value: Mapping[str, Any]) -> list[Node]:
    return [
        _node(part, f"{path}.{name}", root, value.get(name), name in field.get("required", ()))
        for name, part in field["properties"].items()
    ]


def _rows(item: Schema, path: str, root: Schema, value: Sequence[Any]) -> list[list[Node]]:
    filled = [_group(item, f"{path}.{number}", root, row) for number, row in enumerate(value)]
    spare = range(len(value), len(value) + SPARE_ROWS)
    return filled + [_group(item, f"{path}.{number}", root, {}) for number in spare]


def _bounds(field: Schema) -> str:
    least, most = field.get("minimum"), field.get("maximum")
    return "" if least is None or most is None else f"From {least} to {most}."


def _shown(kind: str, value: Any) -> Any:
    if kind == "json":
        return json.dumps(value, indent=1, ensure_ascii=False)
    if kind == "words":
        return "\n".join(str(one) for one in value or ())
    return "" if value is None and kind != "check" else value


def _read(part: Schema, path: str, root: Schema, sent: Mapping[str, str]) -> Any:
    field = _resolved(part, root)
    kind = _kind(field, root)
    if kind == "check":
        return path in sent
    if kind == "group":
        return _read_group(field, path, root, sent)
    if kind == "rows":
        return _read_rows(_resolved(field["items"], root), path, root, sent)
    text = sent.get(path, "").strip()
    if kind == "words":
        return [line.strip() for line in text.splitlines() if line.strip()]
    if kind == "json":
        return _read_json(path, text)
    if not text and field.get("optional"):
        return None
    return int(text) if field.get("type") == "integer" and _is_whole(text) else text


def _is_whole(text: str) -> bool:
    digits = text.removeprefix("-")
    return digits.isascii() and digits.isdigit() and len(digits) < 19


def _read_group(field: Schema, path: str, root: Schema, sent: Mapping[str, str]) -> dict[str, Any]:
    return {
        name: _read(part, f"{path}.{name}", root, sent)
        for name, part in field["properties"].items()
    }


def _read_rows(item: Schema, path: str, root: Schema, sent: Mapping[str, str]) -> list[Any]:
    """Every row that has anything in it; emptying a row takes it away."""
    numbers = sorted(
        {
            int(number)
            for name in sent
            if name.startswith(path + ".")
            and (number := name[len(path) + 1 :].split(".", 1)[0]).isdigit()
            and len(number) <= 4
        }
    )
    if len(numbers) > _ROW_LIMIT:
        raise InvalidInput(f"{path} has more than {_ROW_LIMIT} rows.", field=path)
    prefixes = [f"{path}.{number}" for number in numbers]
    return [
        _read_group(item, prefix, root, sent)
        for prefix in prefixes
        if any(text.strip() for name, text in sent.items() if name.startswith(prefix + "."))
    ]


def _read_json(path: str, text: str) -> Any:
    try:
        return json.loads(text or "null")
    except ValueError as error:
        raise InvalidInput(f"{path} is not valid JSON.", field=path, hint=str(error)) from error
