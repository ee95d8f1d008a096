"""Real shells in a pseudo-terminal, with setlist's completion: type, press Tab, see what is in the line."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from support.project import ProjectFolder, installed

START = {
    "bash": (["--norc", "--noprofile", "-i"], 'PS1="READY> "; bind "set enable-bracketed-paste off"'),
    "zsh": (["-f", "-i"], "unsetopt zle_bracketed_paste prompt_sp prompt_cr; PS1='READY> '"),
    "fish": (["--no-config", "-i"], "function fish_prompt; echo 'READY> '; end"),
}
INSTALL = {
    "bash": 'eval "$(setlist completion bash)"',
    "zsh": 'autoload -U compinit; compinit -u -D; eval "$(setlist completion zsh)"',
    "fish": "setlist completion fish | source",
}


def programs_first(home: Path) -> dict[str, str]:
    """Variables of an interactive shell that finds the installed commands, and nothing of the user's."""
    (program, *_) = installed("setlist")
    return {
        "PATH": f"{Path(program).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home),
        "TERM": "xterm",
        "LANG": "C.UTF-8",
        "COLUMNS": "200",
        "SETLIST_CACHE_DIR": os.environ["SETLIST_CACHE_DIR"],
    }


POSIX = (
    "run() { printf 'ar''gs:'; printf '<%s>' \"$@\"; printf ':%s\\n' end; }; "
    'setlist() { if [ "$1" = completion ]; then command setlist "$@"; else run "$@"; fi; }'
)
SHOW = {
    "bash": POSIX,
    "zsh": POSIX,
    "fish": (
        "function run; printf 'ar''gs:'; printf '<%s>' $argv; printf ':%s\\n' end; end; "
        'function setlist; if test "$argv[1]" = completion; command setlist $argv; else; run $argv; end; end'
    ),
}
"""In place of the commands, functions that print their arguments: what the shell makes of a completed line."""


class Shell:
    """One interactive shell in a project, in which ``run`` and ``setlist`` print their arguments."""

    def __init__(self, kind: str, project: ProjectFolder, home: Path, env: Mapping[str, str] | None = None) -> None:
        import pexpect

        program = shutil.which(kind)
        assert program is not None
        argv, start = START[kind]
        self.child: Any = pexpect.spawn(
            program,
            argv,
            cwd=str(project.path),
            env={**programs_first(home), **(env or {})},
            encoding="utf-8",
            codec_errors="replace",
            timeout=60,
            dimensions=(50, 200),
        )
        self.number = 0
        for line in (start, INSTALL[kind], SHOW[kind]):
            self.enter(line)

    def enter(self, line: str) -> None:
        """Carry out a line, and wait until that has ended."""
        self.number += 1
        self.child.send(f"{line}; echo en''ded-{self.number}\r")
        self.child.expect(f"ended-{self.number}\\s")

    def tab(self, line: str) -> list[str]:
        """Type a line, press Tab and Enter: the arguments that ``run`` or ``setlist`` gets."""
        self.child.send(f"{line}\t\r")
        self.child.expect("args:(.*?):end")
        return re.findall(r"<(.*?)>", plain(self.child.match[1]), re.DOTALL)

    def shown(self, line: str, last: str) -> str:
        """Type a line and press Tab twice: what is shown until ``last`` is."""
        self.child.send(f"{line}\t\t")
        self.child.expect_exact(last)
        text = plain(self.child.before + last)
        self.child.send("\x03")
        return text

    def close(self) -> None:
        self.child.close(force=True)


def plain(text: str) -> str:
    """What a terminal shows, without control sequences."""
    return re.sub(r"\x1b(\[[0-9;?]*[A-Za-z]|[()][A-Z0-9]|[=>78]|\][^\x07]*\x07)", "", text).replace("\r", "")
