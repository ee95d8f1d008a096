"""What setlist says of a noxfile's sessions is what nox says of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import attrs
import nox
import nox.project
import nox.sessions
import pytest
from nox._options import NoxfileOptions

from setlist.core.errors import SetlistError, UsageError
from setlist.core.model import Registry, SessionSpec
from setlist.providers.nox.backends import nox_session
from setlist.registry.select import select
from setlist.scheduling.order import make_plan
from support.noxes import NAMES, NOXFILES, copied, nox_lists, registry_of

pytestmark = pytest.mark.slow


def test_the_noxfiles_use_every_public_name_of_nox() -> None:
    written = "\n".join(path.read_text(encoding="utf-8") for path in NOXFILES.glob("*/*.py"))
    options = {field.name for field in attrs.fields(NoxfileOptions) if not field.name.startswith("_")}
    methods = {name for name in dir(nox.sessions.Session) if not name.startswith("_")}
    wanted = {
        *(f"nox.{name}" for name in nox.__all__ if name != "needs_version"),
        *(f"nox.project.{name}" for name in nox.project.__all__),
        *(f"session.{name}" for name in methods),
        *(f"nox.options.{name}" for name in options),
    }
    assert {name for name in wanted if not re.search(rf"{re.escape(name)}\b", written)} == set()


SELECTIONS: dict[str, list[list[str]]] = {
    "names": [
        [],
        ["-s", "listed"],
        ["-s", "listed-3.11", "bare"],
        ["-s", "web-3.12(django='4.0')", 'web-3.11(django = "4.0")'],
        ["-s", "web-3.12"],
        ["-s", "web(django='4.0')"],
        ["-s", "mixed(mode=None, db='sqlite', size=1)"],
        ["-s", "report"],
        ["-s", "combined-3.12"],
        ["-s", "docs-style"],
        ["-s", "docs(style)"],
        ["-s", "nothing_like_it"],
        ["-t", "ci"],
        ["-t", "low", "high"],
        ["-t", "unheard_of"],
        ["-p", "3.12"],
        ["-p", "3.11", "3.12"],
        ["-k", "listed and not pypy"],
        ["-k", "web or docs"],
        ["-k", "not ("],
        ["-k", "slow"],
    ],
    "options": [[], ["-s", "first"], ["-t", "a"], ["-k", "third"], ["-p", "3.12"], ["-s", "third"]],
    "calls": [[], ["-s", "installs"], ["-k", "versions"], ["-p", "3.12"]],
    "backends": [[], ["-s", "by_none", "by_conda"], ["-k", "conda"]],
    "script": [[], ["-s", "tests"], ["-k", "tests"]],
}


def as_nox_says(session: SessionSpec) -> dict[str, Any]:
    assert session.provider == "nox"
    return {
        "session": session.aliases[0],
        "name": session.aliases[-1],
        "description": session.description,
        "tags": list(session.tags),
    }


def ours(registry: Registry, argv: list[str]) -> list[SessionSpec]:
    option, values = (argv[0], argv[1:]) if argv else ("-s", [])
    chosen = select(
        registry,
        values if option == "-s" else (),
        keyword=values[0] if option == "-k" else None,
        tags=values if option == "-t" else (),
        pythons=values if option == "-p" else (),
    )
    return list(make_plan(registry, chosen).sessions)


@pytest.mark.parametrize("name", NAMES)
def test_every_selection_means_what_it_means_to_nox(name: str, tmp_path: Path) -> None:
    root = copied(name, tmp_path)
    said = nox_lists(root, *SELECTIONS[name])
    registry = registry_of(root)
    order = list(registry.sessions)
    for argv, (code, listed) in zip(SELECTIONS[name], said, strict=True):
        if code or not listed:
            with pytest.raises(UsageError):
                ours(registry, argv)
            continue
        found = sorted(ours(registry, argv), key=lambda session: order.index(session.name))
        without = [
            {key: value for key, value in item.items() if key in ("session", "name", "description", "tags")}
            for item in listed
        ]
        assert [as_nox_says(session) for session in found] == without, argv
        for session, item in zip(found, listed, strict=True):
            assert session.environment.python == (item["python"] or None), argv
            values = {key: str(value) for key, value in item["call_spec"].items()}
            assert {key: value for key, value in session.axes if key in values} == values, argv


@pytest.mark.parametrize(
    "argv",
    [
        ["--force-pythons", "3.13"],
        ["--extra-pythons", "3.13"],
        ["--force-venv-backend", "none"],
        ["--default-venv-backend", "none"],
    ],
)
def test_options_that_change_the_sessions_do(argv: list[str], tmp_path: Path) -> None:
    root = copied("names", tmp_path)
    [(_, listed)] = nox_lists(root, [*argv, "-k", "not report and not combined"])
    names = {session.aliases[0] for session in registry_of(root, *argv).sessions.values()}
    assert {item["session"] for item in listed} <= names
    assert names != {session.aliases[0] for session in registry_of(root).sessions.values()}


def test_sessions_are_spelled_as_directories_can_be(tmp_path: Path) -> None:
    registry = registry_of(copied("names", tmp_path))
    spelled = {session.aliases[0]: name for name, session in registry.sessions.items()}
    assert spelled["web-3.12(django='4.0')"] == "web-py312-django40"
    assert spelled["listed-pypy3.10"] == "listed-pypy310"
    assert spelled["paired(python='3.11', dep='a')"] == "paired-py311-dep-a"
    assert spelled["tagged(one)"] == "tagged-one"
    # the name that nox has is kept, and the one that would come out the same gets a number
    assert spelled["docs-style"] == "docs-style"
    assert spelled["docs(style)"] == "docs-style-2"
    assert len(set(map(str.casefold, registry.sessions))) == len(spelled)


def test_what_is_required_is_what_nox_finds(tmp_path: Path) -> None:
    sessions = registry_of(copied("names", tmp_path)).sessions
    assert sessions["report"].requires == ("listed-py311", "listed-py312", "listed-pypy310", "web-py311-django40")
    assert sessions["combined-py312"].requires == ("listed-py312", "bare")


def test_backends_and_parallel_running_are_told(tmp_path: Path) -> None:
    sessions = registry_of(copied("backends", tmp_path)).sessions
    backends = {name: nox_session(session).backend for name, session in sessions.items()}
    assert backends["by_conda-py311"] == "mamba|micromamba|conda"
    assert backends["by_uv"] == "uv"
    assert nox_session(sessions["by_uv"]).venv_params == ("--seed",)
    without = [name for name, session in sessions.items() if session.environment.backend == "none"]
    assert without == ["by_none", "without_python"]
    options = registry_of(copied("options", tmp_path))
    # nox.options.allow_parallel = False is about all that don't say otherwise
    assert [name for name, session in options.sessions.items() if not session.exclusive] == ["second"]
    assert options.settings.fail_fast
    assert options.settings.error_on_missing is False


def test_our_own_spelling_families_and_globs_select_too(tmp_path: Path) -> None:
    registry = registry_of(copied("names", tmp_path))

    def named(*selectors: str) -> list[str]:
        return [session.name for session in select(registry, selectors)]

    assert named("web-py312-django40") == ["web-py312-django40"]
    assert named("listed-py31*") == ["listed-py311", "listed-py312"]
    assert named("listed-3.*") == ["listed-py311", "listed-py312"]
    assert named("@high") == ["tagged-level2"]
    with pytest.raises(SetlistError, match="listd") as caught:
        named("listd")
    assert "listed" in (caught.value.hint or "")
