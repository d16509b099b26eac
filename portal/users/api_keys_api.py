"""HTTP: a trader's API keys."""

from typing import Annotated, Literal

from flask import Blueprint
from pydantic import Field

from portal.api.context import caller, services
from portal.api.operation import operation
from portal.api.shapes import Answer, Body, Code, Time
from portal.users import api_keys
from portal.users.api_keys import KeyWish
from portal.users.models import ApiKey

blueprint = Blueprint("api_keys_api", __name__)

Algorithm = Literal["hmac-sha256", "ed25519"]
Scope = Literal["read", "trade"]


class ApiKeyBody(Body):
    """A new key. `public_key`: the 32 bytes of an Ed25519 key in base64, for that kind only."""

    label: Annotated[str, Field(min_length=1, max_length=60)]
    algorithm: Algorithm = "hmac-sha256"
    public_key: Annotated[str, Field(max_length=100)] | None = None
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=2)]
    networks: Annotated[
        list[Annotated[str, Field(max_length=50, examples=["203.0.113.0/24"])]],
        Field(max_length=20),
    ] = Field(default_factory=list)
    max_open_orders: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    code: Code


class ApiKeyAnswer(Answer):
    """One of my API keys, without its secret."""

    id: str
    label: str
    algorithm: Algorithm
    scopes: list[Scope]
    networks: list[str]
    max_open_orders: int | None
    created_at: Time


class NewApiKeyAnswer(ApiKeyAnswer):
    """A key just made; the secret of an HMAC key is shown this once."""

    secret: str | None


class ApiKeysAnswer(Answer):
    """My API keys that were not revoked."""

    keys: list[ApiKeyAnswer]


@operation(blueprint, "GET", "/me/api-keys", answer=ApiKeysAnswer, machines=False)
def list_api_keys() -> dict[str, list[ApiKeyAnswer]]:
    """My API keys."""
    with services().database.reader() as session:
        found = api_keys.live_keys(session, caller().id)
    return {"keys": [_answer(key) for key in found]}


@operation(
    blueprint,
    "POST",
    "/me/api-keys",
    answer=NewApiKeyAnswer,
    status=201,
    body=ApiKeyBody,
    fails=(409,),
)
def create_api_key(body: ApiKeyBody) -> NewApiKeyAnswer:
    """Make an API key; needs a fresh code of my authenticator."""
    home = services()
    wish = KeyWish(
        label=body.label,
        algorithm=body.algorithm,
        scopes=tuple(body.scopes),
        networks=tuple(body.networks),
        max_open_orders=body.max_open_orders,
        public_key=body.public_key,
    )
    made = api_keys.create_key(home.database, home.sealer, caller().id, wish, body.code)
    return NewApiKeyAnswer(**_answer(made.key).model_dump(), secret=made.secret)


@operation(blueprint, "DELETE", "/me/api-keys/<string:key_id>", answer=None, status=204)
def revoke_api_key(key_id: str) -> None:
    """Revoke an API key; from now on nothing signed with it is accepted."""
    api_keys.revoke_key(services().database, caller().id, key_id)


def _answer(key: ApiKey) -> ApiKeyAnswer:
    return ApiKeyAnswer.model_validate(key)
