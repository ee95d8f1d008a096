"""Real process trees, real signals, real terminals."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import textwrap
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from setlist.core import system
from setlist.core.errors import CommandRefused, SessionError
from setlist.process import tree as process_tree
from setlist.process.guardian import MARK
from setlist.process.spawn import Completed, Grace, Interrupted, handling_signals, run_process
from setlist.process.tree import ProcessTree, marked
from support.storm import is_over, storm

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX processes and signals")

PATIENCE = 60.0
"""Seconds until a test gives up waiting; nothing that works comes near it."""

# Runs a process as setlist does, and says how it ended.
DRIVER = textwrap.dedent(
    """
    import contextlib, json, os, sys
    from pathlib import Path
    from setlist.process.spawn import Grace, Interrupted, handling_signals, run_process

    order = json.loads(sys.argv[1])
    exec(order.get("first", ""))
    try:
        with handling_signals() if order.get("handle", True) else contextlib.nullcontext():
            done = run_process(
                order["argv"],
                env=dict(os.environ),
                cwd=Path.cwd(),
                capture=order.get("capture", False),
                timeout=order.get("timeout"),
                grace=Grace(*order.get("grace", (0.3, 0.3))),
            )
    except Interrupted as interrupted:
        print("interrupted", interrupted, flush=True)
        raise SystemExit(interrupted.exit_code)
    except KeyboardInterrupt:
        print("keyboard", flush=True)
        raise SystemExit(99)
    print("code", done.code, "timed out" if done.timed_out else "in time", flush=True)
    """
)


def until(condition: Callable[[], Any], what: str = "") -> Any:
    """Wait for something to become true."""
    deadline = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < deadline, f"never came true: {what or condition}"
        time.sleep(0.005)
    return value


class Tree:
    """Processes that carry a mark of this test, and a directory in which they say that they are there."""

    def __init__(self, directory: Path) -> None:
        self.mark = uuid.uuid4().hex
        self.directory = directory
        self.environ = {**os.environ, "TREE_OF_TEST": self.mark, "D": str(directory), "BEAT": str(directory / "beat")}
        self.environ.pop(MARK, None)
        self._drivers: list[subprocess.Popen[str]] = []

    def alive(self) -> list[Any]:
        """Whoever carries the mark, the drivers excepted."""
        import psutil

        drivers = {driver.pid for driver in self._drivers}
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                if process.environ().get("TREE_OF_TEST") == self.mark and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return [process for process in found if process.pid not in drivers]

    def wait_for(self, *names: str) -> None:
        """Wait until the processes of these names are there."""
        until(lambda: all((self.directory / name).exists() for name in names), f"{names}")

    def there(self, name: str) -> bool:
        return (self.directory / name).exists()

    def drive(self, *argv: str, **order: Any) -> subprocess.Popen[str]:
        """Start a driver that runs a process, away from any terminal."""
        before = order.pop("before", None)
        driver = subprocess.Popen(
            [sys.executable, "-c", DRIVER, json.dumps({"argv": argv, **order})],
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=before,
        )
        self._drivers.append(driver)
        return driver

    def end(self) -> None:
        for driver in self._drivers:
            driver.kill()
        for process in self.alive():
            process.kill()
        for driver in self._drivers:
            driver.communicate()


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Tree]:
    directory = tmp_path / "there"
    directory.mkdir()
    grown = Tree(directory)
    yield grown
    grown.end()


def said(driver: subprocess.Popen[str]) -> str:
    """What a driver said at its end."""
    out, _ = driver.communicate(timeout=PATIENCE)
    return out.strip().splitlines()[-1] if out.strip() else ""


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", textwrap.dedent(code))


def run(*argv: str, **options: Any) -> Completed:
    environ = options.pop("env", None) or dict(os.environ)
    return run_process(argv, env=environ, cwd=options.pop("cwd", Path.cwd()), **options)


# A shell, its child and its grandchild; all say when they are there.
FAMILY = (
    "sh",
    "-c",
    """
    sh -c 'sh -c "touch $D/grandchild; exec sleep 60" & touch $D/child; wait' &
    touch $D/leader
    wait
    """,
)

# A daemon that has left its group, its session and its parent; its starter stays.
DAEMON = python(
    """
    import os, time
    there = os.environ["D"]
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        open(there + "/daemon", "w").close()
        time.sleep(60)
        os._exit(0)
    os.wait()
    time.sleep(60)
    """
)

# Doesn't listen to anything that can be ignored, nor does its child.
DEAF = (
    "sh",
    "-c",
    """
    trap '' INT TERM HUP
    sleep 60 &
    touch $D/leader
    wait
    sleep 60
    """,
)


# --- how it ends, and what it says ----------------------------------------------------------------


def test_exit_code_and_output_are_collected() -> None:
    done = run(*python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"), capture=True)
    assert (done.code, done.stdout.split(), done.stderr.split()) == (3, [b"out"], [b"err"])
    assert not done.timed_out
    assert done.duration > 0


def test_streams_that_are_full_both_ways_dont_block() -> None:
    echo = python(
        """
        import sys
        data = sys.stdin.buffer.read()
        sys.stderr.buffer.write(data)
        sys.stdout.buffer.write(data)
        """
    )
    data = os.urandom(1_000_000)
    done = run(*echo, stdin=data, capture=True)
    assert done.code == 0
    assert done.stdout == done.stderr == data


def test_a_child_that_does_not_read_what_it_is_fed() -> None:
    assert run(*python("import os; os.close(0)"), stdin=b"x" * 1_000_000).code == 0


def test_empty_input_is_no_input() -> None:
    assert run(*python("import sys; print(len(sys.stdin.read()))"), stdin=b"", capture=True).stdout.split() == [b"0"]


def test_standard_output_goes_to_a_file_whose_directory_is_made(tmp_path: Path) -> None:
    target = tmp_path / "made" / "out.txt"
    code = "import sys; print('kept'); print('told', file=sys.stderr)"
    done = run(*python(code), stdout=target, capture=True)
    assert target.read_text().split() == ["kept"]
    assert (done.stdout, done.stderr.split()) == (b"", [b"told"])


def test_a_file_that_cant_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(SessionError, match="can't write"):
        run("true", stdout=tmp_path)


def test_output_is_ours_untouched_and_after_what_we_printed(tree: Tree) -> None:
    code = """
        import os, sys
        from pathlib import Path
        from setlist.process.spawn import run_process
        print("ours")
        run_process([sys.executable, "-c", "print('theirs')"], env=dict(os.environ), cwd=Path.cwd())
        """
    done = subprocess.run(python(code), env=tree.environ, stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout.split() == ["ours", "theirs"]


def test_the_directory_and_the_variables_are_those_given(tmp_path: Path) -> None:
    code = "import os; print(os.getcwd()); print(os.environ['A'])"
    done = run(*python(code), cwd=tmp_path, env={**os.environ, "A": "b c"}, capture=True)
    assert done.stdout.decode().splitlines() == [os.path.realpath(tmp_path), "b c"]


@posix
def test_a_child_gets_the_default_handling_of_sigpipe() -> None:
    assert run(*python("import os, signal; os.kill(os.getpid(), signal.SIGUSR1)")).code == -signal.SIGUSR1
    assert run("sh", "-c", "kill -PIPE $$").code == -signal.SIGPIPE


def test_a_run_inside_a_run_carries_both_marks() -> None:
    code = f"import os; print(os.environ['{MARK}'])"
    alone = run(*python(code), env={k: v for k, v in os.environ.items() if k != MARK}, capture=True)
    inner = run(*python(code), env={**os.environ, MARK: "outer"}, capture=True)
    assert "/" not in alone.stdout.decode().strip()
    assert inner.stdout.decode().startswith("outer/")
    assert marked(inner.stdout.decode().strip(), "outer")
    assert not marked("outermost/inner", "outer")
    assert not marked(None, "outer")


def test_ending_well_looks_at_no_other_process() -> None:
    code = """
        import os, sys
        from pathlib import Path
        from setlist.process.spawn import handling_signals, run_process
        with handling_signals():
            run_process([sys.executable, "-c", ""], env=dict(os.environ), cwd=Path.cwd(), timeout=60)
        assert "psutil" not in sys.modules
        """
    assert run(*python(code)).code == 0


# --- what can't be started ------------------------------------------------------------------------


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CommandRefused, match="no-such-program: no such program on PATH"):
        run("no-such-program")
    with pytest.raises(CommandRefused, match=r"\./no-such: no such program$"):
        run("./no-such", cwd=tmp_path)


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CommandRefused, match=r"the directory .*gone doesn't exist"):
        run(sys.executable, cwd=tmp_path / "gone")


def test_a_word_with_a_null_byte() -> None:
    with pytest.raises(CommandRefused, match="null"):
        run(sys.executable, "a\0b")


@posix
@pytest.mark.parametrize(
    ("text", "mode", "message"),
    [
        ("#!/bin/sh\n", 0o644, "permission denied"),
        ("not a program\n", 0o755, "not a program of this system"),
        ("#!/no/such/interpreter\n", 0o755, r"first line \(#!\) isn't there"),
    ],
)
def test_a_file_that_is_no_program(tmp_path: Path, text: str, mode: int, message: str) -> None:
    (tmp_path / "tool").write_text(text)
    (tmp_path / "tool").chmod(mode)
    with pytest.raises(CommandRefused, match=message):
        run("./tool", cwd=tmp_path)


@posix
def test_a_directory_is_no_program(tmp_path: Path) -> None:
    (tmp_path / "tool").mkdir()
    with pytest.raises(CommandRefused, match="it is a directory"):
        run("./tool", cwd=tmp_path)


@posix
def test_arguments_longer_than_the_system_allows() -> None:
    with pytest.raises(CommandRefused, match="longer than the system allows"):
        run("true", "x" * 50_000_000)


# --- time-outs ------------------------------------------------------------------------------------


@posix
def test_a_time_out_ends_it() -> None:
    done = run("sh", "-c", "echo began; exec sleep 60", timeout=0.5, capture=True)
    assert done.timed_out
    assert done.stdout.split() == [b"began"]
    assert done.duration < PATIENCE


@posix
def test_a_time_out_that_isnt_reached_changes_nothing() -> None:
    done = run("true", timeout=60)
    assert (done.code, done.timed_out) == (0, False)


@posix
@pytest.mark.parametrize("program", [FAMILY, DEAF, DAEMON], ids=["family", "deaf", "daemon"])
def test_a_time_out_ends_the_whole_tree(tree: Tree, program: Sequence[str]) -> None:
    driver = tree.drive(*program, timeout=1.0, grace=(0.1, 0.2))
    code = -signal.SIGKILL if program is DEAF else -signal.SIGTERM
    assert said(driver) == f"code {code} timed out"
    assert tree.alive() == []


@posix
def test_a_stopped_child_is_ended_by_sigterm(tree: Tree) -> None:
    driver = tree.drive("sh", "-c", "kill -STOP $$", timeout=0.5, grace=(PATIENCE, PATIENCE))
    assert said(driver) == f"code {-signal.SIGTERM} timed out"


# --- what is left after it ended by itself ---------------------------------------------------------


@posix
def test_what_stays_behind_in_its_group_is_terminated(tree: Tree) -> None:
    driver = tree.drive("sh", "-c", "sleep 60 & (trap '' TERM; touch $D/deaf; sleep 60) & exit 7", grace=(0.1, 0.1))
    assert said(driver) == "code 7 in time"
    assert tree.alive() == []


@posix
@pytest.mark.parametrize("handle", [True, False])
def test_what_forks_anew_all_the_time_is_ended_with_its_group(tree: Tree, handle: bool) -> None:
    driver = tree.drive(*storm("group"), handle=handle)
    assert said(driver) == "code 0 in time"
    tree.wait_for("beat")
    assert is_over(tree.directory / "beat")


@posix
@pytest.mark.parametrize("where", ["group", "session", "sessions"])
def test_a_time_out_ends_what_forks_anew_all_the_time(tree: Tree, where: str) -> None:
    driver = tree.drive(*storm(where, "stays"), timeout=1)
    assert said(driver).endswith("timed out")
    assert is_over(tree.directory / "beat")


@posix
@pytest.mark.parametrize("where", ["group", "session", "sessions"])
def test_a_signal_ends_what_forks_anew_all_the_time(tree: Tree, where: str) -> None:
    driver = tree.drive(*storm(where, "stays"))
    tree.wait_for("beat")
    driver.send_signal(signal.SIGTERM)
    assert said(driver) == "interrupted SIGTERM"
    assert is_over(tree.directory / "beat")


@posix
def test_a_daemon_that_left_on_purpose_stays(tree: Tree) -> None:
    starter = DAEMON[2].rpartition("time.sleep(60)")[0] + "while not os.path.exists(there + '/daemon'): pass\n"
    driver = tree.drive(sys.executable, "-c", starter)
    assert driver.stdout is not None
    assert driver.stdout.readline() == "code 0 in time\n"  # not to its end: the daemon holds it as well
    assert driver.wait(PATIENCE) == 0
    assert len(tree.alive()) == 1


@posix
def test_a_daemon_that_holds_the_pipes_open_isnt_waited_for(tree: Tree) -> None:
    starter = DAEMON[2].rpartition("time.sleep(60)")[0] + "print('started')\n"
    done = run(sys.executable, "-c", starter, env=tree.environ, capture=True)
    assert done.stdout.split() == [b"started"]
    assert len(tree.alive()) == 1


# --- signals --------------------------------------------------------------------------------------

SIGNALS = [signal.SIGINT, signal.SIGTERM] + ([signal.SIGHUP] if sys.platform != "win32" else [])


@posix
@pytest.mark.parametrize("signum", SIGNALS)
@pytest.mark.parametrize(
    ("program", "there"),
    [(FAMILY, ("leader", "child", "grandchild")), (DAEMON, ("daemon",)), (DEAF, ("leader",))],
    ids=["family", "daemon", "deaf"],
)
def test_a_signal_ends_the_whole_tree(
    tree: Tree, signum: signal.Signals, program: Sequence[str], there: Sequence[str]
) -> None:
    driver = tree.drive(*program, grace=(0.1, 0.1))
    tree.wait_for(*there)
    driver.send_signal(signum)
    assert said(driver) == f"interrupted {signum.name}"
    assert driver.returncode == 128 + signum
    assert tree.alive() == []


@posix
def test_a_signal_ends_a_child_whose_output_is_collected(tree: Tree) -> None:
    driver = tree.drive(*FAMILY, capture=True)
    tree.wait_for("grandchild")
    driver.send_signal(signal.SIGTERM)
    assert said(driver) == "interrupted SIGTERM"
    assert tree.alive() == []


@posix
def test_sigint_lets_the_child_clean_up(tree: Tree) -> None:
    program = "trap 'sleep 0.3; touch $D/cleaned; exit 0' INT; touch $D/leader; while :; do sleep 0.01; done"
    driver = tree.drive("sh", "-c", program, grace=(PATIENCE, PATIENCE))
    tree.wait_for("leader")
    driver.send_signal(signal.SIGINT)
    assert said(driver) == "interrupted SIGINT"
    assert tree.there("cleaned")


@posix
def test_the_same_signal_again_at_once_is_the_same_wish(tree: Tree) -> None:
    program = "trap 'sleep 0.5; touch $D/cleaned; exit 0' INT; touch $D/leader; while :; do sleep 0.01; done"
    driver = tree.drive("sh", "-c", program, grace=(PATIENCE, PATIENCE))
    tree.wait_for("leader")
    driver.send_signal(signal.SIGINT)
    time.sleep(0.02)
    driver.send_signal(signal.SIGINT)
    assert said(driver) == "interrupted SIGINT"
    assert tree.there("cleaned")


@posix
def test_who_is_left_when_the_child_has_ended_isnt_waited_for_as_long(tree: Tree) -> None:
    # a shell starts what goes to the background with SIGINT ignored
    driver = tree.drive("sh", "-c", "sleep 60 & touch $D/leader; wait", grace=(10 * PATIENCE, PATIENCE))
    tree.wait_for("leader")
    driver.send_signal(signal.SIGINT)
    assert said(driver) == "interrupted SIGINT"
    assert tree.alive() == []


@posix
@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_skips_the_waiting(tree: Tree, second: signal.Signals) -> None:
    driver = tree.drive(*DEAF, grace=(10 * PATIENCE, 10 * PATIENCE))
    tree.wait_for("leader")
    driver.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert driver.poll() is None
    driver.send_signal(second)
    assert said(driver) == "interrupted SIGINT"
    assert tree.alive() == []


@posix
def test_without_our_handlers_a_keyboard_interrupt_leaves_nothing_either(tree: Tree) -> None:
    driver = tree.drive(*FAMILY, handle=False)
    tree.wait_for("grandchild")
    driver.send_signal(signal.SIGINT)
    assert said(driver) == "keyboard"
    assert tree.alive() == []


# where a process has been started, and whoever started it doesn't know yet, or hasn't written it down
BETWEEN = {
    "its start isn't known to have gone well": """
        import subprocess
        start = subprocess.Popen.__init__
        def slowly(self, *arguments, **options):
            start(self, *arguments, **options)
            time.sleep(60)
        subprocess.Popen.__init__ = slowly
    """,
    "it isn't noted": """
        from setlist.process import guardian
        guardian.note_started = lambda *arguments, **options: time.sleep(60)
    """,
    "nobody waits for it": """
        from setlist.process import popen
        class Slow(popen.Child):
            def wait(self, deadline):
                time.sleep(60)
        popen.Child = Slow
    """,
}


@posix
@pytest.mark.parametrize("slow", BETWEEN.values(), ids=BETWEEN)
def test_a_keyboard_interrupt_at_any_moment_of_the_start_leaves_nothing(tree: Tree, slow: str) -> None:
    driver = tree.drive(*FAMILY, handle=False, first="import time\n" + textwrap.dedent(slow))
    tree.wait_for("grandchild")
    driver.send_signal(signal.SIGINT)
    assert said(driver) == "keyboard"
    assert tree.alive() == []


@posix
def test_what_our_parent_ignores_we_and_the_child_ignore(tree: Tree) -> None:
    program = "touch $D/leader; kill -HUP $$; sleep 0.3"
    driver = tree.drive("sh", "-c", program, before=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    tree.wait_for("leader")
    driver.send_signal(signal.SIGHUP)
    assert said(driver) == "code 0 in time"


@posix
def test_a_signal_before_the_start_starts_nothing(tmp_path: Path) -> None:
    def interrupted() -> None:
        with handling_signals():
            os.kill(os.getpid(), signal.SIGTERM)
            run("touch", str(tmp_path / "started"))

    with pytest.raises(Interrupted) as caught:
        interrupted()
    assert caught.value.exit_code == 143
    assert not (tmp_path / "started").exists()


@posix
def test_a_process_is_run_in_a_thread_beside_a_main_thread_that_handles_signals() -> None:
    done: list[Completed] = []
    with handling_signals():
        thread = threading.Thread(target=lambda: done.append(run("sh", "-c", "echo x; exit 4", capture=True)))
        thread.start()
        thread.join(PATIENCE)
    assert [(one.code, one.stdout) for one in done] == [(4, b"x\n")]


# --- where the system has nothing to wait on ------------------------------------------------------


@pytest.fixture
def without_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows, or in a sandbox that forbids pidfds: a thread waits."""
    monkeypatch.setattr(system, "watch_exit", lambda pid: None)


@pytest.mark.usefixtures("without_descriptors")
def test_a_thread_waits_where_there_is_no_descriptor_to_wait_on() -> None:
    done = run(*python("print(input())"), stdin=b"heard\n", capture=True)
    assert (done.code, done.stdout.split()) == (0, [b"heard"])
    assert run(*python("import time; time.sleep(60)"), timeout=0.2).timed_out


@posix
@pytest.mark.usefixtures("without_descriptors")
def test_a_signal_wakes_where_a_thread_waits() -> None:
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGTERM))
    timer.start()
    with pytest.raises(Interrupted), handling_signals():
        run("sleep", "60", grace=Grace(0.1, PATIENCE))


@posix
def test_a_child_that_has_ended_or_never_was_has_no_descriptor() -> None:
    child = subprocess.Popen(["true"])
    child.wait()
    assert system.watch_exit(child.pid) is None


# --- a tree, looked at directly --------------------------------------------------------------------


@posix
def test_a_tree_that_is_gone() -> None:
    child = subprocess.Popen(["true"], start_new_session=True)
    child.wait()
    tree = ProcessTree(child.pid, "x" * 16, own_group=True)
    assert not tree.left_in_group()
    assert tree.find() == []
    tree.send(signal.SIGTERM)
    tree.kill()
    assert not tree.alive()


@posix
def test_a_descendant_with_an_emptied_environment_is_found_by_descent(tree: Tree) -> None:
    driver = tree.drive("sh", "-c", "setsid env -i sleep 6123 & touch $D/leader; wait", timeout=0.5)
    assert said(driver).endswith("timed out")
    assert subprocess.run(["pgrep", "-x", "-f", "sleep 6123"], stdout=subprocess.PIPE, check=False).stdout == b""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_processes_that_came_later_are_told_by_their_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    child = subprocess.Popen(["sleep", "60"])
    try:
        assert child.pid in process_tree._younger_than(child.pid - 1)
        assert child.pid not in process_tree._younger_than(child.pid)
        assert os.getpid() not in process_tree._younger_than(1)
        # the numbers have wrapped around since: everybody may have come later
        assert child.pid in process_tree._younger_than(2**30)
    finally:
        child.kill()
        child.wait()
    monkeypatch.setattr(os, "listdir", lambda path: ["1", "self", str(2**30)])
    assert process_tree._younger_than(1) == [2**30]
    assert not ProcessTree(1, "x" * 16, own_group=False).left_in_group()

    def nothing(path: str) -> list[str]:
        raise FileNotFoundError(path)

    monkeypatch.setattr(os, "listdir", nothing)
    assert process_tree._younger_than(1) == []


# --- at a terminal --------------------------------------------------------------------------------


@pytest.fixture
def terminal(tree: Tree) -> Iterator[Callable[..., Any]]:
    """Start a driver in a terminal of its own."""
    pexpect = pytest.importorskip("pexpect")
    started: list[Any] = []

    def start(*argv: str, **order: Any) -> Any:
        words = ["-c", DRIVER, json.dumps({"argv": argv, **order})]
        child = pexpect.spawn(sys.executable, words, env=tree.environ, timeout=PATIENCE, encoding="utf-8")
        tree._drivers.append(child)  # not to be counted among those that stay behind
        started.append(child)
        return child

    yield start
    for child in started:
        child.close(force=True)
    tree._drivers.clear()


COUNTS_INTERRUPTS = python(
    """
    import os, signal, time
    there = os.environ["D"]
    counted = []
    signal.signal(signal.SIGINT, lambda *_: counted.append(1))
    open(there + "/leader", "w").close()
    while not counted:
        time.sleep(0.01)
    time.sleep(0.4)
    open(there + "/" + str(len(counted)), "w").close()
    """
)


def ended(child: Any) -> int:
    """A terminal's driver's exit code."""
    import pexpect

    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus is not None
    return int(child.exitstatus)


@posix
def test_ctrl_c_reaches_the_child_once(tree: Tree, terminal: Callable[..., Any]) -> None:
    child = terminal(*COUNTS_INTERRUPTS, grace=(PATIENCE, PATIENCE))
    tree.wait_for("leader")
    child.sendintr()
    child.expect("interrupted SIGINT")
    assert ended(child) == 130
    assert tree.there("1")


@posix
def test_ctrl_c_twice_skips_the_waiting(tree: Tree, terminal: Callable[..., Any]) -> None:
    child = terminal(*DEAF, grace=(10 * PATIENCE, 10 * PATIENCE))
    tree.wait_for("leader")
    child.sendintr()
    time.sleep(0.3)
    child.sendintr()
    assert ended(child) == 130
    assert tree.alive() == []


@posix
def test_ctrl_c_ends_a_tree_that_does_not_listen(tree: Tree, terminal: Callable[..., Any]) -> None:
    child = terminal(*DEAF, grace=(0.1, 0.1))
    tree.wait_for("leader")
    child.sendintr()
    assert ended(child) == 130
    assert tree.alive() == []


@posix
@pytest.mark.parametrize("capture", [False, True])
def test_a_child_can_read_the_terminal(terminal: Callable[..., Any], capture: bool) -> None:
    # what is collected may ask for a passphrase all the same
    ask = python(
        """
        with open("/dev/tty", "w") as out, open("/dev/tty") as answers:
            print("name?", file=out, flush=True)
            print("hello", answers.readline(), file=out)
        """
    )
    child = terminal(*ask, capture=capture)
    child.expect(r"name\?")
    child.sendline("you")
    child.expect("hello you")
    child.expect("code 0 in time")
    assert ended(child) == 0


@posix
def test_a_child_sees_a_terminal(terminal: Callable[..., Any]) -> None:
    child = terminal(*python("import sys; print(all(s.isatty() for s in (sys.stdin, sys.stdout, sys.stderr)))"))
    child.expect("True")
    assert ended(child) == 0


@posix
def test_a_terminal_that_was_left_raw_is_set_right(terminal: Callable[..., Any]) -> None:
    raw = python("import tty, time; tty.setraw(0); print('raw', flush=True); time.sleep(60)")
    code = f"""
        import json, os, runpy, sys, termios
        before = termios.tcgetattr(0)
        sys.argv = ["driver", {json.dumps(json.dumps({"argv": raw, "timeout": 1.0}))}]
        exec({DRIVER!r})
        print("the same" if termios.tcgetattr(0) == before else "raw still")
        """
    child = terminal(*python(code))
    child.expect("the same")
    assert ended(child) == 0


@posix
@pytest.mark.skipif(sys.platform != "linux", reason="only /proc tells who is left in a shared group")
def test_what_stays_behind_at_a_terminal_is_terminated(tree: Tree, terminal: Callable[..., Any]) -> None:
    # the hang-up at the terminal's end would end it as well
    child = terminal("sh", "-c", "trap '' HUP; sleep 60 & exit 7")
    child.expect("code 7 in time")
    assert ended(child) == 0
    assert tree.alive() == []


@posix
@pytest.mark.skipif(sys.platform != "linux", reason="only /proc tells who is left in a shared group")
def test_what_forks_anew_all_the_time_at_a_terminal_is_ended(tree: Tree, terminal: Callable[..., Any]) -> None:
    child = terminal("sh", "-c", f"trap '' HUP; exec {shlex.join(storm('group'))}")
    child.expect("code 0 in time")
    assert ended(child) == 0
    assert is_over(tree.directory / "beat")


@posix
@pytest.mark.parametrize("interrupt", [True, False])
def test_neighbours_in_our_group_are_left_alone(tree: Tree, terminal: Callable[..., Any], interrupt: bool) -> None:
    # as in `run lint | tee log`: the shell's job is one group
    leaves_one = ("sh", "-c", "trap '' HUP; sleep 60 & exit 0")
    order = json.dumps({"argv": DEAF if interrupt else leaves_one, "grace": (0.1, 0.1)})
    code = f"""
        import os, subprocess, sys, threading, time
        neighbour = subprocess.Popen(["sh", "-c", "trap '' INT; exec sleep 60"], env={{"PATH": os.environ["PATH"]}})
        sys.argv = ["driver", {order!r}]
        try:
            exec({DRIVER!r})
        except SystemExit:
            pass
        print("the neighbour", "is there" if neighbour.poll() is None else "is gone")
        neighbour.kill()
        """
    child = terminal("env", "TREE_OF_TEST=outer", *python(code), grace=(PATIENCE, PATIENCE))
    if interrupt:
        tree.wait_for("leader")
        child.sendintr()
    child.expect("the neighbour is there")
    ended(child)


# --- the platform's decisions, for all platforms ---------------------------------------------------


def test_ways_to_stop() -> None:
    assert system.ways_to_stop(signal.SIGINT, 5, 3) == ((signal.SIGINT, 5), (signal.SIGTERM, 3))
    assert system.ways_to_stop(signal.SIGTERM, 5, 3) == ((signal.SIGTERM, 3),)


@posix
def test_a_hang_up_is_followed_by_a_termination() -> None:
    assert system.ways_to_stop(signal.SIGHUP, 5, 3) == ((signal.SIGHUP, 0), (signal.SIGTERM, 3))


@posix
def test_a_group_of_its_own_or_ours() -> None:
    assert system.group_options(own_group=False) == {}
    child = subprocess.Popen(["true"], **system.group_options(own_group=True))
    try:
        assert os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT) is not None
        assert os.getpgid(child.pid) == child.pid
    finally:
        child.wait()


def test_no_terminal_no_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "isatty", lambda descriptor: False)
    assert system.terminal_state() is None
    system.restore_terminal(None)
