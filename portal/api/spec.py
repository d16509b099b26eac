"""One definition of each endpoint, for validation, documentation and types (spectree).

The stock Flask backend reads broken JSON as an empty body and answers in a shape of its own;
this one reads strictly and raises the portal's errors.
"""

from collections.abc import Mapping
from typing import Any

from flask import Request, request
from pydantic import BaseModel
from spectree import SecurityScheme, SpecTree
from spectree.models import SecuritySchemeData
from spectree.plugins.base import Context
from spectree.plugins.flask_plugin import FlaskPlugin

from portal.api.reading import NoQuery, check_text, parse_json, validate
from portal.api.shapes import ErrorAnswer
from portal.core.units import MAX_UNITS
from portal.users.signing import KEY_HEADER, SIGNATURE_HEADER, TIME_HEADER

COOKIE = "otc_session"
CSRF_HEADER = "X-CSRF-Token"


class StrictFlaskPlugin(FlaskPlugin):
    """Spectree's Flask backend with strict reading."""

    def request_validation(
        self, request: Request, query: Any, json: Any, form: Any, headers: Any, cookies: Any
    ) -> None:
        """Read the parts of the request that the endpoint declares. Raises InvalidInput."""
        parts: list[Any] = [
            validate(query or NoQuery, _query_values(request)),
            validate(json, parse_json(request.get_data(), request.mimetype)) if json else None,
            None,
            validate(headers, _header_values(request, headers)) if headers else None,
            None,
        ]
        request.context = Context(*parts)  # type: ignore[attr-defined]

    def validate_response(
        self, resp: Any, resp_model: Any, skip_validation: bool, force_resp_serialize: bool
    ) -> tuple[Any, None]:
        """Answers are made from the declared models, so they are not validated twice."""
        return resp, None

    def parse_path(
        self, route: Any, path_parameter_descriptions: Mapping[str, str] | None
    ) -> tuple[str, list[dict[str, Any]]]:
        """Paths as spectree makes them, but whole numbers are ids here: 1 to 64 bits."""
        path, parameters = super().parse_path(route, path_parameter_descriptions)
        for parameter in parameters:
            if parameter["schema"].get("format") == "int32":
                parameter["schema"] |= {"format": "int64", "maximum": MAX_UNITS, "minimum": 1}
        return path, parameters


def _query_values(request: Request) -> dict[str, str]:
    for name, text in request.args.items():
        check_text(name + text, name)
    return dict(request.args.items())


def _header_values(request: Request, model: type[BaseModel]) -> dict[str, str]:
    names = [field.alias or name for name, field in model.model_fields.items()]
    return {name: request.headers[name] for name in names if name in request.headers}


def request_part(name: str) -> Any:
    """A validated part of this request: `query`, `json` or `headers`."""
    return getattr(request.context, name)  # type: ignore[attr-defined]


def _scheme(scheme_name: str, /, **fields: str) -> SecurityScheme:
    return SecurityScheme(name=scheme_name, data=SecuritySchemeData.model_validate(fields))


spec = SpecTree(
    backend=StrictFlaskPlugin,
    mode="strict",
    annotations=False,
    validation_error_model=ErrorAnswer,
    naming_strategy=lambda model: model.__name__,
    nested_naming_strategy=lambda _parent, child: child,
    title="OTC Portal API",
    version="1",
    description=(
        "Amounts and prices are decimal strings with the asset in a field beside them; times are "
        "ISO 8601 in UTC. Every error has the shape of ErrorAnswer."
    ),
    security_schemes=[
        _scheme("bearer", type="http", scheme="bearer"),
        _scheme("session", **{"type": "apiKey", "name": COOKIE, "in": "cookie"}),
        _scheme("csrf", **{"type": "apiKey", "name": CSRF_HEADER, "in": "header"}),
        _scheme("key", **{"type": "apiKey", "name": KEY_HEADER, "in": "header"}),
        _scheme("time", **{"type": "apiKey", "name": TIME_HEADER, "in": "header"}),
        _scheme("signature", **{"type": "apiKey", "name": SIGNATURE_HEADER, "in": "header"}),
    ],
)
