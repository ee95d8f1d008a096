"""Activation in real shells where there are any, and the words for the others."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from setlist.core.project import Caller
from setlist.core.system import bin_directory
from setlist.environment.activation import (
    ShellKind,
    Subshell,
    activation_command,
    calling_shell,
    default_shell,
    detect_shell,
    kind_of_shell,
    subshell,
)
from setlist.environment.interpreters import Interpreters
from setlist.environment.virtualenv import create

pytestmark = pytest.mark.slow

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
REAL: list[ShellKind] = ["bash", "zsh", "fish", "sh"]
FOLDERS = ["plain", "with space", "naïve-ü", "it's $HOME `x` !"]


def program(kind: ShellKind) -> str:
    found = shutil.which(kind)
    if found is None:
        pytest.skip(f"{kind} isn't installed")
    return found


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """An environment in a folder of each name."""
    base = Path(os.path.realpath(tmp_path_factory.mktemp("environments")))
    ours = Interpreters(Caller.current(), base / "cache").find(None)
    made = {}
    for folder in FOLDERS:
        made[folder] = base / folder / "test-py311"
        create(
            made[folder],
            ours,
            cache_directory=base / "cache",
            prompt="test-py311",
            environ=dict(os.environ),
        )
    return made


@POSIX
@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize("kind", REAL)
def test_the_command_activates_in_a_real_shell(kind: ShellKind, folder: str, environments: Mapping[str, Path]) -> None:
    directory = environments[folder]
    report = 'python -c "import sys; print(sys.prefix)"\necho "$VIRTUAL_ENV"\necho "$VIRTUAL_ENV_PROMPT"\n'
    script = f'{activation_command(directory, kind)}\n{report}deactivate\necho "[$VIRTUAL_ENV]"\n'
    environ = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LANG": "C.UTF-8"}
    said = subprocess.run(
        [program(kind)], input=script, capture_output=True, text=True, env=environ, check=False, timeout=60
    )
    assert said.stdout.splitlines() == [str(directory), str(directory), "test-py311", "[]"], said.stderr


class Terminal:
    """A subshell as a person has it, in a pseudo-terminal."""

    def __init__(self, started: Subshell, environ: Mapping[str, str], cwd: Path) -> None:
        import pexpect

        for path, text in started.files:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        self.child: Any = pexpect.spawn(
            started.argv[0],
            list(started.argv[1:]),
            env={**environ, **started.environ},
            cwd=str(cwd),
            encoding="utf-8",
            timeout=30,
            dimensions=(40, 400),
        )

    def ask(self, command: str) -> str:
        # the markers are put together by the shell, so that the echo of the command isn't taken for them
        self.child.sendline(f"printf '%s%s\\n' '<<' '<'; {command}; printf '%s%s\\n' '>>' '>'")
        self.child.expect(r"<<<\r?\n(.*?)>>>")
        said = re.sub(r"\x1b\][^\x07]*\x07|\x1b\[[0-9;?]*[a-zA-Z]|\x1b[()>=][A-Z0-9]?", "", self.child.match.group(1))
        return said.replace("\r", "").strip()

    def leave(self) -> int:
        import pexpect

        self.child.sendline("exit 7")
        self.child.expect(pexpect.EOF)
        self.child.close()
        return int(self.child.exitstatus)


RC_FILES: dict[str, tuple[str, str]] = {
    "bash": (".bashrc", "export FROM_RC=yes\nexport PATH=/usr/local/bin:/usr/bin:/bin\nPS1='% '\n"),
    "zsh": (".zshrc", "export FROM_RC=yes\nexport PATH=/usr/local/bin:/usr/bin:/bin\nPS1='%% '\n"),
    "fish": (".config/fish/config.fish", "set -gx FROM_RC yes\nset -gx PATH /usr/local/bin /usr/bin /bin\n"),
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    for name, text in RC_FILES.values():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def started(
    kind: ShellKind, directory: Path, home: Path, scratch: Path, **more: str
) -> tuple[Subshell, dict[str, str]]:
    environ = {"PATH": os.environ["PATH"], "HOME": str(home), "TERM": "dumb", "LANG": "C.UTF-8", **more}
    return subshell(directory, program(kind), kind, environ, scratch, prompt="test-py311"), environ


@POSIX
@pytest.mark.parametrize("folder", ["plain", "it's $HOME `x` !"])
@pytest.mark.parametrize("kind", ["bash", "zsh", "fish"])
def test_a_subshell_reads_the_users_files_and_then_has_the_environment_first(
    kind: ShellKind, folder: str, environments: Mapping[str, Path], home: Path, tmp_path: Path
) -> None:
    directory = environments[folder]
    how, environ = started(kind, directory, home, tmp_path / "scratch")
    terminal = Terminal(how, environ, tmp_path)
    assert terminal.ask("echo $FROM_RC") == "yes"
    assert terminal.ask('python -c "import sys; print(sys.prefix)"') == str(directory)
    assert terminal.ask('echo "$VIRTUAL_ENV"') == str(directory)
    if kind == "fish":
        assert "(test-py311)" in terminal.ask("fish_prompt")
    elif kind == "zsh":
        assert terminal.ask('print -P "$PS1"').startswith("(test-py311)")
    else:
        assert terminal.ask('echo "$PS1"').startswith("(test-py311)")
    assert terminal.leave() == 7


@POSIX
@pytest.mark.parametrize("kind", ["bash", "zsh"])
def test_a_user_without_start_up_files_gets_the_environment_too(
    kind: ShellKind, environments: Mapping[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "bare").mkdir()
    how, environ = started(kind, environments["plain"], tmp_path / "bare", tmp_path / "scratch")
    terminal = Terminal(how, environ, tmp_path)
    assert terminal.ask('python -c "import sys; print(sys.prefix)"') == str(environments["plain"])
    assert terminal.leave() == 7


@POSIX
@pytest.mark.parametrize("own", [None, "variable", "zshenv"])
def test_zsh_keeps_the_users_zdotdir(
    own: str | None, environments: Mapping[str, Path], home: Path, tmp_path: Path
) -> None:
    more: dict[str, str] = {}
    folder = home
    (home / ".zshenv").write_text("export FROM_ENV=home\n")
    if own is not None:
        folder = tmp_path / "own dots"
        folder.mkdir()
        (folder / ".zshrc").write_text("export FROM_RC=own\n")
    if own == "variable":
        (folder / ".zshenv").write_text("export FROM_ENV=own\n")
        more["ZDOTDIR"] = str(folder)
    elif own == "zshenv":
        (home / ".zshenv").write_text(f"export FROM_ENV=home\nexport ZDOTDIR='{folder}'\n")
    how, environ = started("zsh", environments["plain"], home, tmp_path / "scratch", **more)
    terminal = Terminal(how, environ, tmp_path)
    assert terminal.ask("echo ${ZDOTDIR-none}") == (str(folder) if own else "none")
    assert terminal.ask("echo $FROM_ENV") == ("own" if own == "variable" else "home")
    assert terminal.ask("echo $FROM_RC") == ("own" if own else "yes")
    assert terminal.ask("typeset | grep -c _setlist_") == "0"
    assert terminal.ask("zsh -ic 'echo ${ZDOTDIR-none}'") == (str(folder) if own else "none")
    assert str(tmp_path / "scratch") not in terminal.ask("echo $HISTFILE")
    assert terminal.leave() == 7


@POSIX
def test_zshs_history_stays_the_users(environments: Mapping[str, Path], home: Path, tmp_path: Path) -> None:
    how, environ = started("zsh", environments["plain"], home, tmp_path / "scratch")
    # what macOS's /etc/zshrc does before ours is read
    file, text = how.files[1]
    changed = (how.files[0], (file, "HISTFILE=${ZDOTDIR:-$HOME}/.zsh_history\nZDOTDIR=$_setlist_zdotdir\n" + text))
    terminal = Terminal(Subshell(how.argv, how.environ, changed), environ, tmp_path)
    assert terminal.ask("echo $HISTFILE") == str(home / ".zsh_history")
    assert terminal.leave() == 7


@POSIX
def test_another_shell_gets_the_variables(environments: Mapping[str, Path], tmp_path: Path) -> None:
    directory = environments["with space"]
    how, environ = started("sh", directory, tmp_path, tmp_path / "scratch")
    assert how.files == ()
    terminal = Terminal(how, environ, tmp_path)
    assert terminal.ask('python -c "import sys; print(sys.prefix)"') == str(directory)
    assert terminal.ask('echo "$VIRTUAL_ENV $VIRTUAL_ENV_PROMPT"') == f"{directory} test-py311"
    assert terminal.leave() == 7


WINDOWS_DIRECTORY = Path("C:\\it's (x86)\\envs\\lint") if sys.platform == "win32" else Path("C:/it's (x86)/envs/lint")


@pytest.mark.parametrize(
    ("kind", "command"),
    [
        ("bash", "source '/p q/bin/activate'"),
        ("zsh", "source '/p q/bin/activate'"),
        ("sh", ". '/p q/bin/activate'"),
        ("fish", "source '/p q/bin/activate.fish'"),
        ("csh", "source '/p q/bin/activate.csh'"),
        ("nushell", "overlay use r#'/p q/bin/activate.nu'#"),
        ("powershell", "& '/p q/bin/activate.ps1'"),
        ("xonsh", "source '/p q/bin/activate.xsh'"),
        ("cmd", '"/p q/bin/activate.bat"'),
    ],
)
def test_the_command_of_every_shell(kind: ShellKind, command: str) -> None:
    assert activation_command(Path("/p q"), kind, windows=False).replace("\\", "/") == command


@POSIX
@pytest.mark.parametrize(
    ("kind", "command"),
    [
        ("csh", r"""source '/a!b'"'"'c/bin/activate.csh'""".replace("!", r"\!")),
        ("fish", r"source '/a!b\'c/bin/activate.fish'"),
        ("nushell", "overlay use r#'/a!b'c/bin/activate.nu'#"),
        ("powershell", "& '/a!b''c/bin/activate.ps1'"),
        ("xonsh", '''source "/a!b'c/bin/activate.xsh"'''),
    ],
)
def test_quotes_in_a_path_are_quoted_as_each_shell_wants(kind: ShellKind, command: str) -> None:
    assert activation_command(Path("/a!b'c"), kind, windows=False) == command


@POSIX
def test_nushells_sharps_outnumber_those_in_the_path() -> None:
    assert activation_command(Path("/a'#b"), "nushell", windows=False) == "overlay use r##'/a'#b/bin/activate.nu'##"


def test_windows_keeps_its_scripts_elsewhere() -> None:
    command = activation_command(WINDOWS_DIRECTORY, "powershell", windows=True)
    assert command.replace("\\", "/") == "& 'C:/it''s (x86)/envs/lint/Scripts/activate.ps1'"


@pytest.mark.parametrize(
    ("kind", "argv"),
    [
        ("powershell", ("shell", "-NoLogo", "-NoExit", "-Command", "& '{bin}/activate.ps1'")),
        ("nushell", ("shell", "--execute", "overlay use r#'{bin}/activate.nu'#")),
        ("fish", ("shell", "--interactive", "--init-command", "source '{bin}/activate.fish'")),
        ("cmd", ("shell", "/k", "call", "{bin}/activate.bat")),
        ("csh", ("shell", "-i")),
        ("xonsh", ("shell", "-i")),
    ],
)
def test_how_other_shells_are_started(kind: ShellKind, argv: tuple[str, ...], tmp_path: Path) -> None:
    how = subshell(tmp_path, "shell", kind, {"PATH": "/usr/bin"}, tmp_path / "s", prompt="lint", windows=False)
    assert how.argv == tuple(word.format(bin=tmp_path / "bin") for word in argv)
    if kind in ("csh", "xonsh"):
        assert how.environ == {
            "VIRTUAL_ENV": str(tmp_path),
            "VIRTUAL_ENV_PROMPT": "lint",
            "PATH": f"{bin_directory(tmp_path, windows=False)}:/usr/bin",
        }
    else:
        assert how.environ == {}
    assert how.files == ()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("-zsh", "zsh"),
        ("/bin/bash", "bash"),
        ("C:\\Program Files\\PowerShell\\7\\pwsh.exe", "powershell"),
        ("powershell.EXE", "powershell"),
        ("cmd.exe", "cmd"),
        ("nu", "nushell"),
        ("tcsh", "csh"),
        ("dash", "sh"),
        ("xonsh", "xonsh"),
        ("python3.11", None),
        ("", None),
    ],
)
def test_shells_are_known_by_name(name: str, kind: ShellKind | None) -> None:
    assert kind_of_shell(name) == kind


def test_what_called_us_counts_before_the_users_login_shell() -> None:
    assert detect_shell({"SHELL": "/bin/zsh"}, "fish") == "fish"
    assert detect_shell({"SHELL": "/bin/zsh"}, "tmux") == "zsh"
    assert detect_shell({"SHELL": "/bin/zsh"}, None) == "zsh"
    assert detect_shell({"SHELL": "/bin/elvish"}, None, windows=False) == "sh"
    assert detect_shell({}, None, windows=False) == "sh"
    assert detect_shell({}, None, windows=True) == "cmd"


def test_the_default_shell_is_the_users() -> None:
    assert default_shell({"SHELL": "/bin/zsh"}, windows=False) == "/bin/zsh"
    assert default_shell({}, windows=False) == "/bin/sh"
    assert default_shell({"COMSPEC": "C:\\cmd.exe"}, windows=True) == "C:\\cmd.exe"
    assert default_shell({}, windows=True) == "cmd.exe"


@POSIX
@pytest.mark.parametrize("kind", ["bash", "zsh", "fish"])
def test_the_shell_above_us_is_seen(kind: ShellKind) -> None:
    code = "from setlist.environment.activation import calling_shell; print(calling_shell())"
    # 'true' after it keeps the shell from replacing itself by what it starts
    said = subprocess.run(
        [program(kind), "-c", f"'{sys.executable}' -c '{code}'; true"], capture_output=True, check=True, text=True
    )
    assert kind_of_shell(said.stdout.strip()) == kind


def test_processes_that_cant_be_asked_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    import psutil

    class Above:
        def __init__(self, name: str | None, path: str | None) -> None:
            self._name, self._path = name, path

        def name(self) -> str:
            if self._name is None:
                raise psutil.NoSuchProcess(1)
            return self._name

        def exe(self) -> str:
            if self._path is None:
                raise psutil.AccessDenied(1)
            return self._path

    def above(*processes: Above) -> str | None:
        monkeypatch.setattr(psutil.Process, "parents", lambda self: list(processes))
        return calling_shell()

    assert above(Above("uv", "/bin/uv"), Above(None, None), Above("-zsh", None)) == "zsh"
    assert above(Above("bash", "/usr/bin/bash")) == "/usr/bin/bash"
    assert above(Above("sh", "/usr/bin/busybox")) == "sh"
    assert above(Above("init", "/sbin/init")) is None

    def gone(self: object) -> list[Above]:
        raise psutil.NoSuchProcess(1)

    monkeypatch.setattr(psutil.Process, "parents", gone)
    assert calling_shell() is None
