"""Load definitions from ``sessions/*.py``, and find the function of a session.

A session file is executed in setlist's own process, under a private module name. Meanwhile its folder is at the end of
``sys.path``: a file beside it (``sessions/build.py``) never shadows the standard library or an installed package.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import CodeType, ModuleType, TracebackType

from setlist.core.errors import ConfigurationError, SetlistError
from setlist.core.files import read_bytes
from setlist.core.model import FunctionReference
from setlist.core.plugins import misplaced
from setlist.core.project import Project
from setlist.engine.world import FILE, World
from setlist.registry.decorator import Declaration, collecting
from setlist.registry.definition import Declared, Definition
from setlist.registry.definition_errors import Place

PRIVATE = "_setlist_sessions_"


def load_functions(project: Project, file: str, world: World) -> Declared:
    """Import one session file and return what it declares.

    Args:
        project: whose file it is.
        file: relative to the root.
        world: records which files were imported.

    Raises:
        ConfigurationError: it can't be read or compiled, raises, exits, or declares sessions of another tool.
    """
    folder = (project.root / file).parent
    _refuse_foreign(project, file)
    before = frozenset(sys.modules)
    since = world.tick()
    with _importable(folder):
        try:
            declarations = _execute(project, file)
            imports = [(FILE, str(project.root / name)) for name in imported_files(project)]
        finally:
            # The next file, and the next project of this process, imports modules of its own folder.
            _forget(folder, before)
    world.observed(file, imports, since)
    return Declared(
        file=file,
        definitions=tuple(
            Definition(
                declaration.name,
                declaration.keys,
                Place(project.relative(declaration.file), line=declaration.line),
                FunctionReference(file, declaration.name),
            )
            for declaration in declarations
        ),
    )


def _refuse_foreign(project: Project, file: str) -> None:
    with suppress(OSError):
        problem = misplaced(read_bytes(project.root / file))
        if problem is not None:
            line, message, hint = problem
            raise ConfigurationError(message, file=file, line=line, hint=hint)


def load_function(project: Project, reference: FunctionReference) -> Callable[..., object]:
    """The function of a session. Its file is imported now, and no other.

    The file's folder stays importable, for what the function itself imports.

    Raises:
        ConfigurationError: the file no longer declares it, or as in :func:`load_functions`.
    """
    folder = str((project.root / reference.file).parent)
    if folder not in sys.path:
        sys.path.append(folder)
    for declaration in _execute(project, reference.file):
        if declaration.name == reference.name:
            return declaration.function
    raise ConfigurationError(
        f"declares no session {reference.name!r} any more", file=reference.file, hint="run it again"
    )


def imported_files(project: Project) -> tuple[str, ...]:
    """The project's own files that are imported at this moment, relative to the root.

    These may be more than the session file needs, never fewer. Installed packages don't count, even in a virtual
    environment inside the project, nor does setlist itself.
    """
    roots = _roots(project)
    files = set()
    for name, file in _module_files():
        if name == "__main__" or name.partition(".")[0] == "setlist" or name.startswith(PRIVATE):
            continue
        if _is_of_project(file, roots):
            root = next(root for root in roots if file.startswith(root))
            files.add(Path(file[len(root) :]).as_posix())
    return tuple(sorted(files))


def _roots(project: Project) -> set[str]:
    return {os.path.join(root, "") for root in (str(project.root), os.path.realpath(project.root))}


def _module_files() -> list[tuple[str, str]]:
    files = []
    for name, module in list(sys.modules.items()):
        # not getattr: some packages put objects there that import on every attribute
        file = getattr(module, "__dict__", {}).get("__file__")
        if isinstance(file, str):
            files.append((name, file))
    return files


def _is_of_project(file: str, roots: set[str]) -> bool:
    if not file.startswith(tuple(roots)):
        return False
    if "site-packages" in file or "dist-packages" in file:
        return False
    prefix = os.path.join(sys.prefix, "")
    return not (file.startswith(prefix) and prefix.startswith(tuple(roots)))


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    path = str(folder)
    added = path not in sys.path
    if added:
        sys.path.append(path)
    try:
        yield
    finally:
        if added and path in sys.path:
            sys.path.remove(path)


def _forget(folder: Path, before: frozenset[str]) -> None:
    inside = os.path.join(str(folder), "")
    for name, file in _module_files():
        if name not in before and file.startswith(inside):
            del sys.modules[name]


def _execute(project: Project, file: str) -> list[Declaration]:
    path = project.root / file
    code = _compiled(project, path)
    module = ModuleType(PRIVATE + path.stem)
    module.__file__ = str(path)
    # dataclasses and pickle look a class's module up by name
    sys.modules[module.__name__] = module
    try:
        with collecting() as declarations:
            exec(code, module.__dict__)  # noqa: S102 - running the user's file is what was asked for
    except ConfigurationError as error:
        if error.file is None:
            raise _failed(project, path, error) from error
        raise ConfigurationError(
            error.message.removeprefix(f"{error.key}: "),
            file=project.relative(error.file),
            line=error.line,
            key=error.key,
            hint=error.hint,
            detail=error.detail,
        ) from None
    except SystemExit as error:
        argument = "" if error.code is None else repr(error.code)
        line_file, line = _user_place(project, path, error.__traceback__)
        raise ConfigurationError(
            f"the session file ends the program when it is imported: sys.exit({argument})",
            file=line_file,
            line=line,
            hint="a session file only declares; what it does belongs into a session's function",
        ) from error
    except Exception as error:  # a user's file can raise anything; it becomes one message
        raise _failed(project, path, error) from error
    return declarations


def _compiled(project: Project, path: Path) -> CodeType:
    # Without importlib: its bytecode cache misses a second change within a second, and leaves a __pycache__ in the
    # user's folder.
    try:
        return compile(read_bytes(path), str(path), "exec", dont_inherit=True)
    except OSError as error:
        raise ConfigurationError(f"can't be read: {error.strerror or error}", file=project.relative(path)) from error
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise _failed(project, path, error) from error


def _failed(project: Project, path: Path, error: BaseException) -> ConfigurationError:
    """The error for a file that can't be imported: the line in the user's code, and the exception's text."""
    # a SyntaxError can also come from text that the file hands to compile() or ast.parse()
    if isinstance(error, SyntaxError) and error.filename and os.path.isfile(error.filename):
        line_text = (error.text or "").strip()
        return ConfigurationError(
            f"this is not Python: {error.msg}",
            file=project.relative(error.filename),
            line=error.lineno,
            detail=line_text or None,
        )
    file, line = _user_place(project, path, error.__traceback__)
    hint = None
    if isinstance(error, ImportError):
        hint = (
            "session files run in setlist's own Python; what a session's commands need goes into its deps, "
            "and is used by s.run(…)"
        )
    elif isinstance(error, SetlistError):
        hint = error.hint
    text = str(error)
    return ConfigurationError(
        "the session file raises when it is imported",
        file=file,
        line=line,
        detail=f"{type(error).__name__}: {text}" if text else type(error).__name__,
        hint=hint,
    )


def _user_place(project: Project, path: Path, traceback: TracebackType | None) -> tuple[str, int | None]:
    """The innermost line of the user's code in a traceback."""
    roots = _roots(project)
    place: tuple[str, int | None] = (project.relative(path), None)
    own = os.path.join(os.path.dirname(os.path.abspath(__file__)), "")
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if _is_of_project(file, roots) and not file.startswith(own):
            place = (project.relative(file), traceback.tb_lineno)
        traceback = traceback.tb_next
    return place
