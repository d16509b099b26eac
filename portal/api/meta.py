"""HTTP: what a client needs to know before anything else. Open to all."""

from typing import Any

import orjson
from flask import Blueprint, Response, current_app
from pydantic import BaseModel

from portal.api import openapi
from portal.api.context import services
from portal.api.limits import count_request
from portal.api.operation import operation
from portal.api.shapes import Answer, Time
from portal.core.clock import utc_now
from portal.core.settings import Settings
from portal.escrow.deployment import find_deployment
from portal.plugin_api import PaymentGateway

blueprint = Blueprint("meta_api", __name__)


class DemoPart(Answer):
    """A part of this portal that runs on demo data."""

    part: str
    text: str


class ChainAnswer(Answer):
    """The chain and contracts in use."""

    chain_id: int
    escrow: str | None
    tokens: dict[str, str]


class ConfigAnswer(Answer):
    """What this portal is."""

    name: str
    environment: str
    demo_parts: list[DemoPart]
    server_time: Time
    stream_url: str
    chain: ChainAnswer | None


class MethodField(Answer):
    """A field of a payment account; `pattern` must match the whole value."""

    name: str
    label: str
    pattern: str
    example: str
    required: bool


class MethodAnswer(Answer):
    """A way to pay."""

    slug: str
    name: str
    currency: str
    window_seconds: int
    fields: list[MethodField]


class MethodsAnswer(Answer):
    """The ways to pay that may be used for new trades."""

    methods: list[MethodAnswer]


@operation(blueprint, "GET", "/config", answer=ConfigAnswer, access="open")
def get_config() -> ConfigAnswer:
    """What this portal is, its time, and the addresses it works with."""
    home = services()
    with home.database.reader() as session:
        deployment = find_deployment(session)
    chain = None
    if deployment is not None:
        chain = ChainAnswer(
            chain_id=deployment.chain_id, escrow=deployment.escrow, tokens=deployment.tokens
        )
    return ConfigAnswer(
        name=home.settings.portal_name,
        environment=home.settings.portal_env,
        demo_parts=demo_parts(home.settings),
        server_time=utc_now(),
        stream_url=home.settings.stream_address,
        chain=chain,
    )


@operation(blueprint, "GET", "/payment-methods", answer=MethodsAnswer, access="open")
def list_payment_methods() -> dict[str, Any]:
    """Ways to pay, each with the form of its payment account."""
    gateways = services().plugins.gateways()
    return {"methods": [method for gateway in gateways for method in _methods(gateway)]}


@blueprint.get("/openapi.json")
def get_openapi() -> Response:
    """The OpenAPI document of this API."""
    count_request(strict=False)
    text = orjson.dumps(openapi.document(current_app))
    return Response(text, mimetype="application/json")


def demo_parts(settings: Settings) -> list[DemoPart]:
    """Which parts of the portal are not what they would be in production, in words."""
    if not settings.is_demo:
        return []
    parts = [DemoPart(part="people", text="The people are invented; their passwords are printed.")]
    if settings.price_replay_url:
        text = "Prices are recorded exchange answers, replayed."
        parts.append(DemoPart(part="prices", text=text))
    if settings.chain_rpc_urls is None:
        text = "The chain is a local one; its coins are worth nothing."
        parts.append(DemoPart(part="chain", text=text))
    text = "Bank statements are made by the demo; no money moves."
    parts.append(DemoPart(part="bank", text=text))
    return parts


def _methods(gateway: PaymentGateway) -> list[BaseModel]:
    settings = services().plugins.get_settings(gateway.slug)
    fields = [
        MethodField(
            name=field.name,
            label=field.label,
            pattern=field.pattern,
            example=field.example,
            required=field.required,
        )
        for field in gateway.account_fields()
    ]
    return [
        MethodAnswer(
            slug=gateway.slug,
            name=gateway.label,
            currency=currency.code,
            window_seconds=gateway.window_seconds(settings),
            fields=fields,
        )
        for currency in gateway.currencies(settings)
    ]
