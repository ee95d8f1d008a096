"""How a command line is read."""

from __future__ import annotations

import pytest

from setlist.cli import run
from setlist.cli.options import Option, option_lines, parse
from setlist.core.errors import UsageError

OPTIONS = (
    Option("keyword", "only some", "k", "EXPR"),
    Option("list", "show", "l"),
    Option("verbose", "more", "v"),
    Option("failed", "failed ones"),
)


def test_options_and_words_mix() -> None:
    arguments = parse(["lint", "-v", "--keyword", "a or b", "test", "-v"], OPTIONS, command="run")
    assert arguments.words == ("lint", "test")
    assert arguments.count("verbose") == 2
    assert arguments.value("keyword") == "a or b"
    assert arguments.rest is None
    assert not arguments.flag("list")


def test_everything_after_the_first_double_dash_is_left_alone() -> None:
    arguments = parse(["lint", "--", "-x", "--", "--keyword"], OPTIONS, command="run")
    assert arguments.words == ("lint",)
    assert arguments.rest == ("-x", "--", "--keyword")
    assert parse(["--"], OPTIONS, command="run").rest == ()


@pytest.mark.parametrize("argv", [["-k", "x"], ["-kx"], ["-k=x"], ["--keyword=x"], ["--keyword", "x"], ["-vlkx"]])
def test_a_value_may_be_attached(argv: list[str]) -> None:
    assert parse(argv, OPTIONS, command="run").value("keyword") == "x"


def test_the_last_value_counts_and_all_are_kept() -> None:
    arguments = parse(["-ka", "-kb"], OPTIONS, command="run")
    assert arguments.value("keyword") == "b"
    assert arguments.values("keyword") == ("a", "b")
    assert parse([], OPTIONS, command="run").values("keyword") == ()
    assert parse([], OPTIONS, command="run").value("keyword") is None


def test_short_flags_cluster() -> None:
    arguments = parse(["-lvv"], OPTIONS, command="run")
    assert arguments.flag("list")
    assert arguments.count("verbose") == 2


def test_a_lone_dash_is_a_word() -> None:
    assert parse(["-"], OPTIONS, command="run").words == ("-",)
    assert parse(["-k", "-"], OPTIONS, command="run").value("keyword") == "-"


def test_an_empty_value_is_a_value() -> None:
    assert parse(["--keyword="], OPTIONS, command="run").value("keyword") == ""


@pytest.mark.parametrize(
    ("argv", "message", "hint"),
    [
        (["--keywrod", "x"], "unknown option '--keywrod'", "did you mean '--keyword'? 'run --help' lists the options"),
        (["--keywrod=x"], "unknown option '--keywrod'", "did you mean '--keyword'? 'run --help' lists the options"),
        (["-j", "4"], "unknown option '-j'", "'run --help' lists the options"),
        (["-j4"], "unknown option '-j4'", "'run --help' lists the options"),
        (["-vz"], "unknown option '-vz'", "'run --help' lists the options"),
        (["--list=x"], "option '--list' takes no value", "'run --help' lists the options"),
        (["-k"], "option '-k' needs a value: -k EXPR", None),
        (["-k", "--list"], "option '-k' needs a value: -k EXPR", None),
        (["--keyword", "--"], "option '--keyword' needs a value: --keyword EXPR", None),
    ],
)
def test_a_slip_is_told_with_what_is_right(argv: list[str], message: str, hint: str | None) -> None:
    with pytest.raises(UsageError) as caught:
        parse(argv, OPTIONS, command="run")
    assert caught.value.message == message
    assert caught.value.hint == hint


def test_a_command_line_can_hold_another() -> None:
    arguments = parse(["lint", "ruff", "-x", "--", "y"], OPTIONS, command="setlist exec", words_before_rest=1)
    assert arguments.words == ("lint",)
    assert arguments.rest == ("ruff", "-x", "--", "y")
    arguments = parse(["-v", "lint", "--", "ruff"], OPTIONS, command="setlist exec", words_before_rest=1)
    assert arguments.rest == ("ruff",)


def test_the_help_lines_up() -> None:
    assert option_lines(OPTIONS[:2]) == ["  -k, --keyword EXPR  only some", "  -l, --list          show"]


def hint_for(*argv: str) -> str:
    with pytest.raises(UsageError) as caught:
        parse(argv, run.OPTIONS, command="run")
    return caught.value.hint or ""


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("--recrate", "--recreate"),
        ("--recraete", "--recreate"),
        ("--reprot", "--report"),
        ("--upgade", "--upgrade"),
        ("--tga", "--tag"),
        ("--rec", "--recreate"),
        ("--dry", "--dry-run"),
        ("--outptu", "--output"),
        ("--re", None),
        ("--parallell", None),
        ("--update", None),
        ("--unlocked", "--locked"),
        ("--xyz", None),
        ("--lost", "--list"),
    ],
)
def test_only_a_slip_is_taken_for_another_option(typed: str, meant: str | None) -> None:
    hint = hint_for(typed)
    assert (f"did you mean '{meant}'?" in hint) if meant else ("did you mean" not in hint)
