"""The kernel's settings come back as they were, whichever of the two ways they were given in."""

from pathlib import Path

import pytest

from portal.bench import write_back

NAMES = ("dirty_background_bytes", "dirty_background_ratio", "dirty_writeback_centisecs")


def place(folder: Path, *values: int) -> Path:
    for name, value in zip(NAMES, values, strict=True):
        (folder / name).write_text(f"{value}\n")
    return folder


def found(folder: Path) -> list[int]:
    return [int((folder / name).read_text()) for name in NAMES]


def test_it_is_even_meanwhile(tmp_path: Path) -> None:
    with write_back.even(place(tmp_path, 0, 10, 500)):
        assert write_back.settings(tmp_path) == write_back.EVEN


def test_what_was_a_ratio_is_one_again(tmp_path: Path) -> None:
    with write_back.even(place(tmp_path, 0, 10, 500)):
        (tmp_path / "dirty_background_ratio").write_text("0")  # As Linux does by itself.
    assert found(tmp_path)[1:] == [10, 500]


def test_what_was_bytes_is_bytes_again(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), write_back.even(place(tmp_path, 4096, 0, 300)):
        raise KeyboardInterrupt
    assert found(tmp_path) == [4096, 0, 300]


def test_of_two_at_once_the_first_sets_it_back(tmp_path: Path) -> None:
    folder = place(tmp_path, 4096, 0, 300)
    first, second = write_back.even(folder), write_back.even(folder)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    second.__exit__(None, None, None)
    assert found(folder) == [4096, 0, 300]


def test_where_it_is_not_ours_nothing_happens(tmp_path: Path) -> None:
    with write_back.even(tmp_path / "nowhere"):
        assert write_back.settings(tmp_path / "nowhere") == {}
