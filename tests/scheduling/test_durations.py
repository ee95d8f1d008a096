"""The committed file of durations."""

from __future__ import annotations

from pathlib import Path

import pytest

from setlist.core.errors import ConfigurationError, StorageError
from setlist.core.project import Project
from setlist.scheduling.durations import durations_file, median, read_durations, write_durations


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_what_is_written_is_read(project: Project) -> None:
    assert read_durations(project) is None
    assert write_durations(project, {"b": 3.14159, "a": 127.4, "c": 0.01}) == ("a", "b", "c")
    assert read_durations(project) == {"a": 127.0, "b": 3.1, "c": 0.1}


def test_the_file_is_sorted_and_rounded(project: Project) -> None:
    write_durations(project, {"b": 3.14159, "a": 127.4})
    assert durations_file(project).read_text() == (
        '{\n  "format": 1,\n  "seconds": {\n    "a": 127,\n    "b": 3.1\n  }\n}\n'
    )


def test_only_what_moved_by_more_than_a_fifth_is_written_anew(project: Project) -> None:
    write_durations(project, {"a": 100.0, "b": 100.0, "c": 100.0})
    before = durations_file(project).stat().st_mtime_ns
    assert write_durations(project, {"a": 119.0, "b": 81.0}) == ()
    assert durations_file(project).stat().st_mtime_ns == before
    assert write_durations(project, {"a": 119.0, "b": 70.0}) == ("b",)
    assert read_durations(project) == {"a": 100.0, "b": 70.0, "c": 100.0}


def test_sessions_that_are_gone_leave_the_file(project: Project) -> None:
    write_durations(project, {"a": 1.0, "b": 1.0})
    assert write_durations(project, {}, sessions=["a"]) == ("b",)
    assert read_durations(project) == {"a": 1.0}


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"format": 2, "seconds": {}}',
        '{"format": 1, "seconds": [1]}',
        '{"format": 1, "seconds": {"a": "1"}}',
        '{"format": 1, "seconds": {"a": true}}',
        '{"format": 1, "seconds": {"a": -1}}',
        '{"format": 1, "seconds": {"a": NaN}}',
        "<<<<<<< HEAD",
    ],
)
def test_a_damaged_file_is_told_and_can_be_written_anew(project: Project, text: str) -> None:
    durations_file(project).parent.mkdir()
    durations_file(project).write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        read_durations(project)
    assert caught.value.file == "sessions/durations.json"
    assert "setlist history --save" in (caught.value.hint or "")
    write_durations(project, {"a": 1.0})
    assert read_durations(project) == {"a": 1.0}


def test_where_it_cant_be_written_that_is_told(project: Project) -> None:
    (project.root / "sessions").write_text("")
    with pytest.raises(StorageError, match=r"sessions/durations\.json"):
        write_durations(project, {"a": 1.0})


def test_the_median() -> None:
    assert median([3.0]) == 3.0
    assert median([3.0, 1.0]) == 2.0
    assert median([9.0, 1.0, 2.0]) == 2.0
