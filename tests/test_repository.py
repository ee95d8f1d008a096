"""The repository: the commands of its README, its CI, and the contents of its files."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
CHECKED = (
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    ".pre-commit-config.yaml",
    ".pre-commit-hooks.yaml",
    "action.yml",
    "pyproject.toml",
    "noxfile.py",
    ".ci",
    ".github",
    "benchmarks",
    "docs",
    "examples",
    "man",
    "sessions",
    "src",
    "tests",
)


def files() -> list[Path]:
    paths = []
    for name in CHECKED:
        path = ROOT / name
        for file in [path] if path.is_file() else sorted(path.rglob("*")):
            hidden = any(part in (".setlist", "__pycache__") for part in file.parts)
            if file.is_file() and not hidden and file.suffix not in (".pyc", ".whl"):
                paths.append(file)
    return paths


def test_only_the_provider_of_noxfiles_knows_nox() -> None:
    source = ROOT / "src" / "setlist"
    # the public module, where the provider is registered, and the names of directories
    allowed = {"nox.py", "providers/__init__.py", "core/project.py", "engine/source_tree.py"}
    mention = {
        file.relative_to(source).as_posix()
        for file in source.rglob("*.py")
        if re.search(r"\bnox\b|noxfile", file.read_text(encoding="utf-8"), re.IGNORECASE)
    }
    assert {file for file in mention - allowed if not file.startswith(("cli/", "providers/nox/"))} == set()


def commands_of_readme() -> list[str]:
    section = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Working on setlist")[2]
    return re.findall(r"^\$ (.+)$", section, re.MULTILINE)


def test_the_readme_sets_up_in_one_line_and_tests_in_another() -> None:
    first, second = commands_of_readme()
    assert first.endswith("run lint")
    assert second.endswith("run -j auto")


def test_ci_runs_the_readmes_commands_to_the_letter() -> None:
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    first, second = commands_of_readme()
    assert lines.index(first) < lines.index(second)
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_the_workflow_runs_the_readmes_commands() -> None:
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    assert commands_of_readme()[0] in workflow
    for system in ("ubuntu", "macos", "windows"):
        assert f"{system}-latest" in workflow


def test_every_python_is_tested_and_declared() -> None:
    from setlist.cli.python_releases import RELEASES
    from setlist.core.toml import parse_toml

    metadata = parse_toml((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    versions = [version for version, *_ in RELEASES]
    versions = versions[versions.index(metadata["requires-python"].removeprefix(">=")) :]
    prefix = "Programming Language :: Python :: 3."
    assert [f"3.{text.removeprefix(prefix)}" for text in metadata["classifiers"] if text.startswith(prefix)] == versions

    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    matrix = workflow["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert matrix == [*versions, "3.14t"]
    sessions = (ROOT / "sessions" / "testing.py").read_text(encoding="utf-8")
    assert f"PYTHONS = {matrix}".replace("'", '"') in sessions
    installed = workflow["jobs"]["whole"]["steps"][1]["with"]["python-version"].split()
    assert set(matrix) <= set(installed)

    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    default = parse_toml((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setlist"]["default"]
    named = {*re.findall(r"test-py\w+", script), *default}
    # which has fifteen minutes: 3.12 lies between two that it tests, and is the workflow's alone
    assert {f"test-py{version.replace('.', '')}" for version in matrix if version != "3.12"} <= named


def used_actions() -> list[tuple[Path, str]]:
    """The value of each ``uses:`` in the repository's workflows and actions, and in those that the manual proposes."""
    pages = [*(ROOT / ".github").rglob("*.yml"), ROOT / "action.yml", *(ROOT / "docs").glob("*.md")]
    lines = [(page, line) for page in sorted(pages) for line in page.read_text(encoding="utf-8").splitlines()]
    return [(page, match[1]) for page, line in lines if (match := re.match(r" *(?:- )?uses: (.+)", line))]


def test_actions_are_pinned_by_commit_and_name_their_version() -> None:
    # an action of this repository has no version
    foreign = [(page, action) for page, action in used_actions() if not action.startswith("./")]
    assert foreign
    for page, action in foreign:
        assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), f"{page.name}: {action}"


YAML_FILES = [*sorted((ROOT / ".github").rglob("*.yml")), ROOT / ".pre-commit-config.yaml", ROOT / "action.yml"]


@pytest.mark.parametrize("file", YAML_FILES, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_workflows_and_forms_are_yaml(file: Path) -> None:
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert isinstance(content, dict)
    if file.parent.name == "workflows":
        assert "permissions" in content
        for job in content["jobs"].values():
            assert isinstance(job["timeout-minutes"], int)
            assert all({"run", "uses"} & step.keys() for step in job["steps"])
    elif file.parent.name == "ISSUE_TEMPLATE":
        names = [field.get("id") for field in content["body"] if field["type"] != "markdown"]
        assert len(set(names)) == len(names) > 0


def test_each_action_has_one_version_everywhere() -> None:
    versions: dict[str, set[str]] = {}
    for _, action in used_actions():
        versions.setdefault(action.partition("@")[0], set()).add(action)
    assert [sorted(pins) for pins in versions.values() if len(pins) > 1] == []


def test_a_release_is_published_by_identity_and_attested() -> None:
    workflow = (ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8")
    build, _, publish = workflow.partition("\n  publish:\n")
    assert "id-token: write" not in build
    for line in ("environment: pypi", "id-token: write", "attestations: true"):
        assert line in publish
    assert "secrets." not in workflow
    assert "--locked build smoke" in build


def test_the_changelog_has_a_section_for_this_version() -> None:
    from setlist import __version__

    assert f"\n## {__version__}\n" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f'\nversion = "{__version__}"\n' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_contributing_has_the_commands_of_the_readme() -> None:
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert re.findall(r"^\$ (.+)$", contributing, re.MULTILINE) == commands_of_readme()


def test_a_commit_is_checked_by_the_session_that_ci_runs() -> None:
    assert "entry: .venv/bin/run lint\n" in (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")


def test_ci_takes_no_session_without_its_lock() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    plain = set(re.findall(r"run (?:lint|-j auto)$", "\n".join(commands_of_readme()), re.MULTILINE))
    for text in (script, workflow):
        assert "setlist lock --check" in text
        started = re.findall(r"\.venv[/\\]\w+[/\\](run .*)$", text, re.MULTILINE)
        assert started
        assert all("--locked" in words or words in plain for words in started)


def test_ci_run_is_a_script_that_bash_understands() -> None:
    try:
        subprocess.run(["bash", "-n", str(ROOT / ".ci" / "run")], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("there is no bash here")


# GitHub runs these steps by its own bash, on Windows too
@pytest.mark.skipif(shutil.which("bash") is None, reason="the action's steps are bash, which isn't installed here")
@pytest.mark.parametrize(
    ("locked", "file", "arguments"),
    [
        ("auto", None, "-j auto test-*"),
        ("auto", "sessions/locks/test.txt", "--locked -j auto test-*"),
        ("auto", ".sessions/locks/pylock.test.toml", "--locked -j auto test-*"),
        ("auto", "sessions/test.py", "-j auto test-*"),
        ("true", None, "--locked -j auto test-*"),
        ("false", "sessions/locks/test.txt", "-j auto test-*"),
    ],
)
def test_the_action_requires_locks_where_there_are_some(
    tmp_path: Path, locked: str, file: str | None, arguments: str
) -> None:
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    step = action["runs"]["steps"][-1]
    assert set(re.findall(r"inputs\.(\w+)", str(action["runs"]))) == set(action["inputs"])
    (tmp_path / "test-glob").touch()
    if file is not None:
        (tmp_path / file).parent.mkdir(parents=True)
        (tmp_path / file).touch()
    script = f'run() {{ printf "%s\\n" "$*"; }}\n{step["run"]}'
    environ = {**os.environ, "ARGUMENTS": "-j auto test-*", "LOCKED": locked}
    done = subprocess.run(["bash", "-e", "-c", script], cwd=tmp_path, env=environ, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, arguments)


def test_the_hooks_for_other_repositories_start_commands_that_exist() -> None:
    from setlist.cli.options import parse
    from setlist.cli.run import OPTIONS
    from setlist.cli.verbs import load_verb

    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    documented = (ROOT / "docs" / "pre-commit.md").read_text(encoding="utf-8")
    assert [hook["id"] for hook in hooks] == re.findall(r"^\| `(setlist-\w+)` \|", documented, re.MULTILINE)
    for hook in hooks:
        assert (hook["language"], hook["pass_filenames"]) == ("python", False)
        program, *words = hook["entry"].split()
        options = OPTIONS if program == "run" else load_verb(words.pop(0)).OPTIONS
        parse(words, options, command=hook["entry"])


FOREIGN = ["pypi" + ".org", "pythonhosted" + ".", "/" + "root/", "/" + "work/main", "/tmp" + "/w/"]


@pytest.mark.parametrize("word", FOREIGN)
def test_no_file_names_a_registry_or_a_local_directory(word: str) -> None:
    for file in files():
        text = file.read_text(encoding="utf-8", errors="replace")
        assert word not in text.lower(), f"{file.relative_to(ROOT)} holds {word!r}"


def test_every_module_has_a_docstring() -> None:
    import ast

    for file in sorted((ROOT / "src").rglob("*.py")):
        assert ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))), f"{file.name} has no docstring"
