"""All tables there are, for migrations and for the check that they match the models."""

import importlib
import importlib.util
import pkgutil
import re
from typing import Any

from flask_appbuilder import Model
from sqlalchemy import MetaData

import portal
from portal.core.db import Base


def all_metadata() -> list[MetaData]:
    """The metadata of every wing (its `models` imported) and of Flask-AppBuilder."""
    for wing in pkgutil.iter_modules(portal.__path__, "portal."):
        name = f"{wing.name}.models"
        if wing.ispkg and importlib.util.find_spec(name):
            importlib.import_module(name)
    importlib.import_module("portal.escrow.chain.blocks")  # The escrow's second room of tables.
    return [Base.metadata, Model.metadata]


def is_described(item: Any, name: str | None, kind: str, reflected: bool, other: Any) -> bool:
    """Whether the models speak of it: partitions come and go with the days (Alembic's filter)."""
    table = name if kind == "table" else getattr(getattr(item, "table", None), "name", "")
    return not re.search(r"_(rest|\d{8})$", str(table))
