"""How an environment is activated in each shell: the command to type, and how to start a shell in it.

Pure functions, but for :func:`calling_shell`. A subshell reads the user's own start-up files first and is
activated after them, so that the environment's programs are first on PATH whatever those files do to it.
"""

from __future__ import annotations

import ntpath
import os
import posixpath
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from setlist.core.records import dataclass
from setlist.core.system import WINDOWS, bin_directory

ShellKind = Literal["bash", "zsh", "fish", "csh", "nushell", "powershell", "cmd", "xonsh", "sh"]
"""The shells that are told apart; ``sh`` is every other one that reads POSIX syntax."""

_KINDS: dict[str, ShellKind] = {
    "bash": "bash",
    "zsh": "zsh",
    "fish": "fish",
    "csh": "csh",
    "tcsh": "csh",
    "nu": "nushell",
    "pwsh": "powershell",
    "powershell": "powershell",
    "cmd": "cmd",
    "xonsh": "xonsh",
    "sh": "sh",
    "dash": "sh",
    "ash": "sh",
    "ksh": "sh",
    "mksh": "sh",
}

_SCRIPTS: dict[ShellKind, str] = {
    "bash": "activate",
    "zsh": "activate",
    "sh": "activate",
    "fish": "activate.fish",
    "csh": "activate.csh",
    "nushell": "activate.nu",
    "powershell": "activate.ps1",
    "cmd": "activate.bat",
    "xonsh": "activate.xsh",
}


@dataclass(frozen=True, slots=True)
class Subshell:
    """How to start an interactive shell in an environment.

    ``environ`` is to be added to the caller's variables once those that tell of another environment are
    taken out; ``files`` (path and text) are to be written before it is started.
    """

    argv: tuple[str, ...]
    environ: Mapping[str, str]
    files: tuple[tuple[Path, str], ...] = ()


def kind_of_shell(name: str) -> ShellKind | None:
    """The kind of a shell, by a program's name or path (``-zsh``, ``/bin/bash``, ``pwsh.exe``)."""
    # ntpath splits at both separators; a login shell's name has a dash before it
    base = ntpath.basename(name).lower().removesuffix(".exe").lstrip("-")
    return _KINDS.get(base)


def detect_shell(environ: Mapping[str, str], parent: str | None, *, windows: bool = WINDOWS) -> ShellKind:
    """The shell that the user types in.

    Args:
        environ: the caller's variables.
        parent: the program that called us, by name or path, if it is known (:func:`calling_shell`).
        windows: whether this is Windows, where the last resort is cmd.
    """
    found = kind_of_shell(parent) if parent else None
    if found is None:
        found = kind_of_shell(environ.get("SHELL", ""))
    return found or ("cmd" if windows else "sh")


def calling_shell() -> str | None:
    """The path, or the name, of the nearest of the programs above us that is a shell."""
    import psutil

    try:
        above = psutil.Process().parents()
    except psutil.Error:
        return None
    for process in above:
        try:
            name = process.name()
            if kind_of_shell(name) is None:
                continue
            try:
                path = process.exe()
            except psutil.Error:
                path = ""
        except psutil.Error:
            continue
        # /bin/sh is dash behind a link: what was called counts
        return path if path and kind_of_shell(path) is not None else name.lstrip("-")
    return None


def default_shell(environ: Mapping[str, str], *, windows: bool = WINDOWS) -> str:
    """The shell to start where none is seen above us: the user's own, or the system's."""
    if windows:
        return environ.get("COMSPEC") or "cmd.exe"
    return environ.get("SHELL") or "/bin/sh"


def activation_script(directory: Path, shell: ShellKind, *, windows: bool = WINDOWS) -> str:
    """The path of an environment's activation script for a shell."""
    join = ntpath.join if windows else posixpath.join
    return join(str(bin_directory(directory, windows=windows)), _SCRIPTS[shell])


def activation_command(directory: Path, shell: ShellKind, *, windows: bool = WINDOWS) -> str:
    """What to type in a shell, or to have it evaluate, so that it uses an environment."""
    script = activation_script(directory, shell, windows=windows)
    if shell == "cmd":
        return f'"{script}"'
    if shell == "powershell":
        return f"& {_quoted_for_powershell(script)}"
    if shell == "nushell":
        return f"overlay use {_quoted_for_nushell(script)}"
    if shell == "fish":
        return f"source {_quoted_for_fish(script)}"
    if shell == "csh":
        # '!' recalls history even between single quotes
        return "source " + shlex.quote(script).replace("!", "\\!")
    if shell == "xonsh":
        return f"source {script!r}"
    # 'source' isn't in POSIX
    return f"{'.' if shell == 'sh' else 'source'} {shlex.quote(script)}"


def subshell(
    directory: Path,
    shell_path: str,
    kind: ShellKind,
    environ: Mapping[str, str],
    scratch: Path,
    *,
    prompt: str,
    windows: bool = WINDOWS,
) -> Subshell:
    """How to start an interactive shell in an environment; ``exit`` leaves it.

    Args:
        directory: the environment.
        shell_path: the shell's program.
        kind: what it is.
        environ: the caller's variables, without those of another environment.
        scratch: where the files lie that it is told to read; absolute.
        prompt: what a shell that isn't activated by a script is told that its environment is called.
        windows: whether this is Windows.
    """
    activate = activation_command(directory, kind, windows=windows)
    if kind == "bash":
        file = scratch / "bashrc"
        # bash reads the system's own bashrc before this one where it was built to
        text = f"{_WRITTEN}if [ -f ~/.bashrc ]; then . ~/.bashrc; fi\n{activate}\n"
        return Subshell((shell_path, "--rcfile", str(file), "-i"), {}, ((file, text),))
    if kind == "zsh":
        return _zsh(shell_path, activate, environ, scratch / "zsh")
    if kind == "fish":
        # run after config.fish
        return Subshell((shell_path, "--interactive", "--init-command", activate), {})
    if kind == "powershell":
        return Subshell((shell_path, "-NoLogo", "-NoExit", "-Command", activate), {})
    if kind == "nushell":
        return Subshell((shell_path, "--execute", activate), {})
    if kind == "cmd":
        # 'call' keeps cmd from taking the path's quotes off
        return Subshell((shell_path, "/k", "call", activation_script(directory, kind, windows=windows)), {})
    programs = str(bin_directory(directory, windows=windows))
    path = (";" if windows else ":").join(filter(None, (programs, environ.get("PATH", os.defpath))))
    return Subshell((shell_path, "-i"), {"VIRTUAL_ENV": str(directory), "VIRTUAL_ENV_PROMPT": prompt, "PATH": path})


_WRITTEN = "# Written by 'setlist shell': the user's own start-up file, then the environment's activation.\n"

# zsh looks for all its start-up files in ZDOTDIR. It is ours only between those files: while the user's
# own are read, and afterwards, it is what the user has it be, which his .zshenv may decide.
_ZSHENV = """\
_setlist_zdotdir=$ZDOTDIR
{restore}
if [[ -f ${{ZDOTDIR-$HOME}}/.zshenv ]]; then source ${{ZDOTDIR-$HOME}}/.zshenv; fi
if [[ -n ${{ZDOTDIR+set}} ]]; then _setlist_own_zdotdir=$ZDOTDIR; else unset _setlist_own_zdotdir; fi
ZDOTDIR=$_setlist_zdotdir
"""
_ZSHRC = """\
if [[ -n ${{_setlist_own_zdotdir+set}} ]]; then ZDOTDIR=$_setlist_own_zdotdir; else unset ZDOTDIR; fi
# the system's zshrc may have set it by ZDOTDIR
if [[ ${{HISTFILE-}} == $_setlist_zdotdir/* ]]; then HISTFILE=${{ZDOTDIR-$HOME}}/.zsh_history; fi
unset _setlist_zdotdir _setlist_own_zdotdir
if [[ -f ${{ZDOTDIR-$HOME}}/.zshrc ]]; then source ${{ZDOTDIR-$HOME}}/.zshrc; fi
{activate}
"""


def _zsh(shell_path: str, activate: str, environ: Mapping[str, str], folder: Path) -> Subshell:
    own = environ.get("ZDOTDIR")
    restore = f"export ZDOTDIR={shlex.quote(own)}" if own else "unset ZDOTDIR"
    return Subshell(
        (shell_path, "-i"),
        {"ZDOTDIR": str(folder)},
        (
            (folder / ".zshenv", _WRITTEN + _ZSHENV.format(restore=restore)),
            (folder / ".zshrc", _WRITTEN + _ZSHRC.format(activate=activate)),
        ),
    )


def _quoted_for_fish(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _quoted_for_powershell(text: str) -> str:
    # the curly ones quote as well
    for quote in "'\u2018\u2019\u201a\u201b":
        text = text.replace(quote, quote * 2)
    return f"'{text}'"


def _quoted_for_nushell(text: str) -> str:
    sharps = "#"
    while f"'{sharps}" in text:
        sharps += "#"
    return f"r{sharps}'{text}'{sharps}"
