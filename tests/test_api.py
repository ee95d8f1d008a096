"""The Python API: a program does what the commands do, by nothing but names in ``setlist.__all__``."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import setlist
from setlist.core.events import SessionFinished
from support.project import ProjectFolder

PAGE = Path(__file__).resolve().parents[1] / "docs" / "api.md"

SESSIONS = """
    [tool.setlist.defaults]
    backend = "none"
    [tool.setlist.session.first]
    run = ["python3 -V"]
    [tool.setlist.session.second]
    requires = ["first"]
    run = ["python3 -c 'raise SystemExit({posargs:0})'"]
"""


def run(project: ProjectFolder, *names: str, posargs: tuple[str, ...] = ()) -> tuple[int, list[setlist.Event]]:
    found = setlist.find_project(project.path)
    registry = setlist.load_registry(found)
    plan = setlist.make_plan(registry, setlist.select(registry, names))
    events: list[setlist.Event] = []
    options, sink = setlist.RunOptions(posargs=posargs), setlist.Sink(events.append, capturing="merged")
    return setlist.run(found, registry, plan, options=options, sink=sink), events


def test_every_name_is_there_and_in_the_manual() -> None:
    for name in setlist.__all__:
        assert getattr(setlist, name) is not None
    words = set(re.findall(r"\w+", PAGE.read_text(encoding="utf-8")))
    assert words >= set(setlist.__all__) - {"__version__"}


def test_a_name_that_is_not_there_is_told_as_python_does() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = setlist.nothing


def test_the_example_of_the_manual_runs(project: ProjectFolder) -> None:
    project.sessions(SESSIONS.replace("first", "lint").replace("second", "test"))
    [example] = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)

    done = subprocess.run(
        [sys.executable, "-c", f"{example}\nraise SystemExit(code)"], cwd=project.path, capture_output=True, text=True
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "SessionFinished" in done.stdout


def test_a_plan_is_run_and_its_events_are_heard(project: ProjectFolder) -> None:
    project.sessions(SESSIONS)

    code, events = run(project, "second")

    assert code == 0
    assert type(events[0]).__name__ == "RunStarted"
    finished = [event for event in events if isinstance(event, SessionFinished)]
    assert [(event.session, event.status) for event in finished] == [("first", "ok"), ("second", "ok")]


def test_the_exit_code_is_that_of_run(project: ProjectFolder) -> None:
    project.sessions(SESSIONS)

    assert run(project, "second", posargs=("3",))[0] == 1


def test_secrets_are_masked_in_events_and_captured_output(project: ProjectFolder) -> None:
    project.sessions("""
        [tool.setlist.session.deploy]
        backend = "none"
        secrets = ["TOKEN"]
        env = { TOKEN = "hunter-2" }
        run = ["sh -c 'echo $TOKEN; echo {posargs:none}'"]
    """)

    code, events = run(project, "deploy", posargs=("hunter-2",))

    assert code == 0
    assert "hunter-2" not in repr(events)


def test_it_runs_in_a_thread(project: ProjectFolder) -> None:
    project.sessions(SESSIONS)
    codes: list[int] = []

    thread = threading.Thread(target=lambda: codes.append(run(project, "first")[0]))
    thread.start()
    thread.join()

    assert codes == [0]


def test_an_unknown_session_is_an_error_with_a_hint(project: ProjectFolder) -> None:
    project.sessions(SESSIONS)

    with pytest.raises(setlist.SetlistError) as caught:
        run(project, "secnd")

    assert "second" in (caught.value.hint or "")
    assert caught.value.exit_code == 2


def test_an_environment_is_prepared_and_a_lock_is_read(project: ProjectFolder, wheelhouse: Path) -> None:
    assert wheelhouse.is_dir()
    project.sessions("[tool.setlist.session.lint]\ndeps = []\n")
    found = setlist.find_project(project.path)
    registry = setlist.load_registry(found)
    lint = registry.sessions["lint"]

    assert setlist.read_lock(found, registry.settings, lint) is None
    with setlist.Environments(found, setlist.Caller.current()).prepared(lint) as environment:
        assert environment.python.exists()
        assert environment.frozen is not None
        assert environment.frozen.read_text(encoding="utf-8").startswith("#")
