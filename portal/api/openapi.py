"""The OpenAPI document, made from the same declarations that validate the requests."""

import json
from typing import Any

from flask import Flask

from portal.api.failures import PREFIX
from portal.api.spec import spec

_CSV = f"{PREFIX}/history.csv"


def document(app: Flask) -> dict[str, Any]:
    """The OpenAPI 3.1 document of the API as `app` serves it."""
    with app.app_context():
        # Spectree makes it once: a second making would find its models taken apart.
        raw: dict[str, Any] = json.loads(json.dumps(spec.spec))
    raw["servers"] = [{"url": "/"}]
    raw["paths"] = {
        path: item for path, item in sorted(raw["paths"].items()) if path.startswith(PREFIX)
    }
    table = {"text/csv": {"schema": {"type": "string"}}}
    raw["paths"][_CSV]["get"]["responses"]["200"]["content"] = table
    schemas = {name: schema for name, schema in raw["components"]["schemas"].items() if schema}
    raw["components"]["schemas"] = dict(sorted(schemas.items()))
    return raw
