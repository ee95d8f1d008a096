"""What a noxfile looks at while it is loaded: files, directories, environment variables, other programs.

Recorded is what Python's audit events report (files that are opened, directories that are listed, programs that are
started), what the functions of :mod:`os` are asked, and variables that are read by way of :data:`os.environ`. What a
program sees that is started meanwhile, or what comes over the network, can't be known; that there was such a thing is.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import wraps
from importlib.util import source_from_cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from setlist.engine.world import ACCESS, FILE, KIND, MODULES, NAMES, STATUS, VARIABLE, type_of

if TYPE_CHECKING:
    from setlist.engine.world import Look

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
        self._python = _own_directories()
        self._preloaded = frozenset(sys.modules)
        self._paths: dict[tuple[str, str], int] = {}
        self._removed: set[str] = set()
        self._stat, self._lstat = os.stat, os.lstat
        self._before = dict(os.environ)
        self.variables: dict[str, str | None] = {}
        self.whole = False
        self.unknowable = False
        self._on = True
        self._replaced: list[tuple[Any, str, Any]] = []
        self._watch_variables()
        self._watch_functions()
        sys.meta_path.append(self)
        sys.addaudithook(self._heard)

    def stop(self) -> None:
        """Look away."""
        self._on = False
        sys.meta_path.remove(self)
        for module, name, original in self._replaced:
            setattr(module, name, original)

    def start_again(self, prefix: str) -> None:
        """Forget what was looked at so far, except for the variables whose names begin so."""
        self.variables = {name: value for name, value in self.variables.items() if name.startswith(prefix)}
        self._paths.clear()

    def looks(self) -> list[Look]:
        """What was looked at, as :meth:`setlist.engine.world.World.observed` takes it; what wasn't there is included.

        Paths in the root are relative to it.
        """
        for file in self._imported():
            self._note(FILE, file)
        # that a file which the noxfile itself removed is gone says nothing
        places = [
            (kind, self._relative(kind, path), () if path in self._removed else (type_,))
            for (kind, path), type_ in self._paths.items()
        ]
        return [
            *((kind, path, *types) for kind, path, types in places if path is not None),
            *((VARIABLE, each) for each in self.variables),
        ]

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: Any = None) -> None:  # noqa: ARG002
        """Called by ``import`` for what no other finder has found: it may be there the next time."""
        for directory in sys.path if path is None else path:
            self._saw(directory, MODULES)

    def _imported(self) -> Iterator[str]:
        # What is imported from bytecode isn't opened itself
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__dict__", {}).get("__file__")
            # nox is known by its version
            if (
                isinstance(file, str)
                and name not in self._preloaded
                and name.partition(".")[0] not in ("setlist", "nox")
            ):
                yield file

    def _relative(self, kind: str, path: str) -> str | None:
        if _lies_in(path, self._python) and not {"site-packages", "dist-packages"}.intersection(Path(path).parts):
            return None
        inside = os.path.join(path, "")
        if kind == KIND and any(root.startswith(inside) for root in self._roots):
            return None  # the root and what it lies in: were it elsewhere, nobody would look here
        if inside in self._roots:
            return "."
        root = next((root for root in self._roots if path.startswith(root)), None)
        return path if root is None else Path(path[len(root) :]).as_posix()

    def _heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._on:
            return
        if event == "open":
            path = arguments[0]
            if not _is_import():
                # what is only written isn't looked at
                if arguments[1] is None or "+" in arguments[1] or not {"w", "a"}.intersection(arguments[1]):
                    self._saw(path)
            elif isinstance(path, str) and not _lies_in(os.path.abspath(path), self._python):
                self._saw(source_from_cache(path) if path.endswith(".pyc") and "__pycache__" in path else path)
        elif event in ("os.listdir", "os.scandir"):
            path = "." if arguments[0] is None else arguments[0]
            if not _is_import():
                self._saw(path, NAMES)
            elif isinstance(path, str) and not _lies_in(os.path.abspath(path), self._python):
                self._saw(path, MODULES)
        elif event in ("os.remove", "os.rmdir") and isinstance(arguments[0], (str, bytes, os.PathLike)):
            self._removed.add(os.path.abspath(os.fsdecode(arguments[0])))
        elif event in _STARTS:
            self.unknowable = True

    def _watch_functions(self) -> None:
        for name in ("stat", "lstat"):
            self._replace(os, name, self._noting_result)
        self._replace(os, "access", lambda original: self._noting(original, ACCESS))
        self._replace(os, "readlink", lambda original: self._noting(original, KIND))
        for name in ("getmtime", "getatime", "getctime"):
            self._replace(os.path, name, lambda original: self._noting(original, STATUS))
        if os.name == "nt":
            # written in C there: they call none of the above
            for name in ("exists", "lexists", "isdir", "isfile", "islink", "isjunction"):
                if hasattr(os.path, name):
                    self._replace(os.path, name, self._asking_both)

    def _replace(self, module: Any, name: str, wrapped: Callable[[Any], Any]) -> None:
        original = getattr(module, name)
        replacement = wrapped(original)
        self._replaced.append((module, name, original))
        setattr(module, name, replacement)
        for functions in (os.supports_dir_fd, os.supports_follow_symlinks, os.supports_fd, os.supports_effective_ids):
            if original in functions:
                functions.add(replacement)

    def _noting(self, original: Callable[..., Any], kind: str) -> Callable[..., Any]:
        @wraps(original)
        def noting(path: Any, *arguments: Any, **options: Any) -> Any:
            self._saw(path, kind, options)
            return original(path, *arguments, **options)

        return noting

    def _noting_result(self, original: Callable[..., Any]) -> Callable[..., Any]:
        of_links = original.__name__ == "lstat"

        @wraps(original)
        def noting(path: Any, *arguments: Any, **options: Any) -> Any:
            if of_links or options.get("follow_symlinks") is False:
                self._saw(path, KIND, options)
            try:
                result = original(path, *arguments, **options)
            except (OSError, ValueError):
                self._saw(path, FILE, options)
                raise
            # a directory's times change whenever something comes or goes in it, and most only ask whether it is there
            self._saw(path, STATUS if stat.S_ISREG(result.st_mode) else KIND, options)
            return result

        return noting

    def _asking_both(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(original)
        def asking(path: Any) -> Any:
            for ask in (os.lstat, os.stat):
                with suppress(OSError, ValueError, TypeError):
                    ask(path)
            return original(path)

        return asking

    def _saw(self, path: object, kind: str = FILE, options: Mapping[str, Any] = MappingProxyType({})) -> None:
        if options.get("dir_fd") is not None:
            self.unknowable = self.unknowable or self._on
        elif self._on and isinstance(path, (str, bytes, os.PathLike)):
            self._note(kind, os.path.abspath(os.fsdecode(path)))

    def _note(self, kind: str, path: str) -> None:
        if (kind, path) not in self._paths:
            self._paths[kind, path] = type_of(kind, path, self._stat, self._lstat)

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


def _own_directories() -> tuple[str, ...]:
    """Where Python has its own modules, and those that are installed for it."""
    import sysconfig

    named = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    return tuple(dict.fromkeys(os.path.join(os.path.abspath(path), "") for path in (*named, *sys.path) if path))


def _lies_in(path: str, directories: tuple[str, ...]) -> bool:
    return os.path.join(path, "").startswith(directories)


def _is_import() -> bool:
    """Whether what is just happening is done by Python's import system: it looks for modules, and nothing else."""
    return sys._getframe(2).f_code.co_filename.startswith("<frozen importlib")  # noqa: SLF001
