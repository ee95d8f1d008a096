"""What a lock is a function of: each kind of input makes just its own locks stale, on every machine the same ones."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from setlist.core.errors import SetlistError
from setlist.core.project import Project
from setlist.environment.pyproject import read_pyproject
from setlist.lock.inputs import LockInputs, _lower_bound, lock_inputs
from setlist.registry.load import load_registry
from support.project import ProjectFolder

PYPROJECT = """
[project]
name = "demo"
version = "1.0"
dependencies = ["alpha"]
[project.optional-dependencies]
fast = ["gamma[fast]"]
all = ["demo[fast]", "delta"]
docs = ["tool"]
[build-system]
requires = []
[dependency-groups]
base = ["beta"]
test = [{ include-group = "base" }, "delta"]
other = ["tool"]
[tool.setlist]
[tool.setlist.session.deps]
deps = ["alpha", "./libs/one"]
[tool.setlist.session.groups]
groups = ["test"]
[tool.setlist.session.files]
requirements = ["reqs/a.txt"]
constraints = ["reqs/c.txt"]
[tool.setlist.session.project]
project = "editable"
[tool.setlist.session.extras]
project = "wheel"
extras = ["all"]
[tool.setlist.session.matrix]
python = ["3.11"]
matrix = { n = ["1.0", "1.1"] }
deps = ["alpha=={n}"]
[tool.setlist.session.outside]
requirements = ["../shared.txt"]
[tool.setlist.session.none]
"""


@pytest.fixture
def sample(project: ProjectFolder) -> ProjectFolder:
    project.sessions(PYPROJECT)
    project.write("reqs/a.txt", "-r b.txt\n")
    project.write("reqs/b.txt", "-r deep/c.txt\n")
    project.write("reqs/deep/c.txt", "beta ; python_version < '4'\nx @ https://${TOKEN}@h.invalid/x.whl\n")
    project.write("reqs/c.txt", "beta<3\n")
    project.write("libs/one/pyproject.toml", '[project]\nname = "one"\nversion = "1"\n')
    (project.path.parent / "shared.txt").write_text("delta\n")
    return project


def digests(project: ProjectFolder) -> dict[str, dict[str, str]]:
    return {name: inputs.values for name, inputs in all_inputs(project).items()}


def all_inputs(project: ProjectFolder) -> dict[str, LockInputs]:
    place = Project(project.path)
    registry = load_registry(place)
    pyproject = read_pyproject(place)
    return {
        name: lock_inputs(place, registry.settings, session, pyproject) for name, session in registry.sessions.items()
    }


PP = "pyproject.toml"
NONE = "[tool.setlist.session.none]\n"
SETTINGS = "[tool.setlist]\n"


def edit(project: ProjectFolder, name: str, old: str, new: str) -> None:
    text = project.read(name)
    assert old in text
    (project.path / name).write_text(text.replace(old, new))


def of(*sessions: str, changed: str) -> dict[str, str]:
    return dict.fromkeys(sessions, changed)


@pytest.mark.parametrize(
    ("file", "old", "new", "stale"),
    [
        (PP, '["alpha", "./libs', '["alpha>1", "./libs', {"deps": "deps"}),
        (PP, '"alpha=={n}"', '"alpha==1.*,>={n}"', of("matrix-py311-n10", "matrix-py311-n11", changed="deps")),
        (PP, 'base = ["beta"]', 'base = ["beta>1"]', {"groups": "group test"}),
        (PP, 'other = ["tool"]', 'other = ["tool>1"]', {}),
        ("reqs/deep/c.txt", "beta ", "beta>1 ", {"files": "file reqs/deep/c.txt"}),
        ("reqs/c.txt", "beta<3", "beta<2", {"files": "file reqs/c.txt"}),
        (PP, 'constraints = ["reqs/c.txt"]\n', "", {"files": "constraints, file reqs/c.txt"}),
        # a requirement that was a constraint: the same files still
        (
            PP,
            '["reqs/a.txt"]\nconstraints = ["reqs/c.txt"]',
            '["reqs/a.txt", "reqs/c.txt"]',
            {"files": "constraints, requirements"},
        ),
        ("libs/one/pyproject.toml", '"1"', '"2"', {"deps": "local libs/one"}),
        ("../shared.txt", "delta", "delta>1", {"outside": "file ../shared.txt"}),
        (
            PP,
            '["alpha"]\n[project.opt',
            '["alpha>1"]\n[project.opt',
            of("project", "extras", changed="project metadata"),
        ),
        (PP, "gamma[fast]", "gamma[slow]", {"extras": "project metadata"}),
        (PP, 'docs = ["tool"]', 'docs = ["tool>1"]', {}),
        (PP, 'extras = ["all"]', 'extras = ["fast"]', {"extras": "extras, project metadata"}),
        (PP, 'version = "1.0"', 'version = "1.1"\ndescription = "x"\nscripts = { x = "y:z" }', {}),
        (
            PP,
            'version = "1.0"',
            'version = "1.0"\nrequires-python = ">=3.9"',
            of("project", "extras", changed="project metadata"),
        ),
        (PP, NONE, f'{NONE}python = "3.12"\n', {"none": "python"}),
        (PP, NONE, f'{NONE}resolution = "lowest-direct"\n', {"none": "resolution"}),
        (PP, NONE, f'{NONE}exclude-newer = "7 days"\n', {"none": "exclude-newer"}),
        (PP, NONE, f'{NONE}index-url = "https://i.invalid/"\n', {"none": "index-url"}),
        (PP, NONE, f'{NONE}run = ["x"]\nenv = {{ A = "b" }}\ninstaller = "pip"\n', {}),
        (PP, SETTINGS, f'{SETTINGS}lock-platforms = ["linux"]\n', "platforms"),
        (PP, SETTINGS, f"{SETTINGS}lock-consistent = true\n", "one version for all"),
        (PP, SETTINGS, f'[tool.uv]\nprerelease = "allow"\n{SETTINGS}', "tool.uv"),
    ],
)
def test_an_input_that_changes_makes_just_its_own_locks_stale(
    sample: ProjectFolder, file: str, old: str, new: str, stale: dict[str, str] | str
) -> None:
    before = digests(sample)
    edit(sample, file, old, new)
    after = digests(sample)
    changed = {
        name: ", ".join(
            sorted(key for key in values.keys() | after[name].keys() if values.get(key) != after[name].get(key))
        )
        for name, values in before.items()
        if values != after[name]
    }
    assert changed == (dict.fromkeys(before, stale) if isinstance(stale, str) else stale)


def of_uv(project: ProjectFolder) -> str | None:
    return digests(project)["none"].get("tool.uv")


def test_a_uv_toml_overrules_the_table_and_those_above_it(sample: ProjectFolder) -> None:
    above = sample.path.parent
    (above / ".git").mkdir()
    assert of_uv(sample) is None
    (above / "pyproject.toml").write_text('[tool.uv]\nprerelease = "allow"\n')
    of_the_repository = of_uv(sample)
    assert of_the_repository is not None
    (above / "pyproject.toml").write_text("nobody's TOML")
    assert of_uv(sample) is None
    (above / "uv.toml").write_text('prerelease = "allow"\n')
    assert of_uv(sample) == of_the_repository
    edit(sample, PP, SETTINGS, f'[tool.uv]\nprerelease = "disallow"\n{SETTINGS}')
    own = of_uv(sample)
    assert own not in (None, of_the_repository)
    sample.write("uv.toml", 'prerelease = "allow"\n')
    assert of_uv(sample) == of_the_repository
    sample.write("uv.toml", "nobody's TOML")
    with pytest.raises(SetlistError, match=r"uv\.toml"):
        of_uv(sample)


def test_settings_above_the_repository_are_this_machines(sample: ProjectFolder) -> None:
    sample.write(".git/HEAD", "")
    (sample.path.parent / "uv.toml").write_text('prerelease = "allow"\n')
    assert of_uv(sample) is None


def test_it_is_the_same_on_every_machine(
    sample: ProjectFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = digests(sample)
    elsewhere = tmp_path / "another place"
    shutil.copytree(sample.path, elsewhere / "called otherwise")
    shutil.copy(tmp_path / "shared.txt", elsewhere)
    # a Windows checkout has other line ends; a build has left something; other variables are set
    for name in ("reqs/deep/c.txt", "reqs/c.txt", "pyproject.toml", "libs/one/pyproject.toml"):
        file = elsewhere / "called otherwise" / name
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    (elsewhere / "called otherwise/libs/one/build.so").write_bytes(b"\0")
    for name, value in {
        "TOKEN": "x",
        "UV_INDEX_URL": "https://i.invalid",
        "UV_PRERELEASE": "allow",
        "PIP_PRE": "1",
    }.items():
        monkeypatch.setenv(name, value)
    assert digests(ProjectFolder(elsewhere / "called otherwise")) == here
    assert all(len(value) == 16 for values in here.values() for value in values.values())


@pytest.mark.skipif(sys.platform == "win32", reason="another interpreter is looked for as pythonX.Y")
def test_it_is_the_same_on_every_interpreter(sample: ProjectFolder, tmp_path: Path) -> None:
    # not a matter of the hash seed or of sys.version either
    code = (
        "import sys, json; sys.path[:0] = sys.argv[2:]\n"
        "from pathlib import Path; from setlist.core.project import Project\n"
        "from setlist.registry.load import load_registry; from setlist.environment.pyproject import read_pyproject\n"
        "from setlist.lock.inputs import lock_inputs\n"
        "place = Project(Path(sys.argv[1])); registry = load_registry(place); p = read_pyproject(place)\n"
        "found = {n: lock_inputs(place, registry.settings, s, p).values for n, s in registry.sessions.items()}\n"
        "print(json.dumps(found))"
    )
    other = next((path for minor in (13, 12, 10) if (path := shutil.which(f"python3.{minor}")) and _works(path)), None)
    paths = [entry for entry in sys.path if entry]
    found = [
        subprocess.run(
            [python, "-c", code, str(sample.path), *paths],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        )
        for python, seed in ((sys.executable, "1"), (other or sys.executable, "2"))
    ]
    assert found[0].stdout == found[1].stdout != "", found[1].stderr


def _works(python: str) -> bool:
    return subprocess.run([python, "-c", "import tomllib"], capture_output=True).returncode == 0


@pytest.mark.parametrize(
    ("python", "requires_python", "expected"),
    [
        (None, None, ("3.10", None)),  # it runs on what setlist runs on
        (None, ">=3.8", ("3.10", None)),
        (None, ">=3.12", ("3.12", None)),
        ("3.12", ">=3.8", ("3.12", "3.12")),
        ("3.12.1", None, ("3.12", "3.12")),
        ("py39", None, ("3.9", "3.9")),
        ("pypy3.11", None, ("3.11", "3.11")),
        ("3.13t", None, ("3.13", "3.13")),
        (">=3.9.2", None, ("3.9", None)),
        ("3", ">=3.9", ("3.9", None)),
        ("/opt/python", None, ("3.8", None)),
        ("/opt/python", ">=3.9,<3.12", ("3.9", None)),
        ("/opt/python", "nonsense", ("3.8", None)),
        ("/opt/python", "<3", ("3.8", None)),
    ],
)
def test_which_pythons_a_lock_is_for(
    project: ProjectFolder, python: str | None, requires_python: str | None, expected: tuple[str, str | None]
) -> None:
    lines = ["[project]", 'name = "demo"', 'version = "1"'] if requires_python else []
    lines += [f'requires-python = "{requires_python}"'] if requires_python else []
    lines += ["[tool.setlist.session.lint]", *([f'python = "{python}"'] if python else [])]
    project.sessions("\n".join(lines) + "\n")
    (found,) = all_inputs(project).values()
    assert (found.python, found.only) == expected


def test_a_project_whose_backend_computes_its_requirements(project: ProjectFolder) -> None:
    project.make_package("demo", dynamic=True, sessions='[tool.setlist.session.test]\nproject = "wheel"\n')
    before = digests(project)
    edit(project, PP, "[build-system]", '[project.urls]\nx = "y"\n[project.scripts]\nx = "demo:main"\n[build-system]')
    assert digests(project) != before, "what isn't written there may depend on anything"


def test_an_input_that_cant_be_read_is_told(sample: ProjectFolder) -> None:
    (sample.path / "reqs/deep/c.txt").unlink()
    with pytest.raises(SetlistError, match="no such file"):
        digests(sample)


@pytest.mark.parametrize(
    "specifier",
    """
    >=3.10|>=3.9.2|>= 3.12 |>=3.8,<4|>=3.8, <4.0|>=3.0|>=3.49|>=3.50|>=3.09|>=3.10.100|>=3|>3.9|>=3.10,<3.12|>=2.7
    ==3.11.*|~=3.10|>=3.10,!=3.10.1|<4|>=3.8,<4.1|>=3.10rc1|>=3.8,<3|nonsense|>=3.10;|>=3.10,<40
    """.replace("\n", "|").split("|"),
)
def test_the_oldest_python_is_told_alike_with_and_without_packaging(specifier: str) -> None:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        specifiers = SpecifierSet(specifier)
        expected = next((f"3.{minor}" for minor in range(50) if specifiers.contains(f"3.{minor}.99")), None)
    except InvalidSpecifier:
        expected = None
    assert _lower_bound(specifier) == expected
