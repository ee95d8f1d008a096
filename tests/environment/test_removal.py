"""What lay in an environment's place is renamed at once, and deleted whenever there is time for it."""

from __future__ import annotations

import os
from pathlib import Path

from setlist.core.files import delete_renamed, rename_aside


def test_what_is_put_away_leaves_its_place_and_can_be_removed(tmp_path: Path) -> None:
    (tmp_path / "env" / "deep").mkdir(parents=True)
    doomed = rename_aside(tmp_path / "env")
    assert doomed is not None
    assert os.listdir(tmp_path) == [doomed.name]
    assert doomed.name.startswith(".")  # which 'setlist clean' takes for what a killed run has left
    delete_renamed(doomed)
    assert os.listdir(tmp_path) == []


def test_nothing_is_nothing_to_put_away(tmp_path: Path) -> None:
    assert rename_aside(tmp_path / "env") is None


def test_a_place_is_put_away_twice_without_the_first_being_removed(tmp_path: Path) -> None:
    for _ in range(2):
        (tmp_path / "env").mkdir()
        (tmp_path / "env" / "file").touch()
        assert rename_aside(tmp_path / "env") is not None
    assert len(os.listdir(tmp_path)) == 2


def test_what_somebody_else_has_removed_is_removed(tmp_path: Path) -> None:
    delete_renamed(tmp_path / ".env.1.removed")
