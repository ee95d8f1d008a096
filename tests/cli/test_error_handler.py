"""Whatever happens inside, one message and an exit code come out."""

from __future__ import annotations

import errno
import io
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from setlist import STATE_DIRECTORY
from setlist.cli.context import Context
from setlist.cli.error_handler import run_cli
from setlist.core.errors import ConfigurationError, ResolutionFailed, SetlistError
from setlist.core.project import Caller, Project
from setlist.process.spawn import Interrupted
from setlist.reports.terminal import Terminal


def make_context(cwd: Path, *, color: bool = False) -> tuple[Context, io.StringIO]:
    err = io.StringIO()
    return Context(Terminal(io.StringIO()), Terminal(err, color=color), Caller({}, cwd, False)), err


def outcome(raised: BaseException, cwd: Path, *, color: bool = False) -> tuple[int, str]:
    def command(_argv: Sequence[str], _context: Context) -> int:
        raise raised

    context, err = make_context(cwd, color=color)
    code = run_cli(command, ["lint"], context)
    return code, err.getvalue()


def test_an_error_is_laid_out_by_its_parts(tmp_path: Path) -> None:
    error = ConfigurationError("bad", file="pyproject.toml", line=3, key="deps", hint="write a list", detail="a\n\nb\n")
    assert outcome(error, tmp_path) == (
        2,
        "error: pyproject.toml:3: deps: bad\n    a\n\n    b\nhint: write a list\n",
    )


def test_an_error_has_its_own_exit_code(tmp_path: Path) -> None:
    assert outcome(ResolutionFailed("no"), tmp_path) == (1, "error: no\n")


def test_colour_marks_what_matters(tmp_path: Path) -> None:
    _, text = outcome(SetlistError("no", where="here", hint="do"), tmp_path, color=True)
    assert text == "\x1b[31m\x1b[1merror:\x1b[0m \x1b[1mhere\x1b[0m: no\n\x1b[36mhint:\x1b[0m do\n"


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (KeyboardInterrupt(), 130),
        (Interrupted(signal.SIGINT), 130),
        (Interrupted(signal.SIGTERM), 143),
    ],
)
def test_an_end_from_outside_has_no_traceback(raised: BaseException, code: int, tmp_path: Path) -> None:
    found, text = outcome(raised, tmp_path)
    assert found == code
    assert text in ("", "interrupted\n")


def test_a_full_disk_is_no_bug_of_ours(tmp_path: Path) -> None:
    code, text = outcome(OSError(errno.ENOSPC, "No space left on device", "/x/y"), tmp_path)
    assert (code, text) == (2, "error: system error: No space left on device (/x/y)\n")


def test_a_bug_is_one_line_and_a_log_in_the_project(tmp_path: Path) -> None:
    def command(_argv: Sequence[str], context: Context) -> int:
        assert context.project
        raise ZeroDivisionError("oh\nno")

    (tmp_path / "pyproject.toml").write_text("[tool.setlist]")
    context, err = make_context(tmp_path)
    assert run_cli(command, ["lint"], context) == 1
    first, second = err.getvalue().splitlines()
    assert first == "error: this is a bug in setlist: ZeroDivisionError: oh"
    log = Path(second.removeprefix("hint: the full traceback is in "))
    assert log.parent == tmp_path / STATE_DIRECTORY / "logs"
    assert "Traceback" in log.read_text()
    assert "['lint']" in log.read_text()


def test_a_bug_before_any_project_is_logged_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    _, text = outcome(ZeroDivisionError(), tmp_path)
    assert list(tmp_path.glob("crash-*.log"))
    assert "ZeroDivisionError" in text


def test_a_bug_where_nothing_can_be_written_is_told_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "file"))
    code, text = outcome(ZeroDivisionError(), tmp_path)
    assert code == 1
    assert "couldn't be written" in text


def test_an_exit_asked_for_by_python_itself_goes_on(tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        outcome(SystemExit(3), tmp_path)


def test_a_directory_that_is_gone_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> Path:
        raise FileNotFoundError

    def command(_argv: Sequence[str], context: Context) -> int:
        return len(str(context.project))

    monkeypatch.setattr(Path, "cwd", gone)
    err = io.StringIO()
    assert run_cli(command, [], Context(Terminal(io.StringIO()), Terminal(err))) == 2
    assert "no longer exists" in err.getvalue()


def test_the_project_is_not_looked_for_after_a_crash(tmp_path: Path) -> None:
    context, _ = make_context(tmp_path)
    assert context.known_project is None
    (tmp_path / "pyproject.toml").write_text("[tool.setlist]")
    assert context.project == Project(tmp_path)
    assert context.known_project == Project(tmp_path)
