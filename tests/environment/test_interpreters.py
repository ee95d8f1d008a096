"""Finding interpreters: real ones, and scripts that answer as other versions would."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from python_discovery import PythonInfo

from setlist.core.errors import ConfigurationError, InterpreterNotFound
from setlist.core.project import Caller
from setlist.engine import trace
from setlist.environment import interpreter_locations
from setlist.environment import interpreters as interpreters_module
from setlist.environment.interpreter_locations import REGISTRY, Location, locations
from setlist.environment.interpreter_spec import parse_request
from setlist.environment.interpreters import _VARIABLES, STORE, Interpreters

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="the stand-ins are scripts with a first line"),
]

RUNNING = f"{sys.version_info[0]}.{sys.version_info[1]}"
BASE = os.path.realpath(getattr(sys, "_base_executable", sys.executable))

STAND_IN = """\
#!{python} -I
import contextlib, io, json, runpy, sys
with open({log!r}, "a") as stream:
    stream.write({path!r} + "\\n")
script, start, end = sys.argv[1:4]
sys.argv = sys.argv[1:]
said = io.StringIO()
with contextlib.redirect_stdout(said):
    runpy.run_path(script, run_name="__main__")
text = said.getvalue()
data = json.loads(text[len(start):-len(end)])
data.update({changes!r})
data["version_info"].update({version!r})
sys.stdout.write(start[::-1] + json.dumps(data) + end[::-1])
"""


@dataclass
class Machine:
    """A machine with nothing but what the test puts on it."""

    root: Path
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def log(self) -> Path:
        return self.root / "started"

    @property
    def started(self) -> list[str]:
        """The stand-ins that were started, one for each time."""
        return self.log.read_text().splitlines() if self.log.exists() else []

    def python(
        self,
        place: str,
        version: str,
        *,
        implementation: str = "CPython",
        free_threaded: bool = False,
        level: str = "final",
        debug: bool = False,
        system: str | None = None,
    ) -> Path:
        """Put a binary there that answers as that version would."""
        path = self.root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        major, minor, micro = map(int, version.split("."))
        text = STAND_IN.format(
            python=BASE,
            log=str(self.log),
            path=str(path),
            changes={
                "implementation": implementation,
                "free_threaded": free_threaded,
                "debug_build": debug,
                "executable": str(path),
                "original_executable": str(path),
                "system_executable": system or str(path),
            },
            version={"major": major, "minor": minor, "micro": micro, "releaselevel": level},
        )
        return self.script(place, text)

    def script(self, place: str, text: str) -> Path:
        path = self.root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
        return path

    def on_path(self, *folders: str) -> None:
        self.environ["PATH"] = os.pathsep.join(str(self.root / folder) for folder in folders)

    def interpreters(self, root: Path | None = None) -> Interpreters:
        """As a new run of setlist would have them."""
        return Interpreters(Caller(self.environ, self.root, ci=False), self.root / "cache", root)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    root = tmp_path / "machine"
    (root / "home").mkdir(parents=True)
    return Machine(root, {"HOME": str(root / "home"), "PATH": str(root / "nowhere"), "PY_DISCOVERY_TIMEOUT": "20"})


def test_without_a_request_it_is_the_base_of_the_interpreter_we_run_on(machine: Machine) -> None:
    found = machine.interpreters().find(None)
    assert found.version == ".".join(map(str, sys.version_info[:3]))
    assert found.implementation == sys.implementation.name
    assert os.path.samefile(found.executable, BASE)
    assert found.free_threaded == bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
    said = subprocess.run(
        [found.executable, "-c", "import sys; print(sys.prefix == sys.base_prefix)"], capture_output=True, check=True
    )
    assert said.stdout.strip() == b"True", "a virtual environment's interpreter was found"


def test_the_interpreter_we_run_on_is_preferred_where_it_answers(machine: Machine) -> None:
    machine.python(f"bin/python{RUNNING}", f"{RUNNING}.999")
    machine.on_path("bin")
    for request in (RUNNING, f">={RUNNING}", "3", "python"):
        found = machine.interpreters().find(request)
        assert found.version == ".".join(map(str, sys.version_info[:3]))
    assert machine.started == []


@pytest.mark.parametrize("version", ["3.8", "3.9", "3.10", "3.11", "3.12", "3.13"])
def test_every_python_of_this_machine_is_found(version: str, tmp_path: Path, user_environ: Mapping[str, str]) -> None:
    interpreters = Interpreters(Caller(user_environ, tmp_path, ci=False), tmp_path / "cache")
    try:
        found = interpreters.find(version)
    except InterpreterNotFound as error:
        pytest.skip(str(error))
    said = subprocess.run(
        [found.executable, "-c", "import sys; print(*sys.version_info[:3], sep='.', end='')"],
        capture_output=True,
        check=True,
        text=True,
    )
    assert said.stdout == found.version
    assert found.version.startswith(f"{version}.")
    assert not found.free_threaded
    assert parse_request(version).accepts(found)


@pytest.mark.parametrize(
    ("variable", "value", "place", "name"),
    [
        ("PYENV_ROOT", "pyenv", "pyenv/versions/3.98.1/bin/python3.98", "in pyenv"),
        (None, None, "home/.pyenv/versions/3.98.1/bin/python", "in pyenv"),
        ("UV_PYTHON_INSTALL_DIR", "uv", "uv/cpython-3.98.1-linux-x86_64-gnu/bin/python3.98", "in uv"),
        (None, None, "home/.local/share/uv/python/cpython-3.98.1-linux-x86_64-gnu/bin/python", "in uv"),
        (None, None, "home/miniconda3/envs/mine/bin/python3.98", "in conda"),
        ("CONDA_PREFIX", "active", "active/bin/python3.98", "in conda"),
        ("MISE_DATA_DIR", "mise", "mise/installs/python/3.98.1/bin/python3.98", "in mise"),
        ("ASDF_DATA_DIR", "asdf", "asdf/installs/python/3.98.1/bin/python3.98", "in asdf"),
        ("PATH", "bin", "bin/python3.98", "on PATH"),
        ("PATH", "bin", "bin/python", "on PATH"),
    ],
)
def test_installed_but_not_activated_is_found(
    machine: Machine, variable: str | None, value: str | None, place: str, name: str
) -> None:
    if sys.platform == "darwin" and name == "in uv" and variable is None:
        pytest.skip("uv keeps them elsewhere on macOS too")
    path = machine.python(place, "3.98.1")
    if variable is not None:
        machine.environ[variable] = str(machine.root / str(value))
    found = machine.interpreters().find("3.98")
    assert found.executable == str(path)
    assert found.version == "3.98.1"
    assert found.found == name
    assert found.label == "python 3.98.1"


@pytest.mark.parametrize("request_text", ["3.98", ">=3.98", ">=3.98.1,<4"])
@pytest.mark.parametrize("name", ["python", "python3", "python3.98"])
def test_a_name_need_not_have_the_version_in_it(machine: Machine, name: str, request_text: str) -> None:
    path = machine.python(f"bin/{name}", "3.98.1")
    machine.on_path("bin")
    assert machine.interpreters().find(request_text).executable == str(path)


def test_path_comes_before_the_tools_own_places(machine: Machine) -> None:
    machine.python("home/.pyenv/versions/3.98.9/bin/python3.98", "3.98.9")
    machine.python("bin/python3.98", "3.98.1")
    machine.on_path("bin")
    assert machine.interpreters().find("3.98").version == "3.98.1"


def test_in_one_place_the_highest_final_version_wins_and_nothing_else_is_asked(machine: Machine) -> None:
    for version in ("3.97.4", "3.98.2", "3.98.10"):
        machine.python(f"home/.pyenv/versions/{version}/bin/python3", version)
    machine.python("home/.pyenv/versions/3.99.0rc1/bin/python3", "3.99.0", level="candidate")
    assert machine.interpreters().find(">=3.97").version == "3.98.10"
    assert machine.interpreters().find("3.98").version == "3.98.10"
    assert machine.interpreters().find("3.97").version == "3.97.4"
    assert len(machine.started) == 2


def test_a_pre_release_is_taken_only_where_no_final_one_answers(machine: Machine) -> None:
    machine.python("bin/python3.99", "3.99.0", level="beta")
    machine.python("bin/python3.98", "3.98.0")
    machine.on_path("bin")
    assert machine.interpreters().find(">=3.98").version == "3.98.0"
    assert machine.interpreters().find("3.99").version == "3.99.0"


def test_a_free_threaded_build_must_be_asked_for(machine: Machine) -> None:
    machine.python("home/.pyenv/versions/3.98.0t/bin/python3.98", "3.98.0", free_threaded=True)
    machine.python("bin/python3.98", "3.98.1", free_threaded=True)
    machine.on_path("bin")
    with pytest.raises(InterpreterNotFound):
        machine.interpreters().find("3.98")
    found = machine.interpreters().find("3.98t")
    assert found.free_threaded
    assert found.label == "python 3.98.1t"


@pytest.mark.parametrize("place", ["venv/bin/python", "venv/bin/python3.98"])
@pytest.mark.parametrize("threaded", [True, False])
def test_the_base_says_itself_whether_it_is_free_threaded(machine: Machine, place: str, threaded: bool) -> None:
    """A virtual environment's base is found by its name, which may be another build's by now."""
    base = machine.python("opt/python3", "3.98.0", free_threaded=threaded)
    machine.python(place, "3.98.0", free_threaded=not threaded, system=str(base))
    machine.on_path("venv/bin")
    suits, other = ("3.98t", "3.98") if threaded else ("3.98", "3.98t")
    assert machine.interpreters().find(suits).free_threaded == threaded
    with pytest.raises(InterpreterNotFound):
        machine.interpreters().find(other)


@pytest.mark.parametrize(
    "place",
    [
        "bin/python3.98",
        "bin/python3",
        "home/.pyenv/versions/3.98.0/bin/python3.98",
        "home/.local/share/uv/python/cpython-3.98.0-linux-x86_64-gnu/bin/python3.98",
        "home/.local/share/mise/installs/python/3.98.0/bin/python3.98",
        "home/.asdf/installs/python/3.98.0/bin/python3.98",
        "home/miniforge3/envs/it/bin/python3.98",
    ],
)
def test_no_place_answers_a_plain_version_with_a_free_threaded_build(machine: Machine, place: str) -> None:
    machine.python(place, "3.98.0", free_threaded=True)
    machine.on_path("bin")
    for request in ("3.98", "3.98.0", ">=3.98", "python3.98", "py398"):
        with pytest.raises(InterpreterNotFound):
            machine.interpreters().find(request)


def test_setlists_own_base_says_itself_what_it_is(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    base = machine.python("opt/python3", ".".join(map(str, sys.version_info[:3])), free_threaded=True)
    monkeypatch.setattr(sys, "_base_executable", str(base))
    monkeypatch.setattr(sys, "prefix", str(machine.root / "venv"))
    with pytest.raises(InterpreterNotFound):
        machine.interpreters().find(RUNNING)
    assert machine.interpreters().find(f"{RUNNING}t").executable == str(base)


def test_pypy_must_be_asked_for(machine: Machine) -> None:
    machine.python("home/.pyenv/versions/pypy3.98-7.3/bin/pypy3.98", "3.98.1", implementation="PyPy")
    with pytest.raises(InterpreterNotFound):
        machine.interpreters().find("3.98")
    found = machine.interpreters().find("pypy3.98")
    assert (found.implementation, found.version) == ("pypy", "3.98.1")


def test_a_debug_build_is_never_found_by_its_version(machine: Machine) -> None:
    path = machine.python("home/.pyenv/versions/3.98.1/bin/python3.98", "3.98.1", debug=True)
    with pytest.raises(InterpreterNotFound):
        machine.interpreters().find("3.98")
    assert machine.interpreters().find(str(path)).executable == str(path)


@pytest.mark.parametrize(
    ("request_text", "specification", "version"),
    [
        ("3.98", "3.98", "3.98.2"),
        ("py398", "3.98", "3.98.2"),
        ("3.98t", "3.98t", "3.98.3"),
        (">=3.97,<3.98", "cpython", "3.97.1"),
        ("cpython>=3.98", "cpython", "3.98.2"),
    ],
)
def test_the_windows_registry_is_read_by_python_discovery(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, request_text: str, specification: str, version: str
) -> None:
    searches: list[tuple[str, str]] = []
    registered = {
        "3.98.4": ("alpha", False, False),
        "3.98.3": ("final", True, False),
        "3.98.5": ("final", False, True),
        "3.98.2": ("final", False, False),
        "3.97.1": ("final", False, False),
    }

    def iter_interpreters(key: str, env: Mapping[str, str]) -> Iterator[PythonInfo]:
        searches.append((key, env["PATH"]))
        for number, (level, free_threaded, debug) in registered.items():
            info = PythonInfo()
            info.executable = info.system_executable = str(machine.script(f"opt/{number}", ""))
            major, minor, micro = map(int, number.split("."))
            info.version_info = info.version_info._replace(major=major, minor=minor, micro=micro, releaselevel=level)
            info.implementation, info.free_threaded, info.debug_build = "CPython", free_threaded, debug
            yield info
        gone = PythonInfo()
        gone.executable = gone.system_executable = "/nonexistent"
        yield gone

    monkeypatch.setattr("python_discovery.iter_interpreters", iter_interpreters)
    monkeypatch.setattr(interpreter_locations, "locations", lambda *_: (Location(REGISTRY, ""),))
    interpreter = machine.interpreters().find(request_text)
    assert (interpreter.version, interpreter.found) == (version, "in the registry")
    assert searches == [(specification, "")], "it is only to look at the registry"
    with pytest.raises(InterpreterNotFound, match=r"\(looked in the registry\)"):
        machine.interpreters().find("3.96")


def test_a_name_that_lies_about_its_version_is_passed_over(machine: Machine) -> None:
    machine.python("bin/python3.98", "3.97.1")
    machine.python("home/.pyenv/versions/3.98.1/bin/python3.98", "3.98.1")
    machine.on_path("bin")
    assert machine.interpreters().find("3.98").found == "in pyenv"


def test_a_virtual_environment_on_path_leads_to_its_base(machine: Machine) -> None:
    base = machine.python("opt/python3.98", "3.98.1")
    machine.python("venv/bin/python3.98", "3.98.1", system=str(base))
    machine.environ["VIRTUAL_ENV"] = str(machine.root / "venv")
    machine.on_path("venv/bin")
    assert machine.interpreters().find("3.98").executable == str(base)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("#!/bin/sh\necho 'pyenv: python3.98: command not found' >&2\nexit 127\n", "command not found"),
        ("#!/bin/sh\nexit 0\n", "isn't a Python that runs"),
        ("#!/nonexistent/interpreter\n", "isn't a Python that runs"),
        ("not a program", "isn't a Python that runs"),
        ("#!/bin/sh\necho 'unsupported Python version 2.7.18' >&2; echo /x >&2; exit 79\n", "too old: Python 2.7.18"),
    ],
    ids=["failing shim", "silent", "no interpreter", "garbage", "too old"],
)
def test_what_doesnt_run_is_skipped_and_noted(
    machine: Machine, text: str, said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    broken = machine.script("broken/python3.98", text)
    machine.on_path("broken", "bin")
    with pytest.raises(InterpreterNotFound) as caught:
        machine.interpreters().find("3.98")
    assert str(broken) in (caught.value.detail or "")
    assert said in (caught.value.detail or "")
    good = machine.python("bin/python3.98", "3.98.1")
    assert machine.interpreters().find("3.98").executable == str(good)
    assert capfd.readouterr() == ("", "")


def test_what_a_wrapper_prints_doesnt_reach_our_output(machine: Machine, capfd: pytest.CaptureFixture[str]) -> None:
    inner = machine.python("opt/real", "3.98.1")
    machine.script("bin/python3.98", f'#!/bin/sh\necho loading modules\nexec {inner} "$@"\n')
    machine.on_path("bin")
    assert machine.interpreters().find("3.98").executable == str(inner)
    assert capfd.readouterr() == ("", "")


def test_a_hanging_binary_is_given_up_on(machine: Machine) -> None:
    machine.environ["PY_DISCOVERY_TIMEOUT"] = "0.3"
    machine.script("bin/python3.98", f"#!{BASE}\nimport time; time.sleep(600)\n")
    machine.on_path("bin")
    with pytest.raises(InterpreterNotFound) as caught:
        machine.interpreters().find("3.98")
    assert caught.value.detail == f"{machine.root}/bin/python3.98 doesn't answer"


def test_a_broken_link_and_a_file_that_isnt_executable_are_noted_without_being_started(machine: Machine) -> None:
    (machine.root / "a").mkdir()
    (machine.root / "a" / "python3.98").symlink_to("gone")
    machine.script("b/python3.98", "").chmod(0o644)
    (machine.root / "c" / "python3.98").mkdir(parents=True)
    machine.on_path("a", "b", "c")
    with pytest.raises(InterpreterNotFound) as caught:
        machine.interpreters().find("3.98")
    assert (caught.value.detail or "").splitlines() == [
        f"{machine.root}/a/python3.98 is a broken symbolic link (to gone)",
        f"{machine.root}/b/python3.98 isn't executable",
        f"{machine.root}/c/python3.98 isn't a file",
    ]


def test_a_binary_on_path_twice_is_asked_once(machine: Machine) -> None:
    machine.script("bin/python3.98", "#!/bin/sh\necho x >> $0.log; exit 1\n")
    machine.environ["CONDA_PREFIX"] = str(machine.root)
    machine.on_path("bin")
    with pytest.raises(InterpreterNotFound) as caught:
        machine.interpreters().find("3.98")
    assert len((caught.value.detail or "").splitlines()) == 1


def test_the_callers_settings_for_python_dont_reach_another_one(machine: Machine) -> None:
    machine.python("bin/python3.98", "3.98.1")
    machine.on_path("bin")
    machine.environ |= {"PYTHONHOME": "/nonexistent", "PYTHONPATH": "/nonexistent"}
    assert machine.interpreters().find("3.98").version == "3.98.1"


def test_not_found_says_where_was_looked_and_what_to_do(machine: Machine) -> None:
    with pytest.raises(InterpreterNotFound) as caught:
        machine.interpreters().find("3.98")
    error = caught.value
    if sys.platform == "linux":
        assert error.message in (
            "python 3.98 not found (looked on PATH, in pyenv, uv, conda, mise and asdf)",
            "python 3.98 not found (looked on PATH, in pyenv, uv, conda, mise, asdf and Homebrew)",
        )
    assert error.hint == "install it, for instance: uv python install 3.98"
    assert error.detail is None
    assert error.exit_code == 4
    with pytest.raises(InterpreterNotFound, match=r"^pypy3\.98 not found \(looked on PATH"):
        machine.interpreters().find("pypy3.98")
    for request, uv in ((">=3.98", "'>=3.98'"), ("py398", "3.98"), ("pypy3.98", "pypy3.98"), ("3.98t", "3.98t")):
        with pytest.raises(InterpreterNotFound) as caught:
            machine.interpreters().find(request)
        assert caught.value.hint == f"install it, for instance: uv python install {uv}"


def test_a_malformed_request_is_the_users_mistake(machine: Machine) -> None:
    with pytest.raises(ConfigurationError, match=r"'3\.x'"):
        machine.interpreters().find("3.x")


def test_a_path_may_be_a_binary_or_an_installation(machine: Machine, tmp_path: Path) -> None:
    path = machine.python("opt/py/bin/python3", "3.98.1")
    only = machine.python("opt/odd/bin/python3.97", "3.97.1")
    interpreters = machine.interpreters(machine.root)
    for request in (str(path), "./opt/py", "opt/py/bin", "opt/py/bin/python3", str(path.parent.parent)):
        found = interpreters.find(request)
        assert found.executable == str(path)
        assert found.found == "by its path"
    assert interpreters.find("opt/odd").executable == str(only)
    home = machine.python("home/py/bin/python", "3.98.2")
    assert interpreters.find("~/py").executable == str(home)
    # from the root, not from where we stand
    assert machine.interpreters(machine.root / "opt").find("./py").executable == str(path)
    assert machine.interpreters().find("./opt/py").executable == str(path)
    (machine.root / "link").symlink_to(path)
    assert machine.interpreters().find("./link").version == "3.98.1"


def test_where_an_interpreter_was_found_is_told_of_each_request(machine: Machine) -> None:
    path = machine.python("bin/python3.98", "3.98.1")
    machine.on_path("bin")
    assert machine.interpreters().find("3.98").found == "on PATH"
    assert machine.interpreters().find(str(path)).found == "by its path"
    assert len(machine.started) == 1


def test_the_path_of_a_virtual_environment_leads_to_its_base(machine: Machine) -> None:
    base = machine.python("opt/python3.98", "3.98.1")
    machine.python("venv/bin/python", "3.98.1", system=str(base))
    assert machine.interpreters().find("./venv").executable == str(base)


def test_a_base_that_is_gone_is_told(machine: Machine) -> None:
    machine.python("venv/bin/python", "3.98.1", system=f"{machine.root}/gone")
    with pytest.raises(InterpreterNotFound, match=r"not found: .*venv/bin/python"):
        machine.interpreters().find("./venv")


@pytest.mark.parametrize(
    ("request_text", "reason"),
    [
        ("./none", "{root}/none doesn't exist"),
        ("./link", "{root}/link is a broken symbolic link (to none)"),
        ("./text", "{root}/text isn't executable"),
        ("./empty", "{root}/empty is a directory without an interpreter (no bin/python)"),
        ("./dangling", "{root}/dangling/bin/python3 is a broken symbolic link (to none)"),
        ("./true", "{root}/true isn't a Python that runs"),
    ],
)
def test_what_is_wrong_with_a_path_is_said(machine: Machine, request_text: str, reason: str) -> None:
    root = machine.root
    (root / "link").symlink_to("none")
    (root / "text").write_text("")
    (root / "empty").mkdir()
    (root / "dangling" / "bin").mkdir(parents=True)
    (root / "dangling" / "bin" / "python3").symlink_to("none")
    machine.script("true", "#!/bin/sh\n")
    with pytest.raises(InterpreterNotFound) as caught:
        machine.interpreters().find(request_text)
    assert caught.value.message.startswith(f"python {request_text} not found: {reason.format(root=root)}")
    assert "write the path" in (caught.value.hint or "")


def test_a_warm_find_starts_nothing(machine: Machine) -> None:
    path = machine.python("home/.pyenv/versions/3.98.1/bin/python3.98", "3.98.1")
    for request in ("3.98", ">=3.98", str(path), "3.98.1"):
        first = machine.interpreters().find(request)
        assert machine.interpreters().find(request) == first
    assert machine.started == [str(path)], "every request asks the same binary, which was asked already"


def test_a_warm_find_imports_nothing_heavy(machine: Machine) -> None:
    machine.python("home/.pyenv/versions/3.98.1/bin/python3.98", "3.98.1")
    machine.interpreters().find("3.98")
    machine.interpreters().find(None)
    code = (
        "import sys\n"
        # coverage, where it measures this, has imported much already
        "before = set(sys.modules)\n"
        "from pathlib import Path\n"
        "from setlist.environment.interpreters import Interpreters\n"
        "from setlist.core.project import Caller\n"
        f"caller = Caller({machine.environ!r}, Path({str(machine.root)!r}), False)\n"
        f"interpreters = Interpreters(caller, Path({str(machine.root / 'cache')!r}))\n"
        "assert interpreters.still_valid(interpreters.find('3.98'))\n"
        "interpreters.find(None)\n"
        "heavy = {'python_discovery', 'packaging', 'subprocess', 'importlib.metadata', 'logging', 'hashlib'}\n"
        "print(sorted(heavy & (set(sys.modules) - before)))\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert said.stdout.strip() == "[]"


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_every_variable_that_decides_where_is_looked_is_part_of_the_question(platform: str) -> None:
    asked: set[str] = set()

    class Noting(dict[str, str]):
        def get(self, name: str, default: object = None) -> str:
            asked.add(name)
            return "/x"

        def __getitem__(self, name: str) -> str:
            asked.add(name)
            return "/x"

    class Unset(dict[str, str]):
        def get(self, name: str, default: object = None) -> object:  # type: ignore[override]
            asked.add(name)
            return default

    locations(platform, Noting(), "/home/ann")
    locations(platform, Unset(), "/home/ann")
    assert asked <= set(_VARIABLES)
    assert len(asked) > 8


def test_what_was_found_stays_until_the_cache_is_removed(machine: Machine) -> None:
    machine.python("home/.pyenv/versions/3.98.1/bin/python3.98", "3.98.1")
    assert machine.interpreters().find("3.98").version == "3.98.1"
    machine.python("home/.pyenv/versions/3.98.2/bin/python3.98", "3.98.2")
    assert machine.interpreters().find("3.98").version == "3.98.1"
    shutil.rmtree(machine.root / "cache" / STORE)
    assert machine.interpreters().find("3.98").version == "3.98.2"


def test_a_replaced_binary_is_noticed(machine: Machine) -> None:
    path = machine.python("bin/python3.98", "3.98.1")
    machine.on_path("bin")
    interpreters = machine.interpreters()
    first = interpreters.find("3.98")
    assert interpreters.still_valid(first)
    path.rename(path.with_name("old"))
    assert not interpreters.still_valid(first)
    machine.python("bin/python3.98", "3.98.2")
    assert not interpreters.still_valid(first)
    assert interpreters.find("3.98").version == "3.98.2"
    assert machine.interpreters().find("3.98").version == "3.98.2"


def test_an_upgrade_behind_a_link_is_noticed(machine: Machine) -> None:
    machine.python("cellar/1/python3.98", "3.98.1")
    machine.python("cellar/2/python3.98", "3.98.2")
    link = machine.root / "current"
    link.symlink_to("cellar/1")
    interpreters = machine.interpreters()
    assert interpreters.find("./current/python3.98").version == "3.98.1"
    link.unlink()
    link.symlink_to("cellar/2")
    assert interpreters.find("./current/python3.98").version == "3.98.2"


def test_what_was_found_and_is_gone_is_searched_for_again(machine: Machine) -> None:
    path = machine.python("bin/python3.98", "3.98.1")
    other = machine.python("home/.pyenv/versions/3.98.3/bin/python3.98", "3.98.3")
    machine.on_path("bin")
    assert machine.interpreters().find("3.98").executable == str(path)
    path.unlink()
    assert machine.interpreters().find("3.98").executable == str(other)
    other.unlink()
    with pytest.raises(InterpreterNotFound):
        machine.interpreters().find("3.98")


def test_another_path_is_another_question(machine: Machine) -> None:
    one = machine.python("one/python3.98", "3.98.1")
    two = machine.python("two/python3.98", "3.98.2")
    for folder, path in (("one", one), ("two", two), ("one", one)):
        machine.on_path(folder)
        assert machine.interpreters().find("3.98").executable == str(path)
    assert len(machine.started) == 2


def kept(machine: Machine, kind: str = "*") -> list[Path]:
    return sorted((machine.root / "cache" / STORE).glob(f"{kind}/*"))


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"x" * 100_000], ids=range(4))
def test_a_corrupt_cache_costs_a_search(machine: Machine, content: bytes) -> None:
    machine.python("bin/python3.98", "3.98.1")
    machine.on_path("bin")
    first = machine.interpreters().find("3.98")
    for file in kept(machine):
        file.write_bytes(content)
    assert machine.interpreters().find("3.98") == first
    assert len(machine.started) == 2
    assert machine.interpreters().find("3.98") == first
    assert len(machine.started) == 2


def test_entries_that_arent_whole_are_ignored(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.python("bin/python3.98", "3.98.1")
    machine.on_path("bin")
    with monkeypatch.context() as patched:
        patched.setattr(interpreters_module, "dump", lambda value: {"version": 3})
        first = machine.interpreters().find("3.98")
    assert kept(machine)
    assert machine.interpreters().find("3.98") == first
    assert len(machine.started) == 2


def test_a_cache_that_cant_be_written_does_no_harm(machine: Machine) -> None:
    machine.python("bin/python3.98", "3.98.1")
    machine.on_path("bin")
    (machine.root / "cache").write_text("a file in its place")
    interpreters = machine.interpreters()
    first = interpreters.find("3.98")
    assert first.version == "3.98.1"
    assert interpreters.find("3.98") == first


def test_many_at_once_leave_a_whole_cache(machine: Machine) -> None:
    for minor in (96, 97, 98):
        machine.python(f"bin/python3.{minor}", f"3.{minor}.1")
    machine.on_path("bin")
    failures: list[BaseException] = []

    def search(minor: int) -> None:
        try:
            assert machine.interpreters().find(f"3.{minor}").version == f"3.{minor}.1"
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=search, args=(minor,)) for minor in (96, 97, 98) * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(kept(machine, "interpreter")) == len(kept(machine, "python")) == 3
    assert not [path for path in kept(machine) if path.name.startswith(".")]


def test_the_cache_doesnt_grow_for_ever(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "MOST", 20)
    machine.python("bin/python3.98", "3.98.1")
    for number in range(30):
        machine.environ["PATH"] = f"{machine.root / 'bin'}:/nonexistent/{number}"
        machine.interpreters().find("3.98")
    assert len(kept(machine, "interpreter")) == 20
    assert len(machine.started) == 1
