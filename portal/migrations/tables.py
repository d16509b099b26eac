"""All tables there are, for migrations and for the check that they match the models."""

import importlib
import importlib.util
import pkgutil

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
    return [Base.metadata, Model.metadata]
