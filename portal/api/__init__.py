"""The HTTP API: how endpoints are declared, who may call them, and how they fail."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from portal.api.context import Services


def register_api(app: "Flask", services: "Services") -> None:
    """Give `app` the API and the H5 client; see `portal.api.register`.

    Imported late: the wings' endpoints import this package.
    """
    from portal.api.register import register

    register(app, services)
