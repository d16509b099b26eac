"""`@operation`: declares an endpoint once — route, who may call, shapes in and out, failures."""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any, Literal

import flask
from flask import Blueprint
from pydantic import BaseModel
from spectree import Response as Answers

from portal.api.auth import identify
from portal.api.idempotency import answer_once
from portal.api.limits import count_request
from portal.api.reading import check_text
from portal.api.shapes import ErrorAnswer, IdempotencyHeaders
from portal.api.spec import request_part, spec
from portal.core.errors import NotFound
from portal.core.units import MAX_UNITS

Access = Literal["open", "trader", "door"]
Scope = Literal["read", "trade"]
# Bounded in `_guarded`: an address whose number alone is wrong is a 404 for every method, while
# routing would call it a 405 where another method has the same address.
ID = "int"

Security = list[dict[str, list[str]]]
_READ_SECURITY: Security = [{"bearer": []}, {"session": []}]
_WRITE_SECURITY: Security = [{"bearer": []}, {"session": [], "csrf": []}]
_SIGNED: Security = [{"key": [], "time": [], "signature": []}]


def operation(
    blueprint: Blueprint,
    method: Literal["GET", "POST", "PATCH", "DELETE"],
    rule: str,
    *,
    answer: type[BaseModel] | None,
    status: int = 200,
    access: Access = "trader",
    body: type[BaseModel] | None = None,
    query: type[BaseModel] | None = None,
    fails: tuple[int, ...] = (),
    once: bool = False,
    machines: Scope | Literal[False] | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make the decorated function the endpoint `method rule`.

    The function gets the path's variables, and `body` and `query` as validated models if they
    are declared; it returns what `answer` can be made of, or that with headers. `access`:
    `trader` needs a session; `open` does not; `door` does not and is limited strictly by
    address. With `once` the request needs an Idempotency-Key. `fails` are statuses beyond those
    that follow from the rest. `machines` is the scope that an API key needs for it; unsaid, keys
    that may read may call every GET and no write.
    """
    scope = _scope(method, access, machines)

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        def with_parts(**path: Any) -> Any:
            if body is not None:
                path["body"] = request_part("json")
            if query is not None:
                path["query"] = request_part("query")
            return _as_response(function(**path), answer, status)

        with_parts.__doc__, with_parts.__name__ = function.__doc__, function.__name__
        security = _security(access, method, scope)
        checked = spec.validate(
            query=query,
            json=body,
            headers=IdempotencyHeaders if once else None,
            resp=_answers(answer, status, _failures(method, rule, access, once, fails)),
            tags=(blueprint.name.removesuffix("_api"),),
            security=security,
            operation_id=function.__name__,
        )(_once(with_parts) if once else with_parts)
        view = _guarded(checked, access, scope)
        blueprint.add_url_rule(rule, function.__name__, view, methods=[method])
        return function

    return decorate


def _scope(method: str, access: Access, machines: Scope | Literal[False] | None) -> Scope | None:
    if access != "trader" or machines is False:
        return None
    return machines or ("read" if method == "GET" else None)


def _guarded(
    checked: Callable[..., Any], access: Access, scope: Scope | None
) -> Callable[..., Any]:
    @wraps(checked)
    def view(**path: Any) -> Any:
        try:
            identify(required=access == "trader", scope=scope)
        finally:
            count_request(strict=access == "door")
        for name, value in path.items():
            if isinstance(value, str):
                check_text(value, name)
            elif not 1 <= value <= MAX_UNITS:
                raise NotFound("There is nothing with this number.", field=name, value=value)
        return checked(**path)

    return view


def _once(work: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(work)
    def view(**path: Any) -> Any:
        return answer_once(lambda: work(**path))

    return view


def _as_response(result: Any, answer: type[BaseModel] | None, status: int) -> flask.Response:
    if isinstance(result, flask.Response):
        return result
    headers: dict[str, str | list[str]] = {}
    if isinstance(result, tuple):
        result, headers = result
    if answer is None:
        response = flask.Response(status=status, headers=headers)
        del response.headers["Content-Type"]
        return response
    text = answer.model_validate(result).model_dump_json()
    return flask.Response(text, status, headers, mimetype="application/json")


def _security(access: Access, method: str, scope: Scope | None) -> Security | None:
    if access != "trader":
        return None
    people = _READ_SECURITY if method == "GET" else _WRITE_SECURITY
    return [*people, *_SIGNED] if scope else people


def _failures(
    method: str, rule: str, access: Access, once: bool, fails: tuple[int, ...]
) -> list[int]:
    found = {401, 422, 429, 503, *fails}
    if method != "GET":
        found |= {403, 413}
    if "<" in rule:
        found.add(404)
    if once:
        found.add(409)
    return sorted(found)


def _answers(answer: type[BaseModel] | None, status: int, failures: list[int]) -> Answers:
    models: dict[str, Any] = {f"HTTP_{code}": ErrorAnswer for code in failures}
    models[f"HTTP_{status}"] = answer
    known = Answers(**models)
    for code in failures:
        known.code_descriptions[f"HTTP_{code}"] = HTTPStatus(code).phrase
    return known
