"""Rows on their way into PostgreSQL: every text arrives as it was."""

from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.engine.columns import Columns
from portal.trades.models import DisputeStatement

TEXTS = st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
NAMES = ("id", "trade_id", "user_id", "text")


class Row(NamedTuple):
    id: int
    trade_id: int
    user_id: int
    text: str


@pytest.mark.parametrize(
    "texts",
    [
        ["plain"],
        ["the same", "the same"],
        ["a\tb", "c\nd", "e\rf", "g\\h", "\\N", "", '"', "{}", "NULL", "None"],
        ["\\"],
        ["ünïcödé ✓", "😀"],
    ],
)
def test_lines_are_what_copy_reads(texts: list[str]) -> None:
    assert _read(_lines(texts)) == texts


@given(texts=st.lists(TEXTS, min_size=1, max_size=20))
@settings(max_examples=200, deadline=None)
def test_any_text_survives(texts: list[str]) -> None:
    assert _read(_lines(texts)) == texts


def test_one_row_of_one_value_is_one_line() -> None:
    assert _lines(["x"]) == b"0\t1\t2\tx\n"


def test_fixed_columns_stand_first() -> None:
    columns = Columns(DisputeStatement, NAMES)
    assert columns.copy("shard").startswith('COPY "dispute_statement" (shard, id, trade_id')
    assert columns.lines([Row(0, 1, 2, "x")], "a\tb").startswith(b"a\\tb\t0\t1")


def _lines(texts: list[str]) -> bytes:
    return Columns(DisputeStatement, NAMES).lines([Row(0, 1, 2, text) for text in texts])


def _read(lines: bytes) -> list[str]:
    """PostgreSQL's text format read back by its documentation: escapes by backslash."""
    undo = {"\\\\": "\\", "\\t": "\t", "\\n": "\n", "\\r": "\r"}
    texts = []
    for line in lines.decode().removesuffix("\n").split("\n"):
        raw, text, at = line.split("\t")[3], "", 0
        while at < len(raw):
            pair = raw[at : at + 2]
            text += undo.get(pair, raw[at])
            at += 2 if pair in undo else 1
        texts.append(text)
    return texts
