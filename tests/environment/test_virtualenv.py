"""Environments that are laid out from a template, and those that virtualenv makes in place."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from setlist.core.errors import CreationFailed, InterpreterNotFound, StorageError
from setlist.core.files import remove_tree
from setlist.core.model import Interpreter
from setlist.core.project import Caller
from setlist.core.system import bin_directory, python_of
from setlist.environment import virtualenv
from setlist.environment.interpreters import Interpreters
from setlist.environment.virtualenv import (
    CorruptTemplate,
    Template,
    at_another_path,
    create,
    materialize,
    python_with_pip,
    read_template,
    record_template,
    site_packages,
    treat_no_package_as_a_seed,
)

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell's")


@pytest.fixture(scope="module")
def interpreters(tmp_path_factory: pytest.TempPathFactory) -> Interpreters:
    return Interpreters(Caller.current(), tmp_path_factory.mktemp("interpreters"))


@pytest.fixture(scope="module")
def ours(interpreters: Interpreters) -> Interpreter:
    return interpreters.find(None)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache whose templates the tests share that don't look into it."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def virtualenv_runs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Where virtualenv was run to, one for each time."""
    runs: list[str] = []
    real = virtualenv._run_virtualenv

    def counted(arguments: list[str], environ: dict[str, str], directory: Path) -> None:
        runs.append(str(directory))
        real(arguments, environ, directory)

    monkeypatch.setattr(virtualenv, "_run_virtualenv", counted)
    return runs


def ask(directory: Path, code: str) -> str:
    said = subprocess.run([python_of(directory), "-c", code], capture_output=True, check=True, text=True)
    return said.stdout.strip()


def bare(directory: Path, interpreter: Interpreter, cache: Path, **changes: object) -> None:
    arguments: dict[str, object] = {"prompt": "lint", "environ": dict(os.environ), **changes}
    create(directory, interpreter, cache_directory=cache, **arguments)  # type: ignore[arg-type]


def text_files(directory: Path) -> dict[str, str]:
    return {
        path.relative_to(directory).as_posix(): path.read_text(encoding="utf-8")
        for path in directory.rglob("*")
        if path.is_file() and not path.is_symlink() and path.name.startswith(("activate", "deactivate", "pyvenv"))
    }


@pytest.mark.slow
def test_an_environment_runs_python_and_is_bare(tmp_path: Path, ours: Interpreter, shared: Path) -> None:
    directory = Path(os.path.realpath(tmp_path)) / "envs" / "lint"
    bare(directory, ours, shared)
    assert ask(directory, "import sys; print(sys.prefix)") == str(directory)
    base = ask(directory, "import sys; print(sys.base_prefix)")
    assert base == str(directory) or not Path(base).samefile(directory)
    assert Path(ours.executable).is_relative_to(base) or os.path.realpath(ours.executable).startswith(
        os.path.realpath(base)
    )
    (packages,) = site_packages(directory)
    assert str(packages) == ask(directory, "import sysconfig; print(sysconfig.get_path('purelib'))")
    assert not [entry for entry in packages.iterdir() if not entry.name.startswith(("_virtualenv", "__pycache__"))]
    assert not (directory / ".gitignore").exists()
    assert [entry.name for entry in directory.parent.iterdir()] == ["lint"]


@pytest.mark.slow
def test_what_is_laid_out_is_what_virtualenv_would_have_made(tmp_path: Path, ours: Interpreter, shared: Path) -> None:
    from virtualenv import cli_run

    base = Path(os.path.realpath(tmp_path))
    bare(base / "ours", ours, shared, prompt="test-py311")
    made = text_files(base / "ours")
    remove_tree(base / "ours")
    cli_run(
        [
            *("--python", ours.executable, "--no-seed", "--no-vcs-ignore", "--prompt", "test-py311"),
            *("--app-data", str(shared / "virtualenv"), str(base / "ours")),
        ],
        setup_logging=False,
    )
    treat_no_package_as_a_seed(base / "ours")
    assert made == text_files(base / "ours")
    assert "pyvenv.cfg" in made
    assert len(made) > 5


@pytest.mark.slow
def test_only_the_first_of_an_interpreter_takes_virtualenv(
    tmp_path: Path, ours: Interpreter, virtualenv_runs: list[str]
) -> None:
    for name in ("one", "two", "three"):
        bare(tmp_path / name, ours, tmp_path / "cache")
    assert len(virtualenv_runs) == 1
    assert ask(tmp_path / "three", "print('runs')") == "runs"


@pytest.mark.slow
def test_the_second_doesnt_even_import_virtualenv(tmp_path: Path, ours: Interpreter, shared: Path) -> None:
    bare(tmp_path / "first", ours, shared)
    code = (
        "import sys\n"
        # coverage, where it measures this, has imported much already
        "before = set(sys.modules)\n"
        "from pathlib import Path\n"
        "from setlist.environment.virtualenv import create\n"
        "from setlist.core.model import Interpreter\n"
        f"create(Path({str(tmp_path / 'second')!r}), {ours!r}, cache_directory=Path({str(shared)!r}), prompt='second',"
        " environ={})\n"
        "heavy = {'virtualenv', 'python_discovery', 'subprocess', 'importlib.metadata', 'shutil'}\n"
        "print(sorted(heavy & (set(sys.modules) - before)))\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert said.stdout.strip() == "[]"
    assert ask(tmp_path / "second", "print('runs')") == "runs"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["with space", "naïve-ü", "it's", "a$b", "semi;colon", "back`tick"])
def test_a_path_that_shells_quote_is_virtualenvs_own_work(
    tmp_path: Path, ours: Interpreter, shared: Path, virtualenv_runs: list[str], name: str
) -> None:
    if sys.platform == "win32" and name == "with space":
        pytest.skip("every path is quoted there")
    directory = tmp_path / name / "lint"
    bare(directory, ours, shared)
    assert virtualenv_runs == [os.path.realpath(directory)]
    assert ask(directory, "import sys; print(ascii(sys.prefix))") == ascii(os.path.realpath(directory))


@pytest.mark.slow
@pytest.mark.parametrize("prompt", ["a b", "ünïcode", "it's", "$x", "."])
def test_a_prompt_that_shells_quote_is_virtualenvs_own_work(
    tmp_path: Path, ours: Interpreter, shared: Path, virtualenv_runs: list[str], prompt: str
) -> None:
    bare(tmp_path / "lint", ours, shared, prompt=prompt)
    assert virtualenv_runs == [os.path.realpath(tmp_path / "lint")]


@pytest.mark.slow
def test_a_cache_at_such_a_path_makes_all_environments_in_place(
    tmp_path: Path, ours: Interpreter, virtualenv_runs: list[str]
) -> None:
    bare(tmp_path / "lint", ours, tmp_path / "ca$che")
    assert virtualenv_runs[-1] == os.path.realpath(tmp_path / "lint")
    assert ask(tmp_path / "lint", "print('runs')") == "runs"


@pytest.mark.slow
def test_the_users_settings_for_virtualenv_change_nothing(tmp_path: Path, ours: Interpreter) -> None:
    (tmp_path / "virtualenv.ini").write_text("[virtualenv]\nsystem_site_packages = true\n")
    environ = {
        **os.environ,
        "VIRTUALENV_CONFIG_FILE": str(tmp_path / "virtualenv.ini"),
        "VIRTUALENV_SYSTEM_SITE_PACKAGES": "true",
        "VIRTUALENV_PIP": "bundle",
        "PYTHONHOME": "/nonexistent",
    }
    for cache in ("cache", "ca$he"):
        bare(tmp_path / f"lint-{cache}", ours, tmp_path / cache, environ=environ)
        assert "include-system-site-packages = false" in (tmp_path / f"lint-{cache}" / "pyvenv.cfg").read_text()


@pytest.mark.slow
def test_the_users_virtualenv_ini_changes_nothing(
    tmp_path: Path, ours: Interpreter, monkeypatch: pytest.MonkeyPatch
) -> None:
    import platformdirs

    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    folder = Path(platformdirs.user_config_dir("virtualenv", "pypa"))
    if not folder.is_relative_to(tmp_path):
        pytest.skip("the user's configuration can't be moved here")
    folder.mkdir(parents=True)
    (folder / "virtualenv.ini").write_text("[virtualenv]\nsystem_site_packages = true\n")
    bare(tmp_path / "lint", ours, tmp_path / "cache")
    assert "include-system-site-packages = false" in (tmp_path / "lint" / "pyvenv.cfg").read_text()


@pytest.mark.slow
def test_no_redirect_is_written_beside_the_environment(tmp_path: Path, ours: Interpreter) -> None:
    (tmp_path / "pyproject.toml").touch()
    bare(tmp_path / "a b", ours, tmp_path / "cache")
    bare(tmp_path / "lint", ours, tmp_path / "cache")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a b", "cache", "lint", "pyproject.toml"]


@pytest.mark.slow
def test_links_on_the_way_are_resolved_as_virtualenv_does(tmp_path: Path, ours: Interpreter, shared: Path) -> None:
    (tmp_path / "real").mkdir()
    try:
        (tmp_path / "link").symlink_to("real")
    except OSError:
        pytest.skip("Windows lets only privileged users make symbolic links")
    bare(tmp_path / "link" / "lint", ours, shared)
    assert str(tmp_path / "real" / "lint") in (tmp_path / "link" / "lint" / "pyvenv.cfg").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["file", "record", "not a record", "interpreter", "whole"])
def test_a_template_that_isnt_whole_is_made_anew(
    tmp_path: Path, ours: Interpreter, virtualenv_runs: list[str], damage: str
) -> None:
    cache = tmp_path / "cache"
    bare(tmp_path / "first", ours, cache)
    (place,) = (cache / "templates").iterdir()
    if damage == "file":
        (bin_directory(place / "environment") / "activate.fish").unlink()
    elif damage == "record":
        (place / "state").unlink()
    elif damage == "not a record":
        (place / "state").write_text('{"format": 1')
    elif damage == "interpreter":
        python_of(place / "environment").unlink()
    else:
        shutil.rmtree(place)
        place.write_text("a file")
    bare(tmp_path / "second", ours, cache)
    assert len(virtualenv_runs) == 2
    assert ask(tmp_path / "second", "print('runs')") == "runs"
    assert (bin_directory(tmp_path / "second") / "activate.fish").exists()
    assert [entry.name for entry in (cache / "templates").iterdir()] == [place.name]
    bare(tmp_path / "third", ours, cache)
    assert len(virtualenv_runs) == 2


@pytest.mark.slow
def test_what_a_killed_process_left_of_a_template_is_not_used(
    tmp_path: Path, ours: Interpreter, virtualenv_runs: list[str]
) -> None:
    left = tmp_path / "cache" / "templates" / "making-1-abc" / "environment"
    left.mkdir(parents=True)
    bare(tmp_path / "lint", ours, tmp_path / "cache")
    assert len(virtualenv_runs) == 1
    assert ask(tmp_path / "lint", "print('runs')") == "runs"


@pytest.mark.slow
def test_another_signature_is_another_template(tmp_path: Path, ours: Interpreter, virtualenv_runs: list[str]) -> None:
    bare(tmp_path / "first", ours, tmp_path / "cache")
    bare(tmp_path / "second", replace(ours, signature="upgraded"), tmp_path / "cache")
    assert len(virtualenv_runs) == 2


@pytest.mark.slow
def test_several_at_once_do_no_harm(tmp_path: Path, ours: Interpreter) -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from setlist.environment.virtualenv import create\n"
        "from setlist.core.model import Interpreter\n"
        f"create(Path(sys.argv[1]), {ours!r}, cache_directory=Path({str(tmp_path / 'cache')!r}), prompt='x')\n"
    )

    def one(number: int) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-c", code, str(tmp_path / f"env{number}")]
        return subprocess.run(argv, capture_output=True, text=True, check=False)

    with ThreadPoolExecutor(4) as pool:
        for number, done in enumerate(pool.map(one, range(4))):
            assert (done.returncode, done.stderr) == (0, "")
            assert ask(tmp_path / f"env{number}", "print('runs')") == "runs"
    (place,) = (tmp_path / "cache" / "templates").iterdir()
    assert (place / "state").exists()


@pytest.mark.slow
def test_an_interpreter_that_is_gone_is_a_creation_that_failed(tmp_path: Path, ours: Interpreter) -> None:
    gone = replace(ours, executable=str(tmp_path / "python3.98"), signature="gone")
    with pytest.raises(CreationFailed) as caught:
        bare(tmp_path / "envs" / "lint", gone, tmp_path / "cache")
    assert "python3.98" in (caught.value.detail or "")
    assert not (tmp_path / "envs" / "lint").exists()
    assert list((tmp_path / "cache" / "templates").iterdir()) == []


@pytest.mark.slow
@POSIX
def test_a_binary_that_fails_is_told_in_virtualenvs_words(
    tmp_path: Path, ours: Interpreter, capfd: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho library missing >&2\nexit 3\n")
    broken.chmod(0o755)
    with pytest.raises(CreationFailed) as caught:
        bare(tmp_path / "lint", replace(ours, executable=str(broken), signature="x"), tmp_path / "cache")
    assert "library missing" in (caught.value.detail or "")
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_a_file_in_the_way_of_the_parent_is_told(tmp_path: Path, ours: Interpreter, shared: Path) -> None:
    (tmp_path / "envs").write_text("a file")
    with pytest.raises(CreationFailed, match="lint"):
        bare(tmp_path / "envs" / "lint", ours, shared)
    assert (tmp_path / "envs").read_text() == "a file"


@pytest.mark.slow
def test_a_path_that_cant_be_an_environments_is_told(tmp_path: Path, ours: Interpreter, shared: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("no such name there")
    with pytest.raises(CreationFailed) as caught:
        bare(tmp_path / "a:b", ours, shared)
    assert "path separator" in (caught.value.detail or "")


@pytest.mark.slow
def test_a_place_that_isnt_writable_is_told(
    tmp_path: Path, ours: Interpreter, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", "x")

    monkeypatch.setattr(os, "mkdir", refused)
    with pytest.raises(StorageError, match="Permission denied"):
        bare(tmp_path / "envs" / "lint", ours, shared)


@pytest.mark.slow
def test_a_full_disk_leaves_nothing_behind(
    tmp_path: Path, ours: Interpreter, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare(tmp_path / "first", ours, shared)

    opened = os.open

    def full(path: str, flags: int, mode: int = 0o777, **rest: int | None) -> int:
        if flags & os.O_CREAT:
            raise OSError(28, "No space left on device", "x")
        return opened(path, flags, mode, **rest)

    monkeypatch.setattr(os, "open", full)
    with pytest.raises(CreationFailed, match="No space left"):
        bare(tmp_path / "second", ours, shared)
    monkeypatch.undo()
    assert not (tmp_path / "second").exists()


@pytest.mark.slow
def test_permission_refused_within_virtualenv_is_told_as_such(
    tmp_path: Path, ours: Interpreter, monkeypatch: pytest.MonkeyPatch
) -> None:
    import virtualenv

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", "x")

    monkeypatch.setattr(virtualenv, "cli_run", refused)
    with pytest.raises(StorageError, match="Permission denied"):
        bare(tmp_path / "a b", ours, tmp_path / "cache")


@pytest.mark.slow
def test_a_cache_that_cant_be_used_makes_it_slower_and_no_more(
    tmp_path: Path, ours: Interpreter, virtualenv_runs: list[str]
) -> None:
    (tmp_path / "cache").write_text("a file in its place")
    bare(tmp_path / "lint", ours, tmp_path / "cache")
    assert virtualenv_runs == [os.path.realpath(tmp_path / "lint")]
    with pytest.raises(StorageError, match="cache"):
        python_with_pip(ours, cache_directory=tmp_path / "cache")


@pytest.mark.slow
def test_pip_is_seeded_and_nothing_else(tmp_path: Path, ours: Interpreter, shared: Path) -> None:
    for number in (1, 2):
        directory = tmp_path / f"env{number}"
        bare(directory, ours, shared, seeds=("pip",))
        listed = subprocess.run(
            [python_of(directory), "-m", "pip", "list", "--format=freeze"], capture_output=True, check=True, text=True
        )
        assert [line.partition("==")[0] for line in listed.stdout.split()] == ["pip"]


@pytest.mark.slow
@POSIX
def test_pips_scripts_start_the_environments_own_python(tmp_path: Path, ours: Interpreter, shared: Path) -> None:
    directory = Path(os.path.realpath(tmp_path)) / "env"
    bare(directory, ours, shared, seeds=("pip",))
    first = (directory / "bin" / "pip").read_text().splitlines()[0]
    assert first.startswith(f"#!{directory}/bin/python")
    said = subprocess.run([directory / "bin" / "pip", "--version"], capture_output=True, check=True, text=True)
    assert str(directory) in said.stdout


@pytest.mark.slow
@POSIX
def test_a_path_too_long_for_a_scripts_first_line_is_virtualenvs_own_work(
    tmp_path: Path, ours: Interpreter, shared: Path, virtualenv_runs: list[str]
) -> None:
    directory = tmp_path / ("long" * 20) / ("path" * 20) / "lint"
    bare(directory, ours, shared, seeds=("pip",))
    assert virtualenv_runs[-1] == os.path.realpath(directory)
    said = subprocess.run([directory / "bin" / "pip", "--version"], capture_output=True, check=True, text=True)
    assert str(directory) in said.stdout


@pytest.mark.slow
def test_the_template_itself_has_a_pip_for_others(tmp_path: Path, ours: Interpreter, shared: Path) -> None:
    python = python_with_pip(ours, cache_directory=shared)
    assert python == python_with_pip(ours, cache_directory=shared)
    bare(tmp_path / "lint", ours, shared)
    said = subprocess.run(
        [python, "-m", "pip", "--python", str(python_of(tmp_path / "lint")), "list", "--format=freeze"],
        capture_output=True,
        check=True,
        text=True,
    )
    assert said.stdout.strip() == ""
    # compiled files that came to be in it aren't laid out
    bare(tmp_path / "other", ours, shared, seeds=("pip",))
    assert not list((tmp_path / "other").rglob("__pycache__"))


@pytest.mark.slow
@pytest.mark.parametrize("version", ["3.8", "3.9", "3.10", "3.12", "3.13"])
def test_other_pythons_are_targets_too(
    version: str, tmp_path: Path, user_environ: Mapping[str, str], shared: Path
) -> None:
    try:
        found = Interpreters(Caller(user_environ, tmp_path, ci=False), tmp_path / "cache").find(version)
    except InterpreterNotFound as error:
        pytest.skip(str(error))
    for name in ("first", "second"):
        bare(tmp_path / name, found, shared)
        assert ask(tmp_path / name, "import sys; print(sys.prefix)") == os.path.realpath(tmp_path / name)
    assert ask(tmp_path / "second", "import sys; print('%d.%d' % sys.version_info[:2])") == version
    (packages,) = site_packages(tmp_path / "second")
    assert packages.parent.name == f"python{version}"


@pytest.mark.slow
def test_a_python_too_old_for_virtualenvs_pip_gets_its_own(
    tmp_path: Path, user_environ: Mapping[str, str], shared: Path
) -> None:
    try:
        found = Interpreters(Caller(user_environ, tmp_path, ci=False), tmp_path / "cache").find("3.8")
    except InterpreterNotFound as error:
        pytest.skip(str(error))
    bare(tmp_path / "lint", found, shared, seeds=("pip",))
    listed = subprocess.run(
        [python_of(tmp_path / "lint"), "-m", "pip", "list", "--format=freeze"],
        capture_output=True,
        check=True,
        text=True,
    )
    assert [line.partition("==")[0] for line in listed.stdout.split()] == ["pip"]


@pytest.mark.slow
def test_where_neither_has_a_pip_it_is_virtualenvs_word_that_counts(
    tmp_path: Path, ours: Interpreter, monkeypatch: pytest.MonkeyPatch
) -> None:
    from setlist.process import spawn

    real = virtualenv._run_virtualenv

    def without_pip(arguments: list[str], environ: dict[str, str], directory: Path) -> None:
        if "--no-seed" not in arguments:
            raise CreationFailed("no pip for this one", detail="bundled no more")
        real(arguments, environ, directory)

    monkeypatch.setattr(virtualenv, "_run_virtualenv", without_pip)
    failed = spawn.Completed(code=1, stdout=b"", stderr=b"", timed_out=False, duration=0.0)
    monkeypatch.setattr(spawn, "run_process", lambda *_, **__: failed)
    with pytest.raises(CreationFailed) as caught:
        bare(tmp_path / "lint", ours, tmp_path / "cache", seeds=("pip",))
    assert caught.value.detail == "bundled no more"
    assert not (tmp_path / "lint").exists()


def layout(directory: Path, *folders: str) -> tuple[str, ...]:
    for folder in folders:
        (directory / folder).mkdir(parents=True)
    return tuple(path.relative_to(directory).as_posix() for path in site_packages(directory))


def test_site_packages_of_every_layout(tmp_path: Path) -> None:
    assert layout(tmp_path / "none") == ()
    assert layout(tmp_path / "posix", "lib/python3.12/site-packages", "lib/other/site-packages") == (
        "lib/python3.12/site-packages",
    )
    assert layout(tmp_path / "both", "lib64/python3.12/site-packages", "lib/python3.12/site-packages") == (
        "lib/python3.12/site-packages",
        "lib64/python3.12/site-packages",
    )
    assert layout(tmp_path / "pypy", "lib/pypy3.11/site-packages") == ("lib/pypy3.11/site-packages",)
    assert layout(tmp_path / "old", "site-packages") == ("site-packages",)
    assert layout(tmp_path / "windows", "Lib/site-packages") == ("Lib/site-packages",)


@POSIX
def test_a_lib64_that_is_a_link_counts_once(tmp_path: Path) -> None:
    (tmp_path / "lib" / "python3.12" / "site-packages").mkdir(parents=True)
    (tmp_path / "lib64").symlink_to("lib")
    assert site_packages(tmp_path) == (tmp_path / "lib" / "python3.12" / "site-packages",)


# --- templates -------------------------------------------------------------------------------------------------

TOKEN = "making-1-abcdef"
PROMPT = "prompt-abcdef"


def test_a_posix_path_is_replaced_wherever_it_stands() -> None:
    content = b"VIRTUAL_ENV=/cache/x/environment\nset -gx V '/cache/x/environment'\nPROMPT='the-prompt'\n"
    assert at_another_path(content, "/cache/x/environment", "/home/ann/p/envs/lint", "the-prompt", "lint") == (
        b"VIRTUAL_ENV=/home/ann/p/envs/lint\nset -gx V '/home/ann/p/envs/lint'\nPROMPT='lint'\n"
    )


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        # batch, PowerShell, nushell, sh
        (rb'@set "VIRTUAL_ENV=C:\c\x\environment"', rb'@set "VIRTUAL_ENV=D:\my p\envs\lint"'),
        (rb"let v = r#'C:\c\x\environment'#", rb"let v = r#'D:\my p\envs\lint'#"),
        (rb"VIRTUAL_ENV='C:\c\x\environment'", rb"VIRTUAL_ENV='D:\my p\envs\lint'"),
        # xonsh, Python
        (rb"env = 'C:\\c\\x\\environment'", rb"env = 'D:\\my p\\envs\\lint'"),
        # fish
        (rb"set V 'C:'\\'c'\\'x'\\'environment'", rb"set V 'D:'\\'my p'\\'envs'\\'lint'"),
    ],
)
def test_a_windows_path_is_replaced_however_it_is_spelled(written: bytes, expected: bytes) -> None:
    assert at_another_path(written, r"C:\c\x\environment", r"D:\my p\envs\lint", TOKEN, "lint") == expected


def test_line_ends_and_what_else_there_is_stay() -> None:
    assert at_another_path(b"\xef\xbb\xbfa\r\n/x\r\n\xff", "/x", "/y", TOKEN, "lint") == b"\xef\xbb\xbfa\r\n/y\r\n\xff"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A template's directory with a made-up environment in it, under its path in this test."""
    environment = tmp_path / TOKEN / "environment"
    python = python_of(environment)
    python.parent.mkdir(parents=True)
    (environment / "lib" / "site-packages" / "__pycache__").mkdir(parents=True)
    python.write_bytes(b"\0ELF")
    python.chmod(0o755)
    (environment / "pyvenv.cfg").write_text(f"command = virtualenv {environment}\nprompt = {PROMPT}\n")
    (environment / "lib" / "site-packages" / "module.py").write_text("x = 1\n")
    (environment / "lib" / "site-packages" / "__pycache__" / "module.pyc").write_bytes(b"\0")
    return tmp_path / TOKEN


def whole(place: Path) -> Template:
    record_template(place, TOKEN, PROMPT)
    found = read_template(place)
    assert found is not None
    return found


def test_a_template_is_laid_out_with_its_modes_and_links(place: Path, tmp_path: Path) -> None:
    if sys.platform != "win32":
        (place / "environment" / "python3").symlink_to("bin/python")
    found = whole(place)
    assert found.relocatable
    target = tmp_path / "lint"
    materialize(found, str(target), "lint")
    assert (target / "pyvenv.cfg").read_text() == f"command = virtualenv {target}\nprompt = lint\n"
    assert python_of(target).read_bytes() == b"\0ELF"
    if sys.platform != "win32":
        assert python_of(target).stat().st_mode & 0o111
        assert not (target / "pyvenv.cfg").stat().st_mode & 0o111
        assert (target / "python3").readlink() == Path("bin/python")
    assert (target / "lib" / "site-packages" / "module.py").read_text() == "x = 1\n"
    assert not (target / "lib" / "site-packages" / "__pycache__").exists()


def test_a_binary_with_the_path_in_it_cant_be_laid_out_elsewhere(place: Path) -> None:
    (place / "environment" / "pip.exe").write_bytes(b"MZ\0\0#!" + str(place).encode())
    assert not whole(place).relocatable


def test_a_link_with_the_path_in_it_cant_either(place: Path) -> None:
    try:
        (place / "environment" / "lib64").symlink_to(place / "environment" / "lib")
    except OSError:
        pytest.skip("Windows lets only privileged users make symbolic links")
    assert not whole(place).relocatable


def test_a_spelling_that_we_dont_know_is_refused_before_anything_is_written(place: Path, tmp_path: Path) -> None:
    (place / "environment" / "odd").write_text(str(place).replace("/", "%2F").replace("\\", "%5C"))
    found = whole(place)
    with pytest.raises(CorruptTemplate, match="odd"):
        materialize(found, str(tmp_path / "lint"), "lint")
    assert not (tmp_path / "lint").exists()


def test_a_file_that_is_gone_is_noticed_before_anything_is_written(place: Path, tmp_path: Path) -> None:
    found = whole(place)
    (place / "environment" / "pyvenv.cfg").unlink()
    with pytest.raises(CorruptTemplate):
        materialize(found, str(tmp_path / "lint"), "lint")
    assert not (tmp_path / "lint").exists()


def test_without_its_python_a_template_is_none(place: Path) -> None:
    whole(place)
    python_of(place / "environment").unlink()
    assert read_template(place) is None


@pytest.mark.parametrize("content", ["", "[]", "{}", "0" * 40])
def test_a_corrupt_record_is_none(place: Path, content: str) -> None:
    record_template(place, TOKEN, PROMPT)
    (place / "state").write_text(content)
    assert read_template(place) is None


def test_discarding_what_cant_be_removed_is_silent(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = whole(place)

    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.replace", refused)
    found.discard()
    monkeypatch.undo()
    assert place.exists()
    found.discard()
    assert not place.exists()
