"""A checkout that can't be written: what it holds can be run."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from support.holding import HOLD, release, release_once_told
from support.project import ProjectFolder, Result, installed
from support.strays import until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="there is no way to make a directory read-only"),
]


class ReadOnly:
    """Runs commands in a project that they can't write to. Permissions don't bind root: it gets a read-only mount."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._mounted = os.geteuid() == 0

    def words(self, *argv: str) -> list[str]:
        command = shlex.join([*installed(argv[0]), *argv[1:]])
        if self._mounted:
            place = shlex.quote(str(self._root))
            command = f"mount --bind {place} {place} && mount -o remount,ro,bind {place} && cd {place} && {command}"
        return ["unshare", "-m", "sh", "-c", command] if self._mounted else ["sh", "-c", command]

    def __call__(self, *argv: str, env: Mapping[str, str] | None = None) -> Result:
        words = self.words(*argv)
        environ = {**os.environ, **(env or {})}
        done = subprocess.run(
            words, cwd=self._root, env=environ, capture_output=True, text=True, check=False, timeout=110
        )
        return Result(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def read_only(project: ProjectFolder, wheelhouse: Path) -> Iterator[ReadOnly]:
    """A project in which ``lint`` was run, and ``other`` wasn't; read-only now."""
    project.sessions(
        """
        [tool.setlist.session.lint]
        deps = ["alpha"]
        run = ["python -c 'import alpha'"]
        [tool.setlist.session.other]
        deps = ["beta"]
        run = ["python -c 'import beta'"]
        [tool.setlist.session.waiting]
        run = ["python hold.py {posargs}"]
        """
    )
    project.write("hold.py", HOLD)
    project.write(
        "sessions/typed.py",
        """
        import setlist

        @setlist.session
        def typed(s):
            s.run("python", "-c", f"import pathlib; pathlib.Path({str(s.cache_dir / 'x')!r}).touch()")
            s.run("python", "-c", "print('typed', 'went well')")
        """,
    )
    project.run("lint", check=True)
    if os.geteuid() == 0:
        if subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode != 0:
            pytest.skip("root may write everywhere, and isn't allowed to mount here")
        yield ReadOnly(project.path)
        return
    directories = [project.path, *(path for path in project.path.rglob("*") if path.is_dir() and not path.is_symlink())]
    for directory in directories:
        directory.chmod(0o555)
    yield ReadOnly(project.path)
    for directory in directories:
        directory.chmod(0o755)


@pytest.mark.parametrize(
    "words",
    [
        ("run", "lint"),
        ("run", "--output", "group", "lint"),
        ("run", "-j2", "lint"),
        ("run", "--list"),
        ("setlist", "why", "lint"),
        ("setlist", "freeze", "lint"),
        ("setlist", "exec", "lint", "--", "python", "-c", "import alpha"),
    ],
)
def test_what_is_there_can_be_used(read_only: ReadOnly, words: tuple[str, ...]) -> None:
    result = read_only(*words)
    assert (result.code, "error" in result.err) == (0, False), str(result)


@pytest.mark.parametrize(
    ("words", "code"),
    [(("run", "other"), 1), (("run", "-r", "lint"), 1), (("setlist", "lock"), 2), (("setlist", "clean", "--all"), 2)],
)
def test_what_has_to_be_written_is_refused_with_the_reason(
    read_only: ReadOnly, words: tuple[str, ...], code: int
) -> None:
    result = read_only(*words)
    assert result.code == code
    assert "something has to be made or changed in" in result.err
    assert "hint: a read-only checkout can use the environments that it holds" in result.err
    assert read_only("run", "lint").code == 0


@pytest.mark.parametrize("has_state", [True, False])
def test_environments_are_made_where_the_variable_says(
    read_only: ReadOnly, project: ProjectFolder, tmp_path: Path, has_state: bool
) -> None:
    place = tmp_path / "elsewhere"
    elsewhere = {"SETLIST_ENV_DIR": str(place)}
    if not has_state:
        project.setlist("clean", "--all", check=True)
    before = sorted(project.path.rglob("*"))

    first = read_only("run", "--output", "group", "other", "typed", env=elsewhere)
    assert first.code == 0, str(first)
    assert "typed went well" in first.out
    again = read_only("run", "other", env=elsewhere)
    assert (again.code, "reused" in again.err) == (0, True), str(again)
    for words in (("why", "other"), ("history",), ("last", "typed"), ("list",), ("doctor",), ("clean",)):
        result = read_only("setlist", *words, env=elsewhere)
        assert result.code == 0, str(result)
    assert "typed" in read_only("setlist", "history", env=elsewhere).out

    assert sorted(project.path.rglob("*")) == before
    assert read_only("setlist", "clean", "--all", env=elsewhere).code == 0
    assert not place.exists() or not os.listdir(place)


def test_who_can_write_to_the_checkout_and_who_cannot_wait_for_each_other(
    read_only: ReadOnly, project: ProjectFolder, tmp_path: Path
) -> None:
    elsewhere = {"SETLIST_ENV_DIR": str(tmp_path / "elsewhere")}
    environ = {**os.environ, **elsewhere}
    begun, other, waiting = tmp_path / "begun", tmp_path / "other", "waiting for another run that uses"
    release(other)  # the second one is not to wait for anything but the first
    words = [*installed("run"), "waiting", "--", str(begun)]
    with subprocess.Popen(words, cwd=project.path, env=environ) as running:
        until(begun.exists)
        again = read_only.words("run", "-r", "waiting", "--", str(other))
        result = release_once_told(again, waiting, begun, cwd=project.path, env=environ)
    assert running.returncode == 0
    assert (result.code, waiting in result.err) == (0, True), str(result)
