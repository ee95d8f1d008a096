"""What a noxfile looks at while it is loaded: files, directories, environment variables, other programs.

Watched is what Python tells of: files that are opened or asked about by :func:`os.stat`, directories that are
listed, variables that are read by way of :data:`os.environ`. What a program sees that is started meanwhile, or what
comes over the network, can't be known; that there was such a thing is.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_ELSEWHERE = ("site-packages", "dist-packages", "__pycache__", ".git", ".setlist", ".nox")
_STARTS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.startfile", "socket.connect")


class Watch:
    """What was looked at since it was made. There is one a process: an audit hook stays.

    Attributes:
        variables: the environment variables, with their values as they were at first; None: not set.
        whole: whether all of the environment was gone through.
        unknowable: whether a program was started, or a connection made.
    """

    def __init__(self, root: str) -> None:
        self._roots = tuple(dict.fromkeys(os.path.join(path, "") for path in (root, os.path.realpath(root))))
        self._paths: dict[str, None] = {}
        self._before = dict(os.environ)
        self.variables: dict[str, str | None] = {}
        self.whole = False
        self.unknowable = False
        self._on = True
        self._stat = os.stat
        self._watch_variables()
        os.stat = self._watched_stat
        sys.addaudithook(self._heard)

    def stop(self) -> None:
        """Look away."""
        self._on = False
        os.stat = self._stat

    def keep_variables(self, prefix: str) -> None:
        """Forget the variables that were read so far, except for these."""
        self.variables = {name: value for name, value in self.variables.items() if name.startswith(prefix)}

    def files(self) -> tuple[str, ...]:
        """The project's files and directories, relative to its root, those included that weren't there.

        A directory ends in ``/`` where only Python has looked into it, for modules.
        """
        found = dict.fromkeys((*self._paths, *self._modules()))
        return tuple(sorted(path for path in (self._relative(path) for path in found) if path is not None))

    def _modules(self) -> Iterator[str]:
        # What is imported from bytecode isn't opened itself
        for module in list(sys.modules.values()):
            file = getattr(module, "__dict__", {}).get("__file__")
            if isinstance(file, str) and getattr(module, "__name__", "").partition(".")[0] != "setlist":
                yield file

    def _relative(self, path: str) -> str | None:
        if path in self._roots:
            return "./"
        root = next((root for root in self._roots if path.startswith(root)), None)
        if root is None:
            return "." if os.path.join(path, "") in self._roots else None
        relative = Path(path[len(root) :])
        if any(part in _ELSEWHERE for part in relative.parts):
            return None
        prefix = os.path.join(sys.prefix, "")
        if path.startswith(prefix) and prefix.startswith(self._roots):
            return None  # a virtual environment in the project
        return relative.as_posix() + ("/" if path.endswith("/") else "")

    def _heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._on:
            return
        if event == "open":
            self._saw(arguments[0])
        elif event in ("os.listdir", "os.scandir"):
            # Python itself looks for modules, and nothing else
            importing = sys._getframe(1).f_code.co_filename.startswith("<frozen importlib")  # noqa: SLF001
            self._saw("." if arguments[0] is None else arguments[0], "/" if importing else "")
        elif event in _STARTS:
            self.unknowable = True

    def _watched_stat(self, path: Any, *args: Any, **options: Any) -> os.stat_result:
        try:
            result = self._stat(path, *args, **options)
        except OSError:
            self._saw(path)
            raise
        # a directory changes whenever something comes or goes in it, and who asks only whether it is there isn't told
        if not _is_directory(result.st_mode):
            self._saw(path)
        return result

    def _saw(self, path: object, ending: str = "") -> None:
        if self._on and isinstance(path, (str, bytes, os.PathLike)):
            self._paths.setdefault(os.path.abspath(os.fsdecode(path)) + ending)

    def _watch_variables(self) -> None:
        watch = self

        class Watched(type(os.environ)):  # type: ignore[misc]
            def __getitem__(self, name: str) -> str:
                watch._read(name)
                value: str = super().__getitem__(name)
                return value

            def __iter__(self) -> Iterator[str]:
                watch._read(None)
                names: Iterator[str] = super().__iter__()
                return names

        # The very object stays: who imported it earlier is watched too
        os.environ.__class__ = Watched

    def _read(self, name: object) -> None:
        if not self._on:
            return
        if name is None:
            self.whole = True
        elif isinstance(name, str):
            self.variables.setdefault(name, self._before.get(name))


def _is_directory(mode: int) -> bool:
    import stat

    return stat.S_ISDIR(mode)
