"""Control sequences, whole and cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setlist.reports.ansi import LONGEST, Colours, Filter, Keep, ends_line

TEXT = (
    "a\x1b[31mred\x1b[0m\x1b[2Kb\x1b[3Ac\x1b]0;title\x07d\x1b]8;;http://x\x1b\\e\x1b[?25lf\x1b(Bg\x07h\x9b5mi\bj\tk\r\n"
)


@pytest.mark.parametrize(
    ("keep", "passed"),
    [
        ("all", TEXT),
        ("line", "a\x1b[31mred\x1b[0m\x1b[2Kbcdefgh5mi\bj\tk\r\n"),
        ("colour", "a\x1b[31mred\x1b[0mbcdefgh5mij\tk\r\n"),
        ("nothing", "aredbcdefgh5mij\tk\r\n"),
    ],
)
@given(cuts=st.lists(st.integers(0, len(TEXT)), max_size=8))
def test_what_passes_doesnt_depend_on_where_the_pieces_are_cut(keep: Keep, passed: str, cuts: list[int]) -> None:
    filtered = Filter(Colours(), keep=keep)
    edges = [0, *sorted(cuts), len(TEXT)]
    pieces = [filtered.feed(TEXT[begin:end]) for begin, end in pairwise(edges)]
    assert "".join(pieces) + filtered.close() == passed


@pytest.mark.parametrize(
    ("text", "sequence"),
    [
        ("\x1b[31m", "\x1b[31m"),
        ("\x1b[1;31m", "\x1b[1;31m"),
        ("\x1b[31m\x1b[32m", "\x1b[32m"),
        ("\x1b[31mx\x1b[m", ""),
        ("\x1b[31m\x1b[39m", ""),
        ("\x1b[1;2m\x1b[22m", ""),
        ("\x1b[38;5;196m\x1b[1m", "\x1b[38;5;196;1m"),
        ("\x1b[48;2;1;2;3;4m", "\x1b[48;2;1;2;3;4m"),
        ("\x1b[38:2::1:2:3m", "\x1b[38:2::1:2:3m"),
        ("\x1b[4:3m\x1b[4:0m", ""),
        ("\x1b[97m\x1b[104m\x1b[49m", "\x1b[97m"),
        ("\x1b[0;7m", "\x1b[7m"),
        ("\x1b[" + "9" * 5000 + "m", ""),
        ("\x1b[38m", "\x1b[38;m"),
    ],
)
def test_which_colours_are_on(text: str, sequence: str) -> None:
    colours = Colours()
    colours.take(text)
    assert colours.sequence == sequence
    assert bool(colours) is bool(sequence)


def test_a_sequence_without_end_is_not_held_for_ever() -> None:
    filtered = Filter(Colours(), keep="colour")
    shown = filtered.feed("\x1b]0;") + "".join(filtered.feed("x" * 1000) for _ in range(10))
    assert len(shown) >= 10_000 - LONGEST
    cut = Filter(Colours(), keep="colour")
    assert cut.feed("a\x1b[3") + cut.close() == "a"


@pytest.mark.parametrize(
    ("text", "before", "ended"),
    [
        ("a\n", False, True),
        ("a", True, False),
        ("a\n\x1b[0m", False, True),
        ("a\n\x1b[0m\x1b[K", False, True),
        ("\x1b[0m", True, True),
        ("\x1b[0m", False, False),
        ("a\r", True, False),
        ("", True, True),
        ("tram", True, False),
    ],
)
def test_where_a_line_has_ended(text: str, before: bool, ended: bool) -> None:
    assert ends_line(text, before) is ended
