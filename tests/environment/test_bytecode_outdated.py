"""What is compiled of a module goes when another version of the module comes."""

from __future__ import annotations

import os
from pathlib import Path

from setlist.environment.bytecode import remove_outdated
from support.project import ProjectFolder
from support.wheels import make_wheel


def test_what_is_older_than_its_module_goes(tmp_path: Path) -> None:
    cache = tmp_path / "__pycache__"
    cache.mkdir()
    for name in ("new", "old", "gone"):
        compiled = cache / f"{name}.cpython-311.pyc"
        compiled.write_text("")
        if name != "gone":
            (tmp_path / f"{name}.py").write_text("")
        if name == "new":
            later = (tmp_path / "new.py").stat().st_ctime + 10
            os.utime(compiled, (later, later))
    remove_outdated((tmp_path, tmp_path / "missing"))
    assert sorted(path.name.partition(".")[0] for path in cache.iterdir()) == ["gone", "new"]


def test_two_versions_of_the_same_size_and_second(project: ProjectFolder, tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    for version in ("1.0", "2.0"):
        make_wheel(wheels, "thing", version)
    command = "python -c 'import thing; print(thing.__version__)'"
    definition = f'[tool.setlist.session.s]\ndeps = ["thing=={{}}"]\nrun = ["{command}"]\n'
    environ: dict[str, str | None] = {"UV_FIND_LINKS": str(wheels), "PYTHONDONTWRITEBYTECODE": None}
    for version in ("1.0", "2.0") * 3:
        project.write("pyproject.toml", definition.format(version))
        assert project.run("s", check=True, env=environ).out == f"{version}\n"
        # the second in which uv put it into its cache is the same for both
        (module,) = project.environment("s").glob("lib/*/site-packages/thing.py")
        os.utime(module, (10**9, 10**9))
