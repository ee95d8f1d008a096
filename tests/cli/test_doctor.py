"""``setlist doctor``: what is wrong here, and what to do."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from setlist import STATE_DIRECTORY
from support.project import ProjectFolder


def checks(project: ProjectFolder, **rest: Any) -> dict[str, tuple[str, str, str | None]]:
    data = project.setlist_inside("doctor", "--json", **rest).json
    assert data["format"] == 1
    return {check["name"]: (check["status"], check["message"], check["remedy"]) for check in data["checks"]}


def test_a_sound_project_is_all_ok(project: ProjectFolder, wheelhouse: Path) -> None:
    project.sessions('[tool.setlist.session.lint]\ndeps = ["alpha"]\n')
    result = project.setlist_inside("doctor")
    assert result.code == 0, result
    assert "fail" not in result.out
    for name in ("project", "definitions", "storage", "cache", "uv", "virtualenv", "python"):
        assert f"ok    {name}: " in result.out


def test_quiet_leaves_out_what_is_well(project: ProjectFolder) -> None:
    project.sessions("[tool.setlist.session.lint]\n")
    assert "ok  " not in project.setlist_inside("doctor", "-q").out


def test_no_project_fails_and_the_rest_is_still_checked(project: ProjectFolder) -> None:
    result = project.setlist_inside("doctor")
    assert result.code == 1
    assert "fail  project: no project found" in result.out
    assert "setlist init" in result.out
    assert "uv: " in result.out


def test_broken_definitions_fail_with_their_place(project: ProjectFolder) -> None:
    project.write("pyproject.toml", "[tool.setlist.session.lint]\ndesp = 1\n")
    status, message, _ = checks(project)["definitions"]
    assert status == "fail"
    assert "pyproject.toml:2" in message


def test_no_sessions_are_a_warning(project: ProjectFolder) -> None:
    project.write("pyproject.toml", "[tool.setlist]\n")
    assert checks(project)["definitions"][0] == "warn"


def test_a_missing_interpreter_is_named_with_its_sessions(project: ProjectFolder) -> None:
    project.sessions('[tool.setlist.session.old]\npython = "3.1"\n')
    status, message, remedy = checks(project)["python 3.1"]
    assert status == "warn"
    assert "(for old)" in message
    assert remedy
    found = checks(project, env={"CI": "true"})
    assert found["python 3.1"][0] == "fail"
    assert found["CI"][0] == "ok"


def test_leaked_variables_are_told(project: ProjectFolder) -> None:
    project.sessions("[tool.setlist.session.lint]\n")
    found = checks(project, env={"PYTHONPATH": "/x", "VIRTUAL_ENV": "/y", "HOME": None})
    assert "VIRTUAL_ENV, PYTHONPATH set;" in found["variables"][1]
    assert found["HOME"][0] == "warn"


def test_an_index_that_only_pip_is_told_of_is_a_warning(project: ProjectFolder) -> None:
    project.sessions("[tool.setlist.session.lint]\n")
    assert "indexes" not in checks(project, env={"PIP_INDEX_URL": "https://me:secret@example.invalid/"})
    environ = {"PIP_INDEX_URL": "https://me:secret@example.invalid/", "UV_DEFAULT_INDEX": None}
    status, message, remedy = checks(project, env=environ)["indexes"]
    assert (status, message) == ("warn", "an index is configured only for pip, in PIP_INDEX_URL")
    assert "UV_DEFAULT_INDEX" in str(remedy)
    project.sessions('[tool.setlist.session.lint]\ninstaller = "pip"\n')
    assert "indexes" not in checks(project, env=environ)


def test_environments_of_gone_sessions_and_unfinished_ones(project: ProjectFolder) -> None:
    project.sessions("[tool.setlist.session.lint]\n")
    project.environment("gone").mkdir(parents=True)
    project.environment("lint").mkdir()
    out = project.setlist_inside("doctor").out
    assert "of removed sessions: gone" in out
    assert "unfinished or damaged: lint" in out


def test_storage_that_cannot_be_used_fails(project: ProjectFolder, tmp_path: Path) -> None:
    project.sessions("[tool.setlist.session.lint]\n")
    project.write(".setlist", "a file")
    assert checks(project)["storage"][0] == "fail"
    (project.path / ".setlist").unlink()
    (tmp_path / "file").write_text("")
    status, _, remedy = checks(project, env={"SETLIST_CACHE_DIR": str(tmp_path / "file")})["cache"]
    assert status == "fail"
    assert remedy is not None
    assert "SETLIST_CACHE_DIR" in remedy


def test_little_space_is_a_warning(project: ProjectFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    project.sessions("[tool.setlist.session.lint]\n")
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    status, message, remedy = checks(project)["disk"]
    assert (status, message) == ("warn", "only 1.0 kB are free")
    assert remedy


def test_git_is_told(project: ProjectFolder) -> None:
    project.sessions("[tool.setlist.session.lint]\n")
    (project.path / ".git").mkdir()
    assert checks(project)["git"][0] == "ok"
    (project.path / STATE_DIRECTORY / ".gitignore").unlink()
    (project.path / STATE_DIRECTORY / ".gitignore").mkdir()
    assert checks(project)["git"][0] == "warn"


def test_a_uv_without_its_program_fails(
    project: ProjectFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.sessions("[tool.setlist.session.lint]\n")
    fake = tmp_path / "uv"
    fake.write_text("#!/bin/sh\necho broken >&2\nexit 7\n")
    fake.chmod(0o755)
    monkeypatch.setattr("uv.find_uv_bin", lambda: str(fake))
    assert "failed with exit code 7: broken" in checks(project)["uv"][1]
    fake.chmod(0o644)
    assert checks(project)["uv"][0] == "fail"

    def missing() -> str:
        raise FileNotFoundError("not here")

    monkeypatch.setattr("uv.find_uv_bin", missing)
    assert "not here" in checks(project)["uv"][1]


def test_run_missing_from_path_is_a_warning(project: ProjectFolder) -> None:
    project.sessions("[tool.setlist.session.lint]\n")
    assert checks(project, env={"PATH": "/nowhere"})["command"][0] == "warn"


def test_words_are_refused(project: ProjectFolder) -> None:
    assert project.setlist_inside("doctor", "lint").code == 2


TOOLS = [
    ({"pyproject.toml": "[tool.pylint.main]\njobs = 2\n"}, "pylint", 'ignore = [".setlist"] in [tool.pylint.main]'),
    ({".pylintrc": "[MAIN]\n"}, "pylint", 'ignore = [".setlist"] in [tool.pylint.main]'),
    ({"pyproject.toml": "[tool.vulture]\n"}, "vulture", 'exclude = [".setlist/"] in [tool.vulture]'),
    ({".prettierrc": "{}"}, "prettier", "the line .setlist/ to .prettierignore"),
    ({"package.json": '{"devDependencies": {"prettier": "3"}}'}, "prettier", "the line .setlist/ to .prettierignore"),
    ({"Dockerfile": "FROM scratch\n"}, "docker", "the line .setlist to .dockerignore"),
]


@pytest.mark.parametrize(("files", "tool", "line"), TOOLS)
def test_tool_that_reads_environments_is_named_with_the_line_to_add(
    project: ProjectFolder, files: dict[str, str], tool: str, line: str
) -> None:
    project.write("ci.toml", "[session.lint]\n")
    for name, text in files.items():
        project.write(name, text)
    out = project.setlist_inside("doctor", "-f", "ci.toml").out
    assert f"{tool}" in out
    assert line in out
    assert line in project.setlist_inside("init", check=True).out
    outside = {"SETLIST_ENV_DIR": str(project.path.parent / "envs")}
    still = line in project.setlist_inside("doctor", "-f", "ci.toml", env=outside).out
    assert still is (tool in ("prettier", "docker"))  # which read more than Python


@pytest.mark.parametrize(
    "files",
    [
        {"pyproject.toml": '[tool.pylint.main]\nignore = [".setlist"]\n[tool.vulture]\nexclude = [".setlist/"]\n'},
        {"Dockerfile": "", ".dockerignore": "/.setlist\n", ".prettierrc": "", ".prettierignore": ".setlist/\n"},
        {"a.py": ""},
    ],
)
def test_tool_that_is_told_already_is_not_named(project: ProjectFolder, files: dict[str, str]) -> None:
    project.write("ci.toml", "[session.lint]\n")
    for name, text in files.items():
        project.write(name, text)
    assert "reads the environments in .setlist" not in project.setlist_inside("doctor", "-f", "ci.toml").out
