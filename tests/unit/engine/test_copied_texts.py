"""Rows on their way into PostgreSQL: every text arrives as it was."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.engine.copying.keys import key_copy

TEXTS = st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


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
    assert _lines(["x"]) == b"main\t1\tx\t0\n"


def test_what_all_rows_share_stands_first() -> None:
    statement, lines = key_copy("a\tb", 1, [("x", 2)])
    assert statement == 'COPY "command_key" (shard, day, key, seq) FROM STDIN'
    assert lines == b"a\\tb\t1\tx\t2\n"


def _lines(texts: list[str]) -> bytes:
    return key_copy("main", 1, [(text, number) for number, text in enumerate(texts)])[1]


def _read(lines: bytes) -> list[str]:
    """PostgreSQL's text format read back by its documentation: escapes by backslash."""
    undo = {"\\\\": "\\", "\\t": "\t", "\\n": "\n", "\\r": "\r"}
    texts = []
    for line in lines.decode().removesuffix("\n").split("\n"):
        raw, text, at = line.split("\t")[2], "", 0
        while at < len(raw):
            pair = raw[at : at + 2]
            text += undo.get(pair, raw[at])
            at += 2 if pair in undo else 1
        texts.append(text)
    return texts
