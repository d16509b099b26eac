"""The chain's state file: copied while good, replaced by the copy when damaged."""

from pathlib import Path

from portal.run.chain import prepare_state


def test_a_good_state_is_copied(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text('{"block": 1}')
    assert prepare_state(tmp_path) is None
    assert (tmp_path / "state.previous.json").read_text() == '{"block": 1}'


def test_a_damaged_state_is_replaced_by_the_copy(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text('{"block')
    (tmp_path / "state.previous.json").write_text('{"block": 1}')
    assert "went on from the copy" in str(prepare_state(tmp_path))
    assert (tmp_path / "state.json").read_text() == '{"block": 1}'
    assert (tmp_path / "state.damaged.json").read_text() == '{"block'


def test_without_a_copy_the_chain_starts_empty(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text("")
    assert "starts empty" in str(prepare_state(tmp_path))
    assert not (tmp_path / "state.json").exists()
