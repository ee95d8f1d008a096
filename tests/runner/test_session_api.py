"""What a session's function is handed, and how what it does ends the session."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import setlist
from setlist import STATE_DIRECTORY
from setlist.core.events import CommandFinished, CommandStarted, Message, Output, SessionRetried
from setlist.core.model import EnvironmentSpec
from setlist.runner.session_api import SessionHandle

World = Any

OWN_VENV = EnvironmentSpec()


def test_it_is_the_public_session() -> None:
    assert setlist.Session is SessionHandle


def passes(world: World, body: str, **keys: Any) -> None:
    """Run a function whose assertions must hold."""
    options = keys.pop("options", {})
    world.add_function("a", body, **keys)
    assert world.run(**options) == 0, (world.ends(), world.messages("error"))


# --- what it says of itself -----------------------------------------------------------------------


def test_its_attributes(world: World) -> None:
    passes(
        world,
        f"""
        import os, sys
        from pathlib import Path
        assert (s.name, s.posargs, s.axes, s.ci) == ("a", ["-x", "y z"], {{"python": "3", "django": "4.0"}}, False)
        assert s.python == "3"
        assert s.interpreter.version.startswith("3.")
        assert s.root == Path({str(world.root)!r}) == s.cwd
        assert s.interactive == os.isatty(0)
        assert s.env["SETLIST_SESSION"] == "a"
        assert s.bin.is_dir()
        assert repr(s) == "<Session a>"
        s.posargs.append("z")
        assert s.posargs[-1] == "z"
        """,
        axes=(("python", "3"), ("django", "4.0")),
        options={"posargs": ("-x", "y z")},
    )


def test_python_without_a_request_is_the_version_it_runs_on(world: World) -> None:
    passes(world, 'import sys; assert s.python == "%d.%d" % sys.version_info[:2]')
    passes(world, 'assert s.python == ">=3.8"', environment=EnvironmentSpec(python=">=3.8", backend="none"))


def test_bin_is_the_environments(world: World) -> None:
    passes(
        world,
        f'assert s.bin.parent == s.root / "{STATE_DIRECTORY}/envs/a"; assert list(s.bin.glob("python*"))',
        environment=OWN_VENV,
    )


def test_tmp_and_cache_dir(world: World) -> None:
    passes(
        world,
        """
        assert s.tmp.is_dir() and s.tmp == s.tmp and not list(s.tmp.iterdir())
        (s.tmp / "x").write_text("")
        (s.root / "seen").write_text(str(s.tmp))
        (s.cache_dir / "kept").write_text("")
        """,
    )
    assert not os.path.exists(world.read("seen"))
    assert (world.project.cache / "kept").exists()


# --- running commands -----------------------------------------------------------------------------


def test_run_returns_whether_it_succeeded_or_what_it_wrote(world: World) -> None:
    passes(
        world,
        """
        import sys
        assert s.run(sys.executable, "-c", "") is True
        assert s.run(sys.executable, "-c", "raise SystemExit(3)", ok_codes=(3,)) is True
        assert s.run(sys.executable, "-c", "raise SystemExit(3)", allow_failure=True) is False
        out = s.run(sys.executable, "-c", "import sys; print('out'); print('err', file=sys.stderr)", silent=True)
        assert out.split() == ["out"], out
        """,
    )
    assert not world.told(Output)
    assert len(world.messages("warning")) == 1


def test_words_may_be_paths_and_nothing_is_expanded(world: World) -> None:
    passes(world, 's.run("echo", s.root, "{session}")')
    assert world.told(CommandStarted)[0].command == ("echo", str(world.root), "{session}")


def test_a_word_of_another_type_is_a_mistake(world: World) -> None:
    world.add_function("a", 's.run("echo", 3)')
    assert world.run() == 1
    assert "TypeError: a word of a command is a string or a path, not 3" in world.ends()["a"]
    world.add_function("b", 's.run(["echo", "x"])')
    assert world.run("b") == 1
    assert "unpack it, as in s.run(*words)" in world.ends()["b"]


def test_a_bare_run_is_a_mistake(world: World) -> None:
    world.add_function("a", "s.run()")
    assert world.run() == 1
    assert "without a command" in world.ends()["a"]


def test_variables_are_added_and_taken_away_for_one_command_or_all(world: World) -> None:
    passes(
        world,
        """
        import sys
        def seen(**options):
            code = "import os; print(os.environ.get('A'), os.environ.get('B'))"
            return s.run(sys.executable, "-c", code, silent=True, **options).strip()
        assert seen() == "1 None"
        assert seen(env={"A": None, "B": "2"}) == "None 2"
        s.env["B"] = "3"
        del s.env["A"]
        assert seen() == "None 3"
        """,
        env=(("A", "1"),),
    )


def test_cd_is_for_a_block_or_from_now_on_and_never_our_own(world: World) -> None:
    (world.root / "docs" / "api").mkdir(parents=True)
    passes(
        world,
        """
        import os, sys
        from pathlib import Path
        ours = os.getcwd()
        def where(**options):
            out = s.run(sys.executable, "-c", "import os; print(os.getcwd())", silent=True, **options)
            return Path(out.strip()).relative_to(os.path.realpath(s.root)).as_posix()
        with s.cd("docs") as there:
            assert there == s.cwd == s.root / "docs"
            assert where() == "docs"
            assert where(cwd="api") == "docs/api"
            with s.cd(".."):
                assert where() == "."
        assert where() == "."
        s.cd("docs")
        s.cd("api")
        assert where() == "docs/api"
        assert where(cwd=s.root) == "."
        s.run(sys.executable, "-c", "print(1)", stdout="out.txt")
        assert os.getcwd() == ours
        """,
    )
    assert world.read("docs/api/out.txt").split() == ["1"]


def test_cd_goes_back_after_an_exception_and_refuses_what_isnt_there(world: World) -> None:
    (world.root / "docs").mkdir()
    passes(
        world,
        """
        from setlist import SetlistError
        try:
            with s.cd("docs"):
                s.cd("gone")
        except SetlistError as error:
            assert "docs/gone doesn't exist" in str(error)
        assert s.cwd == s.root
        """,
    )


def test_what_isnt_in_the_environment_needs_external(world: World) -> None:
    passes(
        world,
        """
        from setlist.core.errors import CommandRefused
        try:
            s.run("echo", "x")
        except CommandRefused as error:
            assert "external" in error.hint
        else:
            raise AssertionError("was run")
        s.run("echo", "x", external=True)
        s.run("true")
        """,
        environment=OWN_VENV,
        external=("tr*",),
    )


def test_a_command_has_the_smaller_of_two_timeouts(world: World) -> None:
    world.add_function(
        "a", "import sys\ns.run(sys.executable, '-c', 'import time; time.sleep(60)', timeout=60)", timeout=0.4
    )
    assert world.run() == 1
    assert world.told(CommandFinished)[0].timed_out


# --- how it ends ----------------------------------------------------------------------------------


def test_a_failing_command_fails_the_session(world: World) -> None:
    world.add_function("a", "import sys\ns.run(sys.executable, '-c', 'raise SystemExit(7)')\ns.log('went on')")
    assert world.run() == 1
    assert world.ends()["a"].endswith("exited with code 7")
    assert not world.told(Message)


def test_a_failing_command_may_be_caught(world: World) -> None:
    passes(
        world,
        """
        import sys
        from setlist.core.errors import CommandFailed
        try:
            s.run(sys.executable, "-c", "raise SystemExit(7)")
        except CommandFailed as error:
            assert error.code == 7
        """,
    )


def test_skip_and_error_end_it_with_a_reason(world: World) -> None:
    world.add_function("a", "s.skip('no docker here')")
    world.add_function("b", "s.error('the index is down')")
    assert world.run() == 1
    assert world.ends() == {"a": "skipped: no docker here", "b": "failed: the index is down"}


def test_an_exception_is_one_line_with_its_place_and_a_log(world: World) -> None:
    world.add_function("a", "def inner():\n    1 / 0\ninner()")
    assert world.run() == 1
    assert world.ends()["a"] == "failed: sessions/a.py:7: ZeroDivisionError: division by zero"
    (message,) = world.messages("error")
    assert message.splitlines()[1] == f"the full traceback is in {STATE_DIRECTORY}/logs/a.traceback.log"
    assert "ZeroDivisionError" in world.read(f"{STATE_DIRECTORY}/logs/a.traceback.log")


def test_an_exception_in_a_helper_points_to_the_function(world: World) -> None:
    world.add_function("a", "import json\njson.loads('{')")
    assert world.run() == 1
    assert world.ends()["a"].startswith("failed: sessions/a.py:7: JSONDecodeError: Expecting property name")


def test_an_exception_in_a_function_from_elsewhere_points_there(world: World) -> None:
    (world.root / "tools.py").write_text("def a(s):\n    1 / 0\n")
    path = world.root / "sessions" / "a.py"
    world.add_function("a", "pass")
    path.write_text(
        f"import sys\nsys.path.insert(0, {str(world.root)!r})\n"
        "from setlist import session\nimport tools\nsys.path.pop(0)\n"
        "a = session()(tools.a)\n"
    )
    assert world.run() == 1
    assert world.ends()["a"] == "failed: tools.py:2: ZeroDivisionError: division by zero"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("raise SystemExit('enough')", "SystemExit: enough"),
        ("import sys; sys.exit(0)", "SystemExit: 0"),
        ("raise AssertionError", "AssertionError"),
        ("raise ValueError('one\\ntwo')", "ValueError: one"),
    ],
)
def test_every_exception_is_a_failure_in_one_line(world: World, body: str, told: str) -> None:
    world.add_function("a", body)
    assert world.run() == 1
    assert world.ends()["a"] == f"failed: sessions/a.py:6: {told}"


def test_a_failure_is_tried_again_but_a_skip_is_not(world: World) -> None:
    body = "n = s.root / 'n'\nif not n.exists():\n    n.write_text('')\n    {}\n"
    world.add_function("a", body.format("s.error('not yet')"), retries=1)
    assert world.run() == 0
    assert world.told(SessionRetried)[0].reason == "not yet"
    (world.root / "n").unlink()
    world.add_function("a", body.format("s.skip('enough')"), retries=1)
    assert world.run() == 0
    assert not world.told(SessionRetried)


def test_an_async_function_is_refused_rather_than_not_run(world: World) -> None:
    path = world.root / "sessions" / "a.py"
    world.add_function("a", "pass")
    path.write_text(path.read_text().replace("def a", "async def a"))
    assert world.run() == 1
    assert "is async" in world.ends()["a"]


def test_log_and_warn_are_told(world: World) -> None:
    passes(world, "s.log('one'); s.warn('two')")
    assert (world.messages("info"), world.messages("warning")) == (["one"], ["two"])


# --- installing -----------------------------------------------------------------------------------


def test_install_is_told_done_once_and_undone(world: World, wheelhouse: object) -> None:
    world.caller = type(world.caller)(dict(os.environ), world.root, ci=False)
    install = "s.install('delta')"
    check = "\ns.run('python', '-c', 'import delta')"
    passes(world, install + check, environment=OWN_VENV)
    assert any(text.startswith("installed: + delta") for text in world.messages("info"))
    passes(world, install + check, environment=OWN_VENV)
    assert world.messages("info") == []
    passes(world, "pass", environment=OWN_VENV)
    assert any(text.startswith("no longer installed by its function: - delta") for text in world.messages("info"))


SEE = """
program = "import importlib.metadata as m; print(sorted(d.name + d.version for d in m.distributions()))"
seen = []
def see():
    seen.append(s.run("python", "-c", program, silent=True).strip())
"""


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            "s.install('delta==1.0'); see(); s.install('delta==2.0'); see()",
            ["['beta1.0', 'delta1.0']", "['beta1.0', 'delta2.0']"],
        ),
        ("s.install('delta'); see(); s.install('tool')", ["['beta1.0', 'delta2.0']"]),
        ("s.install('beta==2.0'); s.install('delta==1.0'); see()", ["['beta2.0', 'delta1.0']"]),
        ("see(); s.install('beta==2.0'); see()", ["['beta1.0']", "['beta2.0']"]),
        (
            "see(); s.run('uv', 'pip', 'install', 'delta==1.0', external=True); see(); s.install('tool==1.0'); see()",
            ["['beta1.0']", "['beta1.0', 'delta1.0']", "['beta1.0', 'delta1.0', 'tool1.0']"],
        ),
    ],
    ids=["another version", "later", "over deps", "over deps later", "by a command"],
)
def test_command_sees_what_was_installed_before_it(
    world: World, wheelhouse: object, monkeypatch: pytest.MonkeyPatch, body: str, expected: list[str]
) -> None:
    from setlist.environment.installers import uv_binary

    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(uv_binary()).parent), os.environ["PATH"]]))
    world.caller = type(world.caller)(dict(os.environ), world.root, ci=False)
    own = EnvironmentSpec(deps=("beta==1.0",))
    for _ in range(3):
        passes(world, f"{SEE}{body}\nassert seen == {expected!r}, seen", environment=own)


def test_install_that_overrode_another_is_undone_when_it_is_gone(world: World, wheelhouse: object) -> None:
    world.caller = type(world.caller)(dict(os.environ), world.root, ci=False)
    first = f"{SEE}s.install('delta==1.0')\n"
    passes(world, first + "s.install('delta==2.0')\nsee()", environment=OWN_VENV)
    passes(world, first + "see()\nassert seen == [\"['delta1.0']\"], seen", environment=OWN_VENV)


def test_install_needs_an_environment(world: World) -> None:
    world.add_function("a", "s.install('delta')")
    assert world.run() == 1
    assert "needs an environment" in world.ends()["a"]


def test_a_word_of_bytes_is_a_mistake(world: World) -> None:
    world.add_function(
        "a",
        """
        class Odd:
            def __fspath__(self):
                return b"bytes"
        s.run("echo", Odd())
        """,
    )
    assert world.run() == 1
    assert "TypeError: a word of a command" in world.ends()["a"]
