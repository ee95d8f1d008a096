"""Logins in URLs: they reach both installers, and stand in no file and in no message of ours."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from support.index import LocalIndex
from support.project import ProjectFolder, Result
from support.variants import BOTH_INSTALLERS
from support.wheels import make_wheel

pytestmark = pytest.mark.slow

SECRET = "s3cret-word"
LOGINS = {"literal": f"joe:{SECRET}", "variable": "joe:${INDEX_WORD}", "whole": "${INDEX_LOGIN}"}


@pytest.fixture
def private(index: LocalIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalIndex:
    """An index that wants a login, which the installers aren't told of."""
    index.add(make_wheel(tmp_path / "wheels", "alpha", "1.0", requires=["beta"]))
    index.add(make_wheel(tmp_path / "wheels", "beta", "2.0"))
    index.add(make_wheel(tmp_path / "wheels", "delta", "1.0"))
    index.require_login("joe", SECRET)
    monkeypatch.setenv("INDEX_WORD", SECRET)
    monkeypatch.setenv("INDEX_LOGIN", f"joe:{SECRET}")
    monkeypatch.delenv("UV_DEFAULT_INDEX")
    monkeypatch.delenv("PIP_INDEX_URL")
    return index


def leaks(project: ProjectFolder, *results: Result) -> list[str]:
    """Where the secret stands beside the files that its author wrote."""
    found = [str(number) for number, result in enumerate(results) if SECRET in result.out + result.err]
    for root in (project.path, Path(os.environ["SETLIST_CACHE_DIR"])):
        for path in root.rglob("*"):
            own = path.parent == project.path or path.suffix == ".py"
            if path.is_file() and not path.is_symlink() and not own and SECRET.encode() in path.read_bytes():
                found.append(str(path))
    return found


def definition(index: LocalIndex, how: str, login: str, installer: str) -> str:
    """A session that needs the login."""
    template = login.replace("{", "{{").replace("}", "}}")
    keys = {
        "url": f"deps = ['alpha @ {index.url_with(template, 'files/alpha-1.0-py3-none-any.whl')}']\n",
        "file": 'requirements = ["in.txt"]\n',
        "key": f"deps = ['alpha']\nindex-url = '{index.url_with(login)}'\n",
    }
    # beta comes from the index in any case
    extra = "" if how != "url" else f"index-url = '{index.url_with(login)}'\n"
    return (
        f'[tool.setlist.session.s]\ninstaller = "{installer}"\n{keys[how]}{extra}run = ["python -c \'import alpha\'"]\n'
    )


@pytest.mark.parametrize(
    ("how", "login"),
    [
        ("url", "literal"),
        ("url", "variable"),
        ("file", "literal"),
        ("file", "whole"),
        ("key", "literal"),
        ("key", "variable"),
    ],
)
@pytest.mark.parametrize("installer", BOTH_INSTALLERS)
def test_a_login_reaches_the_installer_and_no_file(
    project: ProjectFolder, private: LocalIndex, installer: str, how: str, login: str
) -> None:
    project.write("in.txt", f"--index-url {private.url_with(LOGINS[login])}\nalpha\n")
    project.sessions(definition(private, how, LOGINS[login], installer))
    results = [
        project.run_inside("s", check=True),
        project.run_inside("s", check=True),
        project.run_inside("-r", "s", check=True),
        project.setlist_inside("why", "s", check=True),
        project.setlist_inside("freeze", "s", check=True),
    ]
    assert "reused" in results[1].err
    assert project.installed("s").items() >= {("alpha", "1.0"), ("beta", "2.0")}
    assert leaks(project, *results) == []


@pytest.mark.parametrize("login", ["literal", "variable"])
@pytest.mark.parametrize("installer", BOTH_INSTALLERS)
def test_a_lock_holds_no_login_and_can_be_installed_from(
    project: ProjectFolder, private: LocalIndex, installer: str, login: str
) -> None:
    project.sessions(definition(private, "url", LOGINS[login], installer))
    results = [
        project.setlist_inside("lock", check=True),
        project.setlist_inside("lock", "--check", check=True),
        project.run_inside("--locked", "s", check=True),
        project.setlist_inside("lock", "--upgrade", check=True),
        project.setlist_inside("export", "--format", "requirements", "s", check=True),
        project.setlist_inside("export", "--format", "pylock", "s", check=True),
    ]
    assert project.installed("s").items() >= {("alpha", "1.0"), ("beta", "2.0")}
    lock = project.read("sessions/locks/s.txt")
    assert ("${INDEX_WORD}" if login == "variable" else "${SETLIST_LOGIN_") in lock
    assert leaks(project, *results) == []


@pytest.mark.skipif(os.name == "nt", reason="there are no file modes")
@pytest.mark.parametrize("login", ["literal", "variable"])
def test_files_with_a_login_are_private(project: ProjectFolder, private: LocalIndex, login: str) -> None:
    project.sessions(definition(private, "url", LOGINS[login], "uv"))
    project.run_inside("s", check=True)
    places = [path for path in project.path.rglob("*.txt") if "joe:" in path.read_text()]
    assert {path.name for path in places} == {"s.txt", "resolved.txt"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in places} == {0o600}


@pytest.mark.parametrize("installer", BOTH_INSTALLERS)
def test_s_install_with_a_login(project: ProjectFolder, private: LocalIndex, installer: str) -> None:
    def install(*more: str) -> list[Result]:
        url = private.url_with(LOGINS["literal"], "files/alpha-1.0-py3-none-any.whl")
        lines = [f"    s.install('--no-deps', {f'alpha @ {url}'!r})", *(f"    s.install({word!r})" for word in more)]
        index = private.url_with(LOGINS["literal"])
        project.write(
            "sessions/s.py",
            f"from setlist import session\n\n\n@session(installer={installer!r}, deps=['beta'], index_url={index!r})\n"
            "def s(s):\n" + "\n".join(lines) + "\n    s.run('python', '-c', 'import alpha')\n",
        )
        return [project.run_inside("s", check=True), project.run_inside("s", check=True)]

    results = [*install("delta"), *install()]
    assert project.installed("s").items() >= {("alpha", "1.0"), ("beta", "2.0")}
    assert "delta" not in project.installed("s")
    assert leaks(project, *results) == []


def test_a_noxfile_that_installs_with_a_login(project: ProjectFolder, private: LocalIndex) -> None:
    url = private.url_with(LOGINS["literal"], "files/delta-1.0-py3-none-any.whl")
    project.write(
        "noxfile.py",
        f"""
        import nox


        @nox.session
        def s(session):
            session.install("delta @ {url}")
            session.run("python", "-c", "import delta")
        """,
    )
    results = [project.run_inside("s", check=True), project.run_inside("s", check=True)]
    results += [project.setlist_inside("lock", check=True), project.run_inside("--locked", "-r", "s", check=True)]
    assert project.installed("s").items() >= {("delta", "1.0")}
    assert leaks(project, *results) == []


@pytest.mark.parametrize("installer", BOTH_INSTALLERS)
def test_an_installers_words_are_shown_without_the_login(
    project: ProjectFolder, private: LocalIndex, installer: str
) -> None:
    private.require_login("joe", "another")
    project.sessions(definition(private, "url", LOGINS["literal"], installer))
    failed = project.run_inside("s")
    assert failed.code == 1
    assert leaks(project, failed) == []


@pytest.mark.parametrize("installer", BOTH_INSTALLERS)
def test_a_login_from_version_control_is_kept(
    project: ProjectFolder, tmp_path: Path, installer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # what stands for the host: git asks a repository on this machine
    package = ProjectFolder(tmp_path / "repository")
    package.make_package("demo", "1.0")
    for words in (("init", "-q"), ("add", "."), ("commit", "-qm", "one")):
        subprocess.run(["git", *words], cwd=package.path, check=True)
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.{package.path.as_uri()}.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", f"https://joe:{SECRET}@h.invalid/demo.git")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    project.sessions(
        f"""
        [tool.setlist.session.s]
        installer = "{installer}"
        deps = ["demo @ git+https://joe:{SECRET}@h.invalid/demo.git"]
        run = ["python -c 'import demo'"]
        """
    )
    results = [project.run_inside("s", check=True), project.run_inside("-r", "s", check=True)]
    assert leaks(project, *results) == []
