"""What moved between locks."""

from __future__ import annotations

from setlist.lock.diff import differing, moves_between, rows


def test_added_changed_and_removed() -> None:
    moves = moves_between("lint", "a==1\nb==1\nc==1\n", "a==1\nb==2\nd==1\n")
    assert [(move.package, str(move)) for move in moves] == [("b", "1 → 2"), ("c", "- 1"), ("d", "+ 1")]
    assert moves_between("lint", None, "a==1\n")[0].old is None


def test_equal_moves_of_several_sessions_are_one_row() -> None:
    moves = [
        *moves_between("x", "a==1\n", "a==2\n"),
        *moves_between("y", "a==1\n", "a==2\n"),
        *moves_between("z", "a==0\n", "a==2\n"),
    ]
    assert rows(moves) == [("a", "0 → 2", ("z",)), ("a", "1 → 2", ("x", "y"))]


def test_what_differs_across_sessions() -> None:
    assert differing({"x": "a==1\nb==1\n", "y": "a==2\nb==1\n", "z": "a==1\n"}) == {"a": {"1": ("x", "z"), "2": ("y",)}}
