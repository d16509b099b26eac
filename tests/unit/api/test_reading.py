"""Strict reading of JSON bodies."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from portal.api.reading import parse_json, validate
from portal.api.shapes import Amount, Body
from portal.core.errors import InvalidInput


class Example(Body):
    amount: Amount
    code: str = "x"
    count: int = Field(default=1, ge=0)


def read_json(data: bytes) -> object:
    return parse_json(data, "application/json")


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(_JSON)
def test_any_json_is_read_or_refused(value: object) -> None:
    data = orjson.dumps(value)
    if b"\\u0000" in data:
        with pytest.raises(InvalidInput, match="NUL"):
            read_json(data)
    else:
        assert read_json(data) == value


@given(st.binary(max_size=200))
def test_bytes_never_break_it(data: bytes) -> None:
    with pytest.raises(InvalidInput) as refusal:
        validate(Example, read_json(data))
    assert refusal.value.field


def test_depth_is_limited_without_recursion() -> None:
    with pytest.raises(InvalidInput, match="nested"):
        read_json(b"[" * 500 + b"]" * 500)


def test_nul_is_named_by_its_place() -> None:
    with pytest.raises(InvalidInput) as refusal:
        read_json(b'{"a": [{"b": "x\\u0000"}]}')
    assert refusal.value.field == "a.0.b"


def test_secrets_are_not_repeated() -> None:
    with pytest.raises(InvalidInput) as refusal:
        validate(Example, {"amount": "1", "code": 123456})
    assert (refusal.value.field, refusal.value.value) == ("code", None)


def test_an_unknown_field_is_named_with_the_known_ones() -> None:
    with pytest.raises(InvalidInput) as refusal:
        validate(Example, {"amount": "1", "amonut": "2"})
    assert refusal.value.field == "amonut"
    assert "amount" in (refusal.value.hint or "")
