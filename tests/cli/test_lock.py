"""``setlist lock``: what is written, what moves, what is told, and what is left alone."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from setlist.environment import installers
from setlist.lock.document import pins_of, versions_of
from setlist.process import spawn
from support.index import LocalIndex
from support.project import ProjectFolder
from support.wheels import make_wheel

pytestmark = pytest.mark.slow

THREE = """
[tool.setlist.session.lint]
deps = ["alpha==1.*"]
[tool.setlist.session.test]
deps = ["beta<2", "gamma[slow]"]
[tool.setlist.session.twin]
deps = ["alpha==1.*"]
[tool.setlist.session.bare]
backend = "none"
"""


class Resolvers:
    """How often a resolver was started; :meth:`count` asks and begins again."""

    def __init__(self) -> None:
        self.started: list[list[str]] = []

    def count(self) -> int:
        found = len(self.started)
        self.started.clear()
        return found


@pytest.fixture
def resolvers(monkeypatch: pytest.MonkeyPatch) -> Resolvers:
    counted = Resolvers()
    real = spawn.run_process

    def run_process(argv: Sequence[str], **rest: Any) -> Any:
        if "compile" in argv:
            counted.started.append(list(argv))
        return real(argv, **rest)

    monkeypatch.setattr(installers, "run_process", run_process)
    return counted


@pytest.fixture
def three(project: ProjectFolder, wheelhouse: Path, resolvers: Resolvers) -> ProjectFolder:
    """Three sessions, locked."""
    project.sessions(THREE)
    project.setlist_inside("lock", check=True)
    return project


def files(project: ProjectFolder) -> Mapping[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((project.path / "sessions/locks").iterdir())}


def held(project: ProjectFolder, session: str) -> dict[str, str]:
    return versions_of(project.read(f"sessions/locks/{session}.txt").partition("\n\n")[2])


def rewrite(project: ProjectFolder, session: str, old: str, new: str) -> None:
    """Change a lock by hand."""
    text = project.read(f"sessions/locks/{session}.txt")
    assert old in text
    (project.path / f"sessions/locks/{session}.txt").write_text(text.replace(old, new))


# What is written


def test_one_file_a_session_pinned_and_hashed(three: ProjectFolder, resolvers: Resolvers) -> None:
    assert list(files(three)) == ["lint.txt", "test.txt", "twin.txt"]
    assert held(three, "lint") == {"alpha": "1.1", "beta": "2.0"}
    assert held(three, "test") == {"beta": "1.0", "gamma": "1.0", "delta": "2.0"}
    text = three.read("sessions/locks/test.txt")
    assert text.startswith("# setlist lock, format 1: written by 'setlist lock'")
    assert all(len(pin.hashes) == 1 for pin in pins_of(text.partition("\n\n")[2]))
    assert resolvers.count() == 2, "sessions with equal inputs share one resolution"


def test_the_table_says_what_moved_in_which_sessions(project: ProjectFolder, wheelhouse: Path) -> None:
    project.sessions(THREE)
    result = project.setlist_inside("lock", check=True)
    assert [line.split() for line in result.out.splitlines()] == [
        ["alpha", "+", "1.1", "lint,", "twin"],
        ["beta", "+", "1.0", "test"],
        ["beta", "+", "2.0", "lint,", "twin"],
        ["delta", "+", "2.0", "test"],
        ["gamma", "+", "1.0", "test"],
    ]
    assert result.err == "locks: 3 written\n"


def test_the_second_time_nothing_is_written_and_nobody_asked(three: ProjectFolder, resolvers: Resolvers) -> None:
    before, times = files(three), [path.stat() for path in (three.path / "sessions/locks").iterdir()]
    resolvers.count()
    result = three.setlist_inside("lock", check=True)
    assert (result.out, result.err) == ("", "locks: 3 current\n")
    assert resolvers.count() == 0
    assert files(three) == before
    assert [path.stat() for path in (three.path / "sessions/locks").iterdir()] == times


def test_line_ends_of_a_windows_checkout_are_no_change(three: ProjectFolder, resolvers: Resolvers) -> None:
    for path in (three.path / "sessions/locks").iterdir():
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    before = files(three)
    resolvers.count()
    assert three.setlist_inside("lock", check=True).err == "locks: 3 current\n"
    assert (resolvers.count(), files(three)) == (0, before)
    assert three.run_inside("--locked", "lint").code == 0


def test_only_named_sessions_are_locked(project: ProjectFolder, wheelhouse: Path) -> None:
    project.sessions(THREE)
    project.setlist_inside("lock", "test", check=True)
    assert list(files(project)) == ["test.txt"]


def test_another_directory_can_be_named(project: ProjectFolder, wheelhouse: Path) -> None:
    project.sessions('[tool.setlist]\nlock-dir = "requirements/locked"\n' + THREE)
    project.setlist_inside("lock", "lint", check=True)
    assert (project.path / "requirements/locked/lint.txt").is_file()
    project.run_inside("--locked", "lint", check=True)


def test_a_project_without_sessions_is_told(project: ProjectFolder) -> None:
    project.sessions("[tool.setlist]\n")
    result = project.setlist_inside("lock")
    assert result.code == 2
    assert "there are no sessions to lock" in result.err


# What moves


def test_only_what_the_changed_input_makes_necessary_moves(three: ProjectFolder, resolvers: Resolvers) -> None:
    rewrite(three, "lint", "alpha==1.1", "alpha==1.0")  # as if it had been locked when there was no 1.1
    three.sessions(THREE.replace('"alpha==1.*"', '"alpha<2", "delta<2"', 1))
    resolvers.count()
    before = files(three)
    result = three.setlist_inside("lock", check=True)
    assert result.out.split() == ["delta", "+", "1.1", "lint"]
    assert held(three, "lint") == {"alpha": "1.0", "beta": "2.0", "delta": "1.1"}
    assert resolvers.count() == 1
    assert {name: content for name, content in files(three).items() if name != "lint.txt"} == {
        name: content for name, content in before.items() if name != "lint.txt"
    }


def test_a_session_takes_over_what_its_twin_is_locked_to(three: ProjectFolder, resolvers: Resolvers) -> None:
    # alpha<2 was locked when 1.0 was the newest; another session that asks for the same gets the same
    three.sessions('[tool.setlist.session.lint]\ndeps = ["delta"]\n')
    three.setlist_inside("lock", "--upgrade-package", "delta==1.0", check=True)
    assert held(three, "lint") == {"delta": "1.0"}
    three.sessions('[tool.setlist.session.lint]\ndeps = ["delta"]\n[tool.setlist.session.other]\ndeps = ["delta"]\n')
    three.setlist_inside("lock", check=True)
    assert held(three, "other") == {"delta": "1.0"}


def test_upgrade_lets_everything_move(three: ProjectFolder, resolvers: Resolvers) -> None:
    three.setlist_inside("lock", "--upgrade-package", "alpha==1.0", "--upgrade-package", "delta==1.0", check=True)
    assert (held(three, "lint")["alpha"], held(three, "test")["delta"]) == ("1.0", "1.0")
    result = three.setlist_inside("lock", "--upgrade", check=True)
    assert [line.split() for line in result.out.splitlines()] == [
        ["alpha", "1.0", "→", "1.1", "lint,", "twin"],
        ["delta", "1.0", "→", "2.0", "test"],
    ]


def test_one_package_can_move_alone_and_to_a_version(three: ProjectFolder, resolvers: Resolvers) -> None:
    three.sessions('[tool.setlist.session.a]\ndeps = ["alpha", "delta"]\n[tool.setlist.session.b]\ndeps = ["tool"]\n')
    three.setlist_inside("lock", check=True)
    three.setlist_inside("lock", "--upgrade-package=alpha==1.0", "--upgrade-package", "Delta==1.0", check=True)
    assert held(three, "a") == {"alpha": "1.0", "beta": "2.0", "delta": "1.0"}
    resolvers.count()
    result = three.setlist_inside("lock", "--upgrade-package", "DELTA", check=True)
    assert result.out.split() == ["delta", "1.0", "→", "2.0", "a"]
    assert resolvers.count() == 1, "the lock without it isn't looked into"


def test_a_package_that_no_lock_holds_is_said(three: ProjectFolder, resolvers: Resolvers) -> None:
    before = files(three)
    result = three.setlist_inside("lock", "--upgrade-package", "alpa", "--upgrade-package", "zzz==1", check=True)
    assert "--upgrade-package alpa: no lock of these sessions holds it: did you mean 'alpha'?\n" in result.err
    assert "--upgrade-package zzz: no lock of these sessions holds it\n" in result.err
    assert files(three) == before


@pytest.mark.parametrize("package", ["==1", "alpha>=1", "alpha @ https://h.invalid/x", "a b", ""])
def test_what_is_no_packages_name_is_refused(three: ProjectFolder, package: str) -> None:
    result = three.setlist_inside("lock", f"--upgrade-package={package}")
    assert result.code == 2
    assert "not a package's name" in result.err or "upgrade-package" in result.err


def test_a_version_that_doesnt_fit_is_the_resolvers_to_explain(three: ProjectFolder) -> None:
    before = files(three)
    result = three.setlist_inside("lock", "--upgrade-package", "alpha==2.0")
    assert result.code == 1
    assert "alpha==2.0" in result.err
    assert files(three) == before


# What is only told


def test_check_changes_nothing_and_names_what_is_out_of_date(three: ProjectFolder, resolvers: Resolvers) -> None:
    assert three.setlist_inside("lock", "--check").code == 0
    three.sessions(THREE.replace('"beta<2"', '"beta>1"'))
    resolvers.count()
    before = files(three)
    result = three.setlist_inside("lock", "--check")
    assert result.code == 3
    assert result.out.split() == ["beta", "1.0", "→", "2.0", "test"]
    assert "error: out of date: test\nhint: 'setlist lock test' renews what is out of date\n" in result.err
    assert resolvers.count() == 1
    assert files(three) == before
    assert "lint" not in result.err


@pytest.mark.parametrize("moving", [["--upgrade"], ["--upgrade-package", "alpha"]])
def test_the_command_that_check_names_does_what_was_checked(three: ProjectFolder, moving: list[str]) -> None:
    three.setlist_inside("lock", "--upgrade-package", "alpha==1.0", check=True)
    result = three.setlist_inside("lock", "--check", *moving)
    assert result.code == 3
    (hint,) = re.findall(r"^hint: 'setlist (.*)' renews", result.err, re.MULTILINE)
    three.setlist_inside(*hint.split(), check=True)
    assert three.setlist_inside("lock", "--check", *moving).code == 0


def test_pins_are_looked_at_only_where_some_are_to_move(three: ProjectFolder) -> None:
    def read() -> int:
        return pins_of.cache_info().misses

    pins_of.cache_clear()
    three.setlist_inside("lock", "--check", check=True)
    assert read() == 0
    three.setlist_inside("lock", "--check", "--upgrade-package", "alpha")
    assert read() > 0


def test_check_of_a_missing_lock(three: ProjectFolder) -> None:
    (three.path / "sessions/locks/twin.txt").unlink()
    result = three.setlist_inside("lock", "--check")
    assert (result.code, list(files(three))) == (3, ["lint.txt", "test.txt"])
    assert "out of date: twin" in result.err


def test_json(three: ProjectFolder) -> None:
    three.sessions(THREE.replace('"beta<2"', '"beta==2.0"').replace('deps = ["alpha==1.*"]', 'deps = ["nowhere"]', 1))
    result = three.setlist_inside("lock", "--json")
    assert result.code == 1
    data = result.json
    assert data["format"] == 1
    sessions = {entry.pop("session"): entry for entry in data["sessions"]}
    assert sessions["test"] == {
        "file": "sessions/locks/test.txt",
        "outcome": "written",
        "reasons": ["deps changed"],
        "moves": [{"package": "beta", "old": "1.0", "new": "2.0"}],
        "unhashed": [],
        "error": None,
    }
    assert (sessions["lint"]["outcome"], sessions["lint"]["error"]) == ("failed", "the requirements can't be resolved")
    assert sessions["twin"]["outcome"] == "current"
    assert sessions["bare"]["outcome"] == "none"
    assert three.setlist_inside("lock", "--json", "--check").code == 1


def test_whole_families_are_named_by_the_family_and_long_lists_cut(project: ProjectFolder, wheelhouse: Path) -> None:
    numbers = ", ".join(f'"{n}"' for n in range(12))
    project.sessions(f"""
        [tool.setlist.session.web]
        matrix = {{ n = [{numbers}] }}
        deps = ["beta"]
        {
        "".join(
            f'''
        [tool.setlist.session.one{n}]
        deps = ["beta"]
        '''
            for n in range(12)
        )
    }
    """)
    out = project.setlist_inside("lock", check=True).out
    assert out == "beta  + 2.0  web, one0, one1, one2, one3, one4, one5, one6, and 5 more\n"
    for path in (project.path / "sessions/locks").iterdir():
        path.unlink()
    result = project.setlist_inside("lock", "--check")
    assert result.code == 3
    assert "hint: 'setlist lock' renews what is out of date" in result.err


# What goes wrong


def test_a_session_that_cant_be_resolved_keeps_its_lock_and_the_others_are_written(three: ProjectFolder) -> None:
    before = files(three)
    three.sessions(THREE.replace('"beta<2"', '"clash", "alpha==2.0"').replace('"alpha==1.*"', '"alpha==1.0"'))
    result = three.setlist_inside("lock")
    assert result.code == 1
    assert "error: test: the requirements can't be resolved\n    " in result.err
    assert "clash" in result.err.partition("can't be resolved")[2], "the resolver's own words"
    assert "locks: 2 written, 1 failed" in result.err
    assert files(three)["test.txt"] == before["test.txt"]
    assert held(three, "lint")["alpha"] == held(three, "twin")["alpha"] == "1.0"


def test_more_pythons_than_a_requirement_runs_on_are_told_with_what_to_write(
    project: ProjectFolder, wheelhouse: Path
) -> None:
    project.sessions('[tool.setlist.session.lint]\ndeps = ["newpy==2.0"]\n')
    result = project.setlist_inside("lock")
    assert result.code == 1
    assert 'its lock is for python >=3.10; python = ">=3.12" in the session narrows that' in result.err
    project.sessions('[tool.setlist.session.lint]\ndeps = ["newpy==2.0"]\npython = ">=3.12"\n')
    project.setlist_inside("lock", check=True)
    assert "# python: >=3.12\n" in project.read("sessions/locks/lint.txt")


def test_an_input_that_cant_be_read_is_an_error_before_anything_is_written(three: ProjectFolder) -> None:
    before = files(three)
    three.sessions(
        THREE.replace("alpha==1.*", "alpha==1.0") + '[tool.setlist.session.x]\nrequirements = ["gone.txt"]\n'
    )
    result = three.setlist_inside("lock")
    assert result.code == 2
    assert "gone.txt: no such file" in result.err
    assert files(three) == before


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda text: text.replace("sha256:", "sha256:0", 1), "edited since it was written"),
        (lambda text: text[:-30], "edited since it was written, or cut off"),
        (lambda text: text[: text.index("beta==")], "edited since it was written, or cut off"),
        (lambda text: text[:40], "cut off: its header isn't whole"),
        (lambda text: text.replace("alpha==1.1", "<<<<<<< ours\nalpha==1.1", 1), "an unresolved merge conflict"),
        (lambda text: text.replace("format 1", "format 9", 1), "a lock of format 9"),
        (lambda text: text.replace("session: lint", "session: test"), "the lock of another session"),
        (lambda text: text.encode("utf-16"), "it is UTF-16, not UTF-8"),
        (None, "it is a directory, not a file"),
    ],
)  # fmt: skip
def test_a_damaged_lock_is_told_in_ci_and_written_anew(three: ProjectFolder, damage: Any, said: str) -> None:
    path = three.path / "sessions/locks/lint.txt"
    right = path.read_bytes()
    if damage is None:
        path.unlink()
        path.mkdir()
    else:
        damaged = damage(right.decode())
        path.write_bytes(damaged if isinstance(damaged, bytes) else damaged.encode())
        assert path.read_bytes() != right
    checked = three.setlist_inside("lock", "--check", "--json")
    assert checked.code == 3
    (reason,) = next(entry["reasons"] for entry in checked.json["sessions"] if entry["session"] == "lint")
    assert reason.startswith("sessions/locks/lint.txt:")
    assert said in reason
    for options, environ in ((("--locked",), {}), ((), {"CI": "1"})):
        refused = three.run_inside(*options, "lint", env=environ)
        assert refused.code == 3
        assert "the lock of lint is damaged: sessions/locks/lint.txt" in refused.err
        assert said in refused.err
        assert "'setlist lock lint' renews it" in refused.err
        assert not three.environment("lint").exists()
    warned = three.run_inside("lint", check=True)
    assert f"{said}" in warned.err
    assert warned.err.count("resolved anew for this run") == 1
    assert three.installed("lint") == {"alpha": "1.1", "beta": "2.0"}
    if damage is not None:
        three.setlist_inside("lock", check=True)
        assert path.read_bytes() == right
        assert three.run_inside("--locked", "lint").code == 0


def test_a_directory_in_a_locks_place_fails_that_one_alone(three: ProjectFolder) -> None:
    three.sessions(THREE.replace('"alpha==1.*"', '"alpha==1.0"'))
    (three.path / "sessions/locks/lint.txt").unlink()
    (three.path / "sessions/locks/lint.txt").mkdir()
    result = three.setlist_inside("lock")
    assert result.code == 1
    assert "error: lint: can't write sessions/locks/lint.txt" in result.err
    assert held(three, "twin")["alpha"] == "1.0"
    assert [name for name in os.listdir(three.path / "sessions/locks") if name.startswith(".")] == []


def test_a_file_in_place_of_the_directory_is_told_before_anything_is_resolved(
    project: ProjectFolder, wheelhouse: Path, resolvers: Resolvers
) -> None:
    project.sessions(THREE)
    project.write("sessions/locks", "in the way\n")
    result = project.setlist_inside("lock")
    assert result.code == 2
    assert "can't write sessions/locks: File exists" in result.err
    assert "make their directory writable" in result.err
    assert resolvers.count() == 0
    assert project.read("sessions/locks") == "in the way\n"


def test_a_disk_that_refuses_leaves_the_old_lock(three: ProjectFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    before = files(three)
    three.sessions(THREE.replace('"alpha==1.*"', '"alpha==1.0"'))
    real = os.replace

    def refuse(source: Any, target: Any) -> None:
        if Path(target).suffix == ".txt" and Path(target).parent.name == "locks":
            raise OSError(28, "No space left on device")
        real(source, target)

    monkeypatch.setattr(os, "replace", refuse)
    result = three.setlist_inside("lock")
    assert result.code == 1
    assert result.err.count("No space left on device") == 2
    assert files(three) == before


# What an index does


def offered(index: LocalIndex, directory: Path, *wheels: tuple[str, str], **rest: Any) -> None:
    for name, version in wheels:
        index.add(make_wheel(directory, name, version), **rest)


def test_an_index_that_fails_or_hangs_costs_nothing_that_was(
    project: ProjectFolder, index: LocalIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered(index, tmp_path, ("one", "1.0"), ("two", "1.0"))
    project.sessions('[tool.setlist.session.lint]\ndeps = ["one"]\n')
    project.setlist_inside("lock", check=True)
    before = files(project)
    project.sessions('[tool.setlist.session.lint]\ndeps = ["one", "two"]\n')
    index.fail(500)
    result = project.setlist_inside("lock")
    assert result.code == 1
    assert "500" in result.err
    assert files(project) == before
    index.recover()
    index.hang()
    monkeypatch.setenv("UV_HTTP_TIMEOUT", "1")
    result = project.setlist_inside("lock")
    assert result.code == 1
    assert "two" in result.err
    assert files(project) == before
    index.recover()
    project.setlist_inside("lock", check=True)
    assert set(held(project, "lint")) == {"one", "two"}


def test_a_yanked_version_stays_until_it_may_move(project: ProjectFolder, index: LocalIndex, tmp_path: Path) -> None:
    offered(index, tmp_path, ("one", "1.0"), ("one", "1.1"), ("two", "1.0"))
    project.sessions('[tool.setlist.session.lint]\ndeps = ["one"]\nrun = ["python -c \'import one\'"]\n')
    project.setlist_inside("lock", check=True)
    assert held(project, "lint") == {"one": "1.1"}
    offered(index, tmp_path, ("one", "1.1"), yanked="broken")
    project.run_inside("--locked", "lint", check=True)
    assert project.installed("lint") == {"one": "1.1"}
    project.sessions('[tool.setlist.session.lint]\ndeps = ["one", "two"]\n')
    project.setlist_inside("lock", check=True)
    assert held(project, "lint") == {"one": "1.1", "two": "1.0"}
    project.setlist_inside("lock", "--upgrade", check=True)
    assert held(project, "lint") == {"one": "1.0", "two": "1.0"}


def test_a_package_that_vanished_is_named(project: ProjectFolder, index: LocalIndex, tmp_path: Path) -> None:
    offered(index, tmp_path, ("vanishing", "1.0"), ("two", "1.0"))
    project.sessions('[tool.setlist.session.lint]\ndeps = ["vanishing"]\n')
    project.setlist_inside("lock", check=True)
    before = files(project)
    index._files.clear()
    assert project.setlist_inside("lock", "--check").code == 0, "it was made from the same"
    result = project.run_inside("--locked", "lint", env={"UV_NO_CACHE": "1"})
    assert result.code == 1
    assert "vanishing" in result.err
    result = project.setlist_inside("lock", "--upgrade", env={"UV_NO_CACHE": "1"})
    assert result.code == 1
    assert "vanishing" in result.err
    assert files(project) == before


def test_dates_are_kept_to(project: ProjectFolder, index: LocalIndex, tmp_path: Path) -> None:
    import datetime

    offered(index, tmp_path, ("one", "1.0"), uploaded="2020-01-01T00:00:00Z")
    offered(index, tmp_path, ("one", "2.0"), uploaded="2024-01-01T00:00:00Z")
    yesterday = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)
    offered(index, tmp_path, ("one", "3.0"), uploaded=yesterday.strftime("%Y-%m-%dT%H:%M:%SZ"))
    project.sessions("""
        [tool.setlist.session.date]
        deps = ["one"]
        exclude-newer = "2022-01-01"
        [tool.setlist.session.span]
        deps = ["one"]
        exclude-newer = "7 days"
        [tool.setlist.session.free]
        deps = ["one"]
        [tool.setlist.session.low]
        deps = ["one>1"]
        resolution = "lowest-direct"
    """)
    project.setlist_inside("lock", check=True)
    versions = {name: held(project, name)["one"] for name in ("date", "span", "free", "low")}
    assert versions == {"date": "1.0", "span": "2.0", "free": "3.0", "low": "2.0"}
    for name, version in versions.items():
        project.run_inside("--locked", name, check=True)
        assert project.installed(name) == {"one": version}


# What can't carry a hash


@pytest.fixture
def repository(tmp_path: Path) -> ProjectFolder:
    """A package in a git repository of its own, with one commit."""
    import subprocess

    package = ProjectFolder(tmp_path / "vcs one")
    package.make_package("vcsone", "1.0", dependencies=["beta"])
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "one"]):
        subprocess.run(["git", *words], cwd=package.path, check=True)
    return package


def commit(package: ProjectFolder) -> str:
    import subprocess

    subprocess.run(["git", "commit", "-q", "--allow-empty", "-m", "more"], cwd=package.path, check=True)
    return subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=package.path, text=True).strip()


def test_a_repository_is_pinned_to_a_commit_and_stays_there(
    project: ProjectFolder, wheelhouse: Path, repository: ProjectFolder
) -> None:
    url = f"git+{repository.path.as_uri()}"
    project.sessions(
        f'[tool.setlist.session.lint]\ndeps = ["vcsone @ {url}@main"]\nrun = ["python -c \'import vcsone\'"]\n'
    )
    result = project.setlist_inside("lock", check=True)
    assert "lint: no hash for vcsone: it comes from no index\n" in result.err
    pinned = held(project, "lint")["vcsone"]
    assert pinned.startswith(f"{url}@")
    assert len(pinned.rpartition("@")[2]) == 40
    assert "# without hashes, since they come from no index: vcsone" in project.read("sessions/locks/lint.txt")
    project.run_inside("--locked", "lint", check=True)

    newest = commit(repository)
    project.sessions(f'[tool.setlist.session.lint]\ndeps = ["vcsone @ {url}@main", "delta"]\n')
    project.setlist_inside("lock", check=True)
    assert held(project, "lint")["vcsone"] == pinned, "the branch moved on, and nobody asked"
    project.setlist_inside("lock", "--upgrade-package", "vcsone", check=True)
    assert held(project, "lint")["vcsone"] == f"{url}@{newest}"
    project.sessions(f'[tool.setlist.session.lint]\ndeps = ["vcsone @ {url}@{pinned[-40:]}", "delta"]\n')
    project.setlist_inside("lock", check=True)
    assert held(project, "lint")["vcsone"] == pinned, "another revision is asked for"

    project.sessions(f"[tool.setlist]\nrequire-hashes = true\n{project.read('pyproject.toml')}")
    refused = project.run_inside("--locked", "lint")
    assert refused.code == 3
    assert "no hash for vcsone, and require-hashes is set" in refused.err
    before = files(project)
    for arguments in ((), ("--upgrade",), ("--check",)):
        refused = project.setlist_inside("lock", *arguments)
        assert refused.code == 1
        assert "error: lint: no hash can be had for vcsone, and require-hashes is set" in refused.err
    assert files(project) == before


def test_local_directories_and_files_and_urls(
    project: ProjectFolder, wheelhouse: Path, index: LocalIndex, tmp_path: Path
) -> None:
    ProjectFolder(project.path / "libs/one").make_package("one", "1.0")
    ProjectFolder(project.path / "libs/two dirs").make_package("two", "1.0", dependencies=["delta<2"])
    wheel = make_wheel(project.path / "wheels here", "three", "1.0")
    index.add(make_wheel(tmp_path / "served", "four", "1.0"))
    url = index.url.replace("/simple/", "/files/four-1.0-py3-none-any.whl")
    project.sessions(f"""
        [tool.setlist.session.lint]
        deps = ["./libs/one", "-e ./libs/two dirs", "./wheels here/{wheel.name}", "four @ {url}"]
        run = ["python -c 'import one, two, three, four, delta'"]
    """)
    result = project.setlist_inside("lock", check=True)
    assert "lint: no hash for two dirs, one: it comes from no index" in result.err
    body = project.read("sessions/locks/lint.txt").partition("\n\n")[2]
    assert str(project.path) not in body
    assert "\n./libs/one\n" in f"\n{body}"
    assert "\n-e ./libs/two dirs\n" in f"\n{body}"
    assert f"./wheels here/{wheel.name} \\\n    --hash=sha256:" in body
    assert f"four @ {url} \\\n    --hash=sha256:" in body
    project.run_inside("--locked", "lint", check=True)
    assert project.setlist_inside("lock", check=True).err == "locks: 1 current\n"


# --- a check that is known to come out well ---------------------------------------------------------------------


@pytest.fixture
def checked(three: ProjectFolder) -> ProjectFolder:
    """A project whose locks were found to be current."""
    three.setlist_inside("lock", check=True)
    three.setlist_inside("lock", "--check", check=True)
    return three


def test_a_check_is_not_made_again_while_nothing_has_changed(
    checked: ProjectFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    from setlist.lock import update

    first = checked.setlist_inside("lock", "--check", check=True)
    monkeypatch.setattr(update, "update_locks", None)
    assert checked.setlist_inside("lock", "--check", check=True).err == first.err
    assert "3 current" in first.err


@pytest.mark.parametrize("change", ["definition", "lock edited", "lock gone", "touched", "one more place"])
def test_whatever_decides_about_a_check_is_looked_at(checked: ProjectFolder, change: str) -> None:
    lock = next(path for path in checked.path.rglob("locks/*.txt"))
    if change == "definition":
        file = next(path for path in checked.path.rglob("*.toml") if "[tool.setlist" in path.read_text())
        file.write_text(file.read_text() + '[tool.setlist.session.another]\ndeps = ["delta"]\nrun = []\n')
    elif change == "lock edited":
        lock.write_text(lock.read_text() + "# edited\n")
    elif change == "lock gone":
        lock.unlink()
    elif change == "touched":
        os.utime(lock)
    else:
        other = "sessions" if lock.parts[-3] == ".sessions" else ".sessions"
        (checked.path / other / "locks").mkdir(parents=True)
    result = checked.setlist_inside("lock", "--check")
    expected = {"definition": 3, "lock gone": 3, "touched": 0}
    if change in expected:
        assert result.code == expected[change], result
    plain = checked.setlist_inside("lock", "--check", "--json")
    assert result.code == plain.code, "as a check that goes by no entry"


def test_other_options_and_sessions_are_checked_each_time(
    checked: ProjectFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    from setlist.lock import update

    seen: list[object] = []
    real = update.update_locks

    def counted(*arguments: object, **options: object) -> object:
        seen.append(arguments)
        return real(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(update, "update_locks", counted)
    for words in (["--json"], ["--upgrade"], ["--upgrade-package", "alpha"], ["*"]):
        checked.setlist_inside("lock", "--check", *words)
    assert len(seen) == 4
