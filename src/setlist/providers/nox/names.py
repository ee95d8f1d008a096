"""What the names in a noxfile stand for, as far as that can be told by reading it."""

from __future__ import annotations

import ast
import builtins
import os
import sys
from collections.abc import Iterable
from typing import Any

from setlist.core.records import dataclass
from setlist.providers.nox import vocabulary as words


class NotPlain(Exception):
    """It can't be said that it would do the same; why, and on which line."""

    def __init__(self, why: str, node: ast.AST | None = None) -> None:
        line = getattr(node, "lineno", None)
        super().__init__(why if line is None else f"line {line}: {why}")


@dataclass(frozen=True, slots=True)
class Scope:
    """Where names are looked up: ``local`` ones are plain values, ``sessions`` those that stand for the session.

    ``function`` is None for the noxfile itself.
    """

    local: frozenset[str] = frozenset()
    sessions: frozenset[str] = frozenset()
    function: ast.FunctionDef | None = None


@dataclass(frozen=True, slots=True)
class Imported:
    """A name that stands for what another module has: ``os``, ``pathlib.Path``."""

    dotted: str


@dataclass(frozen=True, slots=True)
class Defined:
    """A function of the noxfile. ``callable``: calling its name calls what was written, and nothing around it."""

    node: ast.FunctionDef
    callable: bool


@dataclass(frozen=True, slots=True)
class Value:
    """A name for a plain value."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A name that may stand for several things."""


Meaning = Imported | Defined | Value | Unknown


class Names:
    """The names that a noxfile has set so far.

    Attributes:
        meanings: what they stand for.
        postponed: whether annotations are text, and aren't looked at.
    """

    def __init__(self) -> None:
        self.meanings: dict[str, Meaning] = {}
        self.postponed = False

    def bind(self, name: str, meaning: Meaning) -> None:
        """A name is set. One that is set to several things stands for none of them.

        Raises:
            NotPlain: Python itself goes by that name.
        """
        if is_pythons_own(name):
            raise NotPlain(f"sets {name}")
        before = self.meanings.get(name, meaning)
        self.meanings[name] = meaning if before == meaning else Unknown()

    def imports(self, node: ast.Import | ast.ImportFrom, *, surely: bool) -> None:
        """Something is imported.

        Args:
            node: the statement.
            surely: whether it has to be there; else it may stand in a branch that isn't taken.

        Raises:
            NotPlain: that may do something.
        """
        if isinstance(node, ast.ImportFrom):
            if node.level or node.module is None:
                raise NotPlain("imports a module of the project", node)
            self.postponed = self.postponed or (
                node.module == "__future__" and any(alias.name == "annotations" for alias in node.names)
            )
        for alias in node.names:
            if alias.name == "*":
                raise NotPlain(f"imports everything of {alias.name}", node)
            if isinstance(node, ast.ImportFrom):
                module, name, dotted = str(node.module), alias.asname or alias.name, f"{node.module}.{alias.name}"
            else:
                module, name = alias.name, alias.asname or alias.name.partition(".")[0]
                dotted = module if alias.asname else name
            self.bind(name, Imported(dotted) if _is_harmless(module, node, surely=surely) else Unknown())

    def dotted(self, node: ast.expr, scope: Scope) -> str | None:
        """What an expression stands for that names something of an imported module, such as ``os.path.join``."""
        if isinstance(node, ast.Attribute):
            base = self.dotted(node.value, scope)
            return None if base is None else f"{base}.{node.attr}"
        if isinstance(node, ast.Name) and node.id not in scope.local and node.id not in scope.sessions:
            meaning = self.meanings.get(node.id)
            return meaning.dotted if isinstance(meaning, Imported) else None
        return None

    def builtin_called(self, node: ast.Call, scope: Scope) -> str | None:
        """The builtin that is called, if it is one, and nobody has put something else in its place."""
        if not isinstance(node.func, ast.Name):
            return None
        name = node.func.id
        return None if name in scope.local | scope.sessions or name in self.meanings else name


def _is_harmless(module: str, node: ast.stmt, *, surely: bool) -> bool:
    """Whether importing a module does nothing, and it is the module that its name says.

    Raises:
        NotPlain: it may do something, and was imported.
    """
    root = module.partition(".")[0]
    loaded = sys.modules.get(root)
    file = getattr(loaded, "__file__", None)
    installed = file is not None and ("site-packages" in file or "dist-packages" in file)
    if root in words.INSTALLED and installed:
        return True
    if root in getattr(sys, "stdlib_module_names", ()) and not _is_startling(root):
        standard = os.path.join(os.path.dirname(os.__file__), "")
        if file is None or (file.startswith(standard) and not installed):
            return True
    if loaded is not None or surely:
        raise NotPlain(f"imports {module}", node)
    return False  # in a branch that wasn't taken


def _is_startling(root: str) -> bool:
    return root in words.STARTLING or (root.startswith("__") and root != "__future__")


def is_pythons_own(name: str) -> bool:
    """Whether Python, or a module's user, makes something of a name by itself."""
    return name.startswith("__") and name not in ("__all__", "__author__", "__license__", "__version__")


def is_name(node: ast.AST, names: Iterable[str]) -> bool:
    """Whether an expression is one of these names."""
    return isinstance(node, ast.Name) and node.id in names


def builtin(name: str) -> Any:
    """What Python has by that name, None where it has nothing."""
    return getattr(builtins, name, None)
