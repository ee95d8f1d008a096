"""Everything that a session asks for is found, wherever it is written down."""

from __future__ import annotations

import re

import pytest

from setlist.core.errors import ConfigurationError
from setlist.core.model import EnvironmentSpec, Origin, SessionSpec
from setlist.core.project import Project
from setlist.engine.world import World
from setlist.environment.pyproject import read_pyproject
from setlist.environment.requirements import Requirements, gather
from support.project import ProjectFolder


def gathered(folder: ProjectFolder, environ: dict[str, str] | None = None, /, **spec: object) -> Requirements:
    session = SessionSpec(
        name="lint-py311",
        family="lint",
        origin=Origin("pyproject.toml", 7),
        environment=EnvironmentSpec(**spec),  # type: ignore[arg-type]
    )
    place = Project(folder.path)
    return gather(place, session, read_pyproject(place), World(str(place.root), environ or {}))


def test_dependencies_are_taken_as_written(project: ProjectFolder) -> None:
    found = gathered(project, deps=("Alpha[fast]>=1", "beta; python_version > '3'"))
    assert found.lines == ["Alpha[fast]>=1", "beta; python_version > '3'"]
    assert found.direct == {"alpha", "beta"}
    assert found.inputs["deps"] == "Alpha[fast]>=1, beta; python_version > '3'"


def test_groups_include_groups(project: ProjectFolder) -> None:
    project.write(
        "pyproject.toml",
        """
        [dependency-groups]
        test = ["alpha", {include-group = "More.Things"}]
        more-things = ["delta"]
        """,
    )
    found = gathered(project, groups=("Test",))
    assert found.lines == ["alpha", "delta"]
    assert found.inputs["group Test"] == "alpha, delta"


def test_an_unknown_group_is_named_with_the_nearest(project: ProjectFolder) -> None:
    project.write("pyproject.toml", "[dependency-groups]\ntests = []\n")
    with pytest.raises(ConfigurationError) as error:
        gathered(project, groups=("test",))
    assert str(error.value) == "pyproject.toml:7: lint.groups: there is no dependency group 'test' in pyproject.toml"
    assert error.value.hint == "did you mean 'tests'?"


@pytest.mark.parametrize(
    ("groups", "told"),
    [
        ('a = [{include-group = "a"}]', "a → a"),
        ('a = ["???"]', "'???' is no requirement: Expected"),
        ('a = [{include-group = "gone"}]', "includes 'gone', and there is no such group"),
        ("a = [1]", "1 is neither a requirement nor"),
        ('a = "alpha"', "it isn't a list"),
    ],
)
def test_a_malformed_group_is_an_error_that_says_why(project: ProjectFolder, groups: str, told: str) -> None:
    project.write("pyproject.toml", f"[dependency-groups]\n{groups}\n")
    with pytest.raises(ConfigurationError) as error:
        gathered(project, groups=("a",))
    assert error.value.file == "pyproject.toml"
    assert told in error.value.message


def test_files_are_read_with_all_that_they_include(project: ProjectFolder) -> None:
    project.write("a/dev.txt", "alpha==1.0  # why\n-r sub/base.txt\n--constraint=limits.txt\n")
    project.write("a/sub/base.txt", "-r ../dev.txt\nBeta_X>=1\n# -r absent.txt\n-e ./lib\n")
    project.write("a/limits.txt", "zeta<2\n")
    project.write("lib/pyproject.toml", "")
    found = gathered(project, requirements=("a/dev.txt",))
    assert {name for name in found.inputs if name.startswith("file")} == {
        "file a/dev.txt",
        "file a/sub/base.txt",
        "file a/limits.txt",
    }
    assert "local lib" in found.inputs, "installers read a file's paths from where they are started"
    assert found.direct == {"alpha", "beta-x"}  # a constraint asks for nothing
    assert found.files == [project.path / "a/dev.txt"]


@pytest.mark.parametrize(
    "line",
    [
        "-r base.txt",
        "-rbase.txt",
        "--requirement base.txt",
        "--requirement=base.txt",
        "-c base.txt",
        '-r "base.txt"',
        "-r base.txt  # why",
    ],
)
def test_every_spelling_of_an_include_is_followed(project: ProjectFolder, line: str) -> None:
    project.write("requirements.txt", f"{line}\n")
    project.write("base.txt", "alpha\n")
    assert "file base.txt" in gathered(project, requirements=("requirements.txt",)).inputs


def test_a_variable_in_a_file_is_an_input(project: ProjectFolder) -> None:
    project.write("requirements.txt", "--index-url https://${HOST}.invalid/\nalpha\n")
    first = gathered(project, {"HOST": "a"}, requirements=("requirements.txt",))
    second = gathered(project, {"HOST": "b"}, requirements=("requirements.txt",))
    assert first.inputs != second.inputs
    assert first.options


def test_a_variable_that_is_a_login_is_no_input(project: ProjectFolder) -> None:
    project.write("requirements.txt", "--index-url https://${TOKEN}@example.invalid/\nalpha\n")
    first = gathered(project, {"TOKEN": "a"}, requirements=("requirements.txt",))
    assert first.inputs == gathered(project, {"TOKEN": "b"}, requirements=("requirements.txt",)).inputs
    assert first.options
    assert "a@example" not in str(first.inputs)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("# all\n\n  alpha==1.0 --hash=sha256:00  # one\n\n", True),
        ("# ${UNUSED}\nalpha==1.0 --hash=sha256:00\n", True),
        ("alpha==1.0 --hash=sha256:01\n", False),
        ("alpha==1.0#egg --hash=sha256:00\n", False),
    ],
)
def test_a_comment_in_a_file_is_no_input(project: ProjectFolder, text: str, same: bool) -> None:
    project.write("reqs.txt", "alpha==1.0 --hash=sha256:00\n")
    before = gathered(project, requirements=("reqs.txt",)).inputs
    project.write("reqs.txt", text)
    after = gathered(project, {"UNUSED": "x"}, requirements=("reqs.txt",)).inputs
    assert (after == before) is same


def test_hashes_in_a_file_are_seen(project: ProjectFolder) -> None:
    project.write("requirements.txt", "alpha==1.0 --hash=sha256:00\n")
    assert gathered(project, requirements=("requirements.txt",)).hashed


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("./libs/a", "{uri}/libs/a"),
        ("-e ./libs/a", "-e {uri}/libs/a"),
        ("a @ ./libs/a", "a @ {uri}/libs/a"),
        ("./libs/a[fast]", "{root}/libs/a[fast]"),
        ("./libs/named[fast]", "named[fast] @ {uri}/libs/named"),
        ("./libs/a ; python_version > '3'", "{uri}/libs/a ; python_version > '3'"),
        ("a @ ./libs/a ; python_version > '3'", "a @ {uri}/libs/a ; python_version > '3'"),
        ("a @ https://example.invalid/a.whl", "a @ https://example.invalid/a.whl"),
        ("git+https://example.invalid/a.git", "git+https://example.invalid/a.git"),
        ("alpha", "alpha"),
    ],
)
def test_local_paths_mean_the_projects_root(project: ProjectFolder, written: str, kept: str) -> None:
    project.write("libs/a/pyproject.toml", "")
    project.write("libs/named/pyproject.toml", "[project]\nname = 'named'\n")
    root = project.path.resolve()
    found = gathered(project, deps=(written,))
    assert found.lines == [kept.format(root=root, uri=root.as_uri())]


def test_a_copied_local_project_is_an_input_as_a_whole_and_an_editable_one_by_its_metadata(
    project: ProjectFolder,
) -> None:
    project.write("lib/pyproject.toml", "[project]\nname = 'lib'\n")
    source = project.write("lib/mod.py", "a = 1\n")
    copied, linked = gathered(project, deps=("./lib",)).inputs, gathered(project, deps=("-e ./lib",)).inputs
    source.write_text("a = 2\n")
    assert gathered(project, deps=("./lib",)).inputs["local lib"] != copied["local lib"]
    assert gathered(project, deps=("-e ./lib",)).inputs["local lib"] == linked["local lib"]
    project.write("lib/pyproject.toml", "[project]\nname = 'x'\n")
    assert gathered(project, deps=("-e ./lib",)).inputs["local lib"] != linked["local lib"]


def test_a_local_wheel_is_an_input_by_its_content(project: ProjectFolder) -> None:
    wheel = project.write("a-1-py3-none-any.whl", "one")
    before = gathered(project, deps=("./a-1-py3-none-any.whl",)).inputs
    wheel.write_text("two")
    assert gathered(project, deps=("./a-1-py3-none-any.whl",)).inputs != before
    wheel.unlink()
    assert gathered(project, deps=("./a-1-py3-none-any.whl",)).inputs["local a-1-py3-none-any.whl"] == "missing"


def test_extras_without_the_project_are_refused(project: ProjectFolder) -> None:
    with pytest.raises(ConfigurationError, match="extras are the project's") as error:
        gathered(project, extras=("fast",))
    assert 'project = "editable"' in (error.value.hint or "")


def test_the_project_is_one_more_requirement(project: ProjectFolder) -> None:
    project.make_package(extras={"fast": ["delta"]})
    uri = project.path.as_uri()
    assert gathered(project, project="editable", extras=("fast",)).project_line == f"-e {uri}[fast]"
    assert gathered(project, project="wheel").project_line == f"demo @ {uri}"
    assert gathered(project, project="sdist", extras=("fast",)).project_line == f"demo[fast] @ {uri}"


def test_a_broken_pyproject_is_told_with_its_place(project: ProjectFolder) -> None:
    project.write("pyproject.toml", "[project\n")
    with pytest.raises(ConfigurationError, match=r"pyproject\.toml:1: this is not TOML"):
        gathered(project)


@pytest.mark.parametrize("written", ["-f wheels", "--find-links 'wheels'", '--find-links="wheels"  # beside this file'])
def test_wheels_beside_a_file_have_a_place_of_their_own(project: ProjectFolder, written: str) -> None:
    project.write("a b/r.txt", f"{written}\n")
    lines = gathered(project, requirements=("a b/r.txt",)).option_lines
    assert [re.split(r"[ =]", line)[-1] for line in lines] == [(project.path / "a b" / "wheels").as_uri()]
