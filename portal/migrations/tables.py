"""All tables there are, for migrations and for the check that they match the models."""

import importlib
import re
from pathlib import Path
from typing import Any

from flask_appbuilder import Model
from sqlalchemy import MetaData

import portal
from portal.core.db import Base


def all_metadata() -> list[MetaData]:
    """The metadata of every `models` of every wing, imported, and of Flask-AppBuilder."""
    root = Path(portal.__path__[0])
    for path in sorted(root.rglob("models.py")):
        parts = path.relative_to(root.parent).with_suffix("").parts
        importlib.import_module(".".join(parts))
    importlib.import_module("portal.escrow.chain.blocks")  # Tables that are no `models`.
    return [Base.metadata, Model.metadata]


def is_described(item: Any, name: str | None, kind: str, reflected: bool, other: Any) -> bool:
    """Whether the models speak of it: partitions come and go with the days (Alembic's filter)."""
    table = name if kind == "table" else getattr(getattr(item, "table", None), "name", "")
    return not re.search(r"_(rest|\d{8})$", str(table))
