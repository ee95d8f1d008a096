"""Wheels that stand in for the tools and build backends of the field: small, and without a registry.

Each does what matters to its user: pytest imports and calls tests, linters read the modules that they would read by
default, backends build the project. What they don't do is covered by tests with the real ones (``network``).
"""

from __future__ import annotations

from pathlib import Path

from support.project import BACKEND
from support.wheels import make_wheel

_PYTEST = """
    import importlib.util, pathlib, sys

    def main():
        tests = [path for path in sorted(pathlib.Path().rglob("test_*.py")) if not hidden(path)]
        for path in tests:
            sys.path.insert(0, str(path.parent.resolve()))
            spec = importlib.util.spec_from_file_location(path.stem, path)
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            for name, value in vars(module).items():
                if name.startswith("test_"):
                    value()
        print(len(tests), "files passed")
        return 0 if tests else 5

    def hidden(path):
        return any(part[0] == "." for part in path.parts)

    if __name__ == "__main__":
        sys.exit(main())
"""

_LINTER = """
    import os, sys

    def main():
        read = []
        for folder, folders, names in os.walk("."):
            folders[:] = [name for name in folders if name[0] != "."]
            read += [os.path.join(folder, name) for name in names if name.endswith(".py")]
        for path in read:
            assert "site-packages" not in path, path
            compile(open(path, encoding="utf-8").read(), path, "exec")
        print(len(read), "files read")
"""

_DJANGO = """
    import importlib, os, unittest

    def execute_from_command_line(argv):
        settings = importlib.import_module(os.environ["DJANGO_SETTINGS_MODULE"])
        assert argv[1:] == ["test"], argv
        names = [app + ".tests" for app in settings.INSTALLED_APPS]
        result = unittest.TextTestRunner().run(unittest.defaultTestLoader.loadTestsFromNames(names))
        raise SystemExit(not result.wasSuccessful())
"""

_JUPYTER = """
    import glob, json, sys

    def main():
        for path in glob.glob(sys.argv[-1]):
            for cell in json.load(open(path))["cells"]:
                exec("".join(cell["source"]), {})
            print("executed", path)
"""

_TOX = """
    import configparser, shlex, subprocess, sys

    def main():
        parser = configparser.ConfigParser()
        parser.read("tox.ini")
        words = shlex.split(parser["testenv"]["commands"])
        return subprocess.call([sys.executable, *words[1:]])
"""

# The tests' backend, for projects that don't declare themselves in [project], with or without src/
_ANY_PROJECT = """

def _begin(hook):
    tables = _read_toml("pyproject.toml")
    old = {"name": "demo", "version": "1.0", "dependencies": ["alpha>=1,<2"] if "tool.poetry" in tables else []}
    project = {**(tables.get("project") or old), "scripts": {}, "platform": False}
    project["module"] = project["name"]
    project["extras"] = tables.get("project.optional-dependencies", {})
    return project, "{}-{}.dist-info".format(project["name"], project["version"])


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    project, info = _begin("build_editable")
    source = os.path.abspath("src" if os.path.isdir("src") else ".")
    pth = {"__editable__.{}.pth".format(project["module"]): (source + "\\n").encode("utf-8")}
    return _write_wheel(wheel_directory, project, info, pth, "py3-none-any")


__legacy__ = sys.modules[__name__]
"""

_BACKENDS = {
    "hatchling": "hatchling/build.py",
    "setuptools": "setuptools/build_meta.py",
    "poetry-core": "poetry/core/masonry/api.py",
    "uv_build": "uv_build/__init__.py",
}


def add_tools(directory: Path) -> None:
    """Write the wheels into a directory."""

    def script(name: str, source: str, command: str = "") -> None:
        module = f"{name}_main" if command else name
        make_wheel(
            directory, name, "80.0", modules={f"{module}.py": source}, entry_points={command or name: f"{module}:main"}
        )

    script("pytest", _PYTEST)
    script("tox", _TOX)
    script("nbconvert", _JUPYTER, "jupyter")
    for linter in ("ruff", "mypy", "flake8"):
        script(linter, _LINTER)
    make_wheel(directory, "ipykernel", "80.0")
    django = {"django/__init__.py": "", "django/core/__init__.py": "", "django/core/management.py": _DJANGO}
    django["django/test.py"] = "from unittest import TestCase as SimpleTestCase\n"
    make_wheel(directory, "django", "80.0", modules=django)
    for name, module in _BACKENDS.items():
        source = BACKEND.read_text(encoding="utf-8") + _ANY_PROJECT
        parents = [f"{parent.as_posix()}/__init__.py" for parent in Path(module).parents if parent.name]
        make_wheel(directory, name, "80.0", modules={**dict.fromkeys(parents, ""), module: source})
