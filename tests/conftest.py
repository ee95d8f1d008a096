"""The world that the tests run in, and what they are handed.

Fixtures:

``project``
    A :class:`support.project.ProjectFolder` in ``tmp_path / "project"``: write files, run the installed
    commands (in a process of their own, or in this one), make it a package, look at what lies there.
``wheelhouse``
    The directory of tiny wheels (:func:`support.wheels.fill_wheelhouse` lists them: alpha → beta, delta,
    gamma[fast, slow], clash, oldpy, newpy, marked, pre, tool), with uv and pip told to look there and
    nowhere else.
``index``
    A running :class:`support.index.LocalIndex` that uv and pip are told to use instead.
``user_environ``
    The environment variables as they were before the tests took the world over.

Without asking: every test runs in a world of its own (home, caches, git identity; no PIP_*, UV_*, CI …;
no index), shared by the tests of one worker so that templates and looked-up interpreters are made once. A test
marked ``network`` gets the user's own settings back, setlist's cache excepted.

What isn't a fixture: ``from support.wheels import make_wheel``, ``from support.project import installed_in``.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from support.index import LocalIndex, serving
from support.project import ProjectFolder
from support.wheels import fill_wheelhouse
from support.world import hermetic, replace_environ, users_own

# How long an example takes says something about the machine, and nothing about what is tested.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

USER_ENVIRON: Mapping[str, str] = dict(os.environ)


@pytest.fixture(scope="session", autouse=True)
def hermetic_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """Give this worker a world of its own."""
    _heed_signals()
    world = hermetic(USER_ENVIRON, tmp_path_factory.mktemp("home"))
    before = dict(os.environ)
    replace_environ(world)
    yield world
    replace_environ(before)


def _heed_signals() -> None:
    """Undo what nohup, and a shell's ``&``, hand down: ignored signals, which every child would ignore as well."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"):
        signum = getattr(signal, name, None)
        if signum is not None and signal.getsignal(signum) is signal.SIG_IGN:
            signal.signal(signum, signal.default_int_handler if name == "SIGINT" else signal.SIG_DFL)


@pytest.fixture(autouse=True)
def world_of_test(request: pytest.FixtureRequest, hermetic_world: Mapping[str, str]) -> Iterator[None]:
    """Give a ``network`` test the user's settings, and every next test the hermetic ones again."""
    if request.node.get_closest_marker("network"):
        replace_environ(users_own(USER_ENVIRON, hermetic_world["SETLIST_CACHE_DIR"]))
    yield
    replace_environ(hermetic_world)


@pytest.fixture
def user_environ() -> Mapping[str, str]:
    """The environment variables as they were before the tests took the world over."""
    return USER_ENVIRON


@pytest.fixture(scope="session")
def wheelhouse_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of wheels, nothing told to look there."""
    return fill_wheelhouse(tmp_path_factory.mktemp("wheelhouse"))


@pytest.fixture
def wheelhouse(wheelhouse_directory: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of wheels; uv and pip look there and nowhere else. Don't change it: it is shared."""
    monkeypatch.setenv("UV_FIND_LINKS", str(wheelhouse_directory))
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheelhouse_directory))
    return wheelhouse_directory


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalIndex]:
    """An empty index on loopback that uv and pip are told to use."""
    with serving() as served:
        monkeypatch.delenv("PIP_NO_INDEX", raising=False)
        monkeypatch.setenv("UV_DEFAULT_INDEX", served.url)
        monkeypatch.setenv("PIP_INDEX_URL", served.url)
        monkeypatch.setenv("UV_HTTP_RETRIES", "0")
        monkeypatch.setenv("PIP_RETRIES", "0")
        yield served


@pytest.fixture
def project(tmp_path: Path) -> ProjectFolder:
    """An empty project."""
    return ProjectFolder(tmp_path / "project")
