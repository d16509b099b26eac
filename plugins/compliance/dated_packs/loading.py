"""Packs from YAML files. An error names the file, the rule and the field."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from plugins.compliance.dated_packs.schema import Pack
from portal.plugin_api import InvalidInput

BUNDLED = Path(__file__).parent / "packs"


def load_pack(file: Path) -> Pack:
    """The pack in a file. Raises InvalidInput naming file, rule and field."""
    try:
        data = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{file.name} is no YAML: {error}", field=file.name) from error
    try:
        return Pack.model_validate(data)
    except ValidationError as error:
        raise _named(file, data, error) from error


@cache
def bundled() -> dict[str, Pack]:
    """The packs that come along, by name. Read once."""
    packs = [load_pack(file) for file in sorted(BUNDLED.glob("*.yaml"))]
    return {pack.name: pack for pack in packs}


def _named(file: Path, data: Any, error: ValidationError) -> InvalidInput:
    first = error.errors()[0]
    place = list(first["loc"])
    rule = ""
    if len(place) > 1 and place[0] == "rules" and isinstance(place[1], int):
        row = data["rules"][place[1]]
        known = row.get("id") if isinstance(row, dict) else None
        rule = f", rule {known or f'number {place[1] + 1}'}"
        place = place[3:]
    field = ".".join(str(part) for part in place if part != "[key]")
    return InvalidInput(
        f"{file.name}{rule}{f', {field}' if field else ''}: {first['msg']}",
        field=field or file.name,
        value=str(first["input"])[:80],
    )
