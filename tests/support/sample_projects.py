"""Projects as people have them, before setlist: what ``setlist init`` is tried in.

Each is a table of files: their paths and texts. The tests pass, with the tools that the project is set up for.
"""

from __future__ import annotations

from support.project import ProjectFolder

_MODULE = "def double(number: int) -> int:\n    return 2 * number\n"
_TESTS = "from demo import double\n\n\ndef test_double() -> None:\n    assert double(2) == 4\n"

_PROJECT = """
    [project]
    name = "demo"
    version = "1.0"
    requires-python = ">=3.9"
    dependencies = ["alpha"]
"""


def _backend(requires: str, backend: str) -> str:
    return f'[build-system]\nrequires = ["{requires}"]\nbuild-backend = "{backend}"\n'


_SRC = {"src/demo/__init__.py": "import alpha  # noqa: F401\n\n\n" + _MODULE, "tests/test_demo.py": _TESTS}
_FLAT = {"demo/__init__.py": _MODULE, "demo/data/__init__.py": "", "tests/test_demo.py": _TESTS}
_DEV = '\n[dependency-groups]\ntest = ["pytest"]\nlint = ["ruff", "mypy"]\n'

_MANAGE = """
    import os
    import sys

    if __name__ == "__main__":
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_settings")
        from django.core.management import execute_from_command_line

        execute_from_command_line(sys.argv)
"""

_NOTEBOOK = """
    {"cells": [{"cell_type": "code", "execution_count": null, "id": "a", "metadata": {}, "outputs": [],
                "source": ["import alpha\\n", "assert alpha.__version__"]}],
     "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
"""


def _member(name: str, more: str = "") -> dict[str, str]:
    return {
        f"packages/{name}/pyproject.toml": _backend("hatchling", "hatchling.build")
        + f'[project]\nname = "{name}"\nversion = "1"\nrequires-python = ">=3.10"\n{more}',
        f"packages/{name}/src/{name}/__init__.py": "value = 1\n",
        f"packages/{name}/tests/test_it.py": f"import {name}\n\n\ndef test_it():\n    assert {name}.value == 1\n",
    }


PROJECTS: dict[str, dict[str, str]] = {
    "empty": {},
    "hatchling": {"pyproject.toml": _backend("hatchling", "hatchling.build") + _PROJECT + _DEV, **_SRC},
    "setuptools": {"pyproject.toml": _backend("setuptools", "setuptools.build_meta") + _PROJECT + _DEV, **_SRC},
    "poetry-core": {"pyproject.toml": _backend("poetry-core", "poetry.core.masonry.api") + _PROJECT + _DEV, **_SRC},
    "uv_build": {"pyproject.toml": _backend("uv_build", "uv_build") + _PROJECT + _DEV, **_SRC},
    "flat": {
        "pyproject.toml": _backend("setuptools", "setuptools.build_meta")
        + _PROJECT
        + '[project.optional-dependencies]\ntest = ["pytest"]\n[tool.ruff]\nline-length = 100\n',
        **_FLAT,
    },
    "setup.cfg": {
        "setup.py": "from setuptools import setup\n\nsetup()\n",
        "setup.cfg": """
            [metadata]
            name = demo
            version = 1.0
            [options]
            packages = find:
            python_requires = >=3.9
            [flake8]
            max-line-length = 100
        """,
        "requirements.txt": "alpha\n",
        "requirements-dev.txt": "-r requirements.txt\npytest\nflake8\n",
        **_FLAT,
    },
    "django": {
        "manage.py": _MANAGE,
        "site_settings.py": """
            SECRET_KEY = "x"
            INSTALLED_APPS = ["shop"]
            DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}
        """,
        "shop/__init__.py": "",
        "shop/tests.py": """
            import alpha
            from django.test import SimpleTestCase


            class ShopTests(SimpleTestCase):
                def test_alpha(self):
                    self.assertTrue(alpha.__version__)
        """,
        "requirements.txt": "django\nalpha\n",
    },
    "notebooks": {
        "requirements.txt": "alpha\n",
        "notebooks/first.ipynb": _NOTEBOOK,
        "prepare.py": "import os, sys\n\nprint(1 )\n",
        "data/readme.txt": "",
    },
    "scripts": {"requirements.txt": "alpha\n", "prepare.py": "import os, sys\n\nprint(1 )\n"},
    "poetry": {
        "pyproject.toml": _backend("poetry-core", "poetry.core.masonry.api")
        + """
            [tool.poetry]
            name = "demo"
            version = "1.0"
            description = ""
            authors = []
            packages = [{ include = "demo", from = "src" }]
            [tool.poetry.dependencies]
            python = "^3.9"
            alpha = "^1.0"
            [tool.poetry.group.dev.dependencies]
            pytest = ">=1"
            delta = { version = "~1.0", python = ">=3.8" }
        """,
        **_SRC,
    },
    "poetry-app": {
        "pyproject.toml": """
            [tool.poetry]
            package-mode = false
            [tool.poetry.dependencies]
            python = "^3.9"
            alpha = "^1.0"
            [tool.poetry.group.test.dependencies]
            pytest = "*"
        """,
        "demo.py": "import alpha  # noqa: F401\n\n\n" + _MODULE,
        "tests/test_demo.py": _TESTS,
    },
    "uv-app": {
        "pyproject.toml": _PROJECT + '[dependency-groups]\ndev = ["pytest", "ruff"]\n',
        "demo.py": "import alpha  # noqa: F401\n\n\n" + _MODULE,
        "data/readme.txt": "",
        "notes/readme.txt": "",
        "tests/test_demo.py": _TESTS,
    },
    "tox": {
        "tox.ini": "[tox]\nskipsdist = true\n[testenv]\ncommands = python -c \"print('from tox')\"\n",
        "tests/test_demo.py": "raise ImportError('tox knows how')\n",
    },
    "noxfile": {
        "noxfile.py": """
            import nox


            @nox.session(venv_backend="none")
            def hello(session):
                session.run("python", "-c", "print('from nox')")
        """,
        "tests/test_demo.py": "",
    },
    "workspace": {
        "pyproject.toml": '[tool.uv.workspace]\nmembers = ["packages/*"]\n',
        **_member("one", 'dependencies = ["alpha"]\n[dependency-groups]\ndev = ["pytest", "delta"]\n'),
        **_member("two", 'dependencies = ["one"]\n[tool.uv.sources]\none = { workspace = true }\n'),
    },
}
"""The projects by their kind. ``alpha`` and ``delta`` are the tests' own packages."""


def write_project(project: ProjectFolder, kind: str, *, depends: bool = True) -> None:
    """Write a project of a kind.

    Args:
        project: where.
        kind: one of :data:`PROJECTS`.
        depends: whether it depends on ``alpha`` and ``delta``; if not, on packages that the registry has.
    """
    for name, text in PROJECTS[kind].items():
        project.write(name, text if depends else text.replace("alpha", "idna").replace("delta", "sniffio"))
