"""The examples do what their READMEs say, as a user would run them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from shutil import copytree, ignore_patterns

import pytest

from support.project import ProjectFolder

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture
def example(tmp_path: Path, request: pytest.FixtureRequest) -> ProjectFolder:
    """A copy of the example that :func:`of` names."""
    folder = tmp_path / request.param
    copytree(EXAMPLES / request.param, folder, ignore=ignore_patterns(".setlist", "__pycache__"))
    return ProjectFolder(folder)


def of(name: str) -> pytest.MarkDecorator:
    """Run the test on a copy of this example."""
    return pytest.mark.parametrize("example", [name], indirect=True)


def pinned(requirements: str) -> set[str]:
    return {line.lower() for line in requirements.splitlines() if "==" in line and not line.startswith("#")}


def test_each_example_has_a_readme_and_a_test() -> None:
    names = {path.name for path in EXAMPLES.iterdir() if path.is_dir()}
    tested = set(re.findall(r'^@of\("(.+?)"\)', Path(__file__).read_text(encoding="utf-8"), re.MULTILINE))
    assert names == tested
    for name in names:
        assert (EXAMPLES / name / "README.md").is_file()


@of("hello")
def test_hello(example: ProjectFolder) -> None:
    assert example.run(check=True).out == "hello, world\n"
    assert example.run("hello", "--", "you", check=True).out == "hello, you\n"
    assert "Greet somebody" in example.run("--list", check=True).out


@of("functions")
def test_functions(example: ProjectFolder) -> None:
    example.write("text.md", "one two three\n")
    counted = example.run("words", "--", "text.md", check=True)
    assert "text.md: 3 words" in counted.err
    summed = example.run("digest", check=True)
    readme = len(example.read("README.md").split())
    assert summed.out == f"{readme} words in all\n"
    assert summed.err.index("words ") < summed.err.index("digest ")


@of("functions")
def test_functions_on_several_pythons(example: ProjectFolder) -> None:
    result = example.run("versions", check=True)
    ended = re.findall(r"^versions-py3(\d+) +(ok|skipped)", result.err, re.MULTILINE)
    assert [minor for minor, _ in ended] == ["10", "11", "12", "13"]
    ran = [minor for minor, status in ended if status == "ok"]
    assert ran, "none of the four Pythons was found"
    assert re.findall(r"^  Python 3\.(\d+)\.\d+, found", result.err, re.MULTILINE) == ran


@of("django-matrix")
def test_django_matrix_has_all_combinations(example: ProjectFolder) -> None:
    names = [session["name"] for session in example.setlist("list", "--json", check=True).json["sessions"]]
    assert names == ["web-py39-django32", "web-py39-django40", "web-py310-django32", "web-py310-django40"]


@pytest.mark.network
@of("django-matrix")
def test_two_djangos_side_by_side_and_one_recreated_elsewhere(example: ProjectFolder, tmp_path: Path) -> None:
    result = example.run("web-py39-django32", "web-py310-django40", check=True, env={"CI": "1"})
    assert re.search(r"^hello from Django 3\.2\.\d+ on Python 3\.9\.", result.out, re.MULTILINE)
    assert re.search(r"^hello from Django 4\.0\.\d+ on Python 3\.10\.", result.out, re.MULTILINE)

    example.setlist("freeze", "web-py39-django32", "-o", str(tmp_path / "frozen"), check=True)
    frozen = tmp_path / "frozen" / "web-py39-django32.txt"
    # the base installation: a virtual environment made from a virtual environment would do, but isn't "plain"
    asked = [str(example.python("web-py39-django32")), "-c", "import sys; print(sys._base_executable)"]
    base = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    elsewhere = tmp_path / "elsewhere"
    subprocess.run([base, "-m", "venv", elsewhere], check=True)
    python = elsewhere / ("Scripts/python.exe" if (elsewhere / "Scripts").is_dir() else "bin/python")
    subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", frozen], check=True)
    listed = subprocess.run([python, "-m", "pip", "freeze"], capture_output=True, text=True, check=True).stdout
    assert pinned(listed) == pinned(frozen.read_text(encoding="utf-8"))
    assert any(line.startswith("django==3.2.") for line in pinned(listed))


@pytest.mark.network
@of("library")
def test_library_in_each_way_of_installing_it(example: ProjectFolder) -> None:
    result = example.run(check=True)
    assert re.findall(r"^(\w+) +ok", result.err, re.MULTILINE) == ["test", "wheel", "sdist"]
    assert result.out.count("1 passed") == 3
    assert "hello, wheel\n" in result.out
    assert "hello, sdist\n" in result.out
    again = example.run("wheel", check=True)
    assert "reused" in again.err
