"""Whether an expression of a noxfile has a plain value: one that is made of harmless words, and shows nothing else.

A plain value is a string, a number, a path, or a list, tuple or mapping of those, so that a method's name says what it
does.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable

from setlist.core.records import replace
from setlist.providers.nox import vocabulary as words
from setlist.providers.nox.names import Defined, Names, NotPlain, Scope, Value, builtin, is_name


class Values:
    """Reads expressions.

    Args:
        names: what the noxfile's names stand for.
        helper: reads a call of one of its functions.

    Attributes:
        reads: the environment variables that were looked at.
        reads_pyproject: whether a function has read pyproject.toml.
    """

    def __init__(self, names: Names, helper: Callable[[ast.Call, ast.FunctionDef, Scope], None]) -> None:
        self._names = names
        self._helper = helper
        self.reads: set[str] = set()
        self.reads_pyproject = False

    # --- environment variables --------------------------------------------------------------------------

    def is_environ(self, node: ast.expr, scope: Scope) -> bool:
        """Whether it is ``os.environ`` or ``session.env``: only single variables of it are plain."""
        if isinstance(node, ast.Attribute) and node.attr == "env" and is_name(node.value, scope.sessions):
            return True
        return self._names.dotted(node, scope) == "os.environ"

    def asks(self, node: ast.expr) -> None:
        """A variable is looked at."""
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or node.value in words.PASSING:
            raise NotPlain("looks at an environment variable that can't be told", node)
        self.reads.add(node.value)

    def sets(self, node: ast.expr) -> None:
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or node.value in words.OURS:
            raise NotPlain("sets an environment variable that can't be told", node)

    def _asks_environ(self, method: str, node: ast.Call, scope: Scope) -> None:
        if method != "get" or not 1 <= len(node.args) <= 2 or node.keywords:
            raise NotPlain(f"environ.{method}", node)
        self.asks(node.args[0])
        for default in node.args[1:]:
            self.plain(default, scope)

    def changes_environ(self, method: str, node: ast.Call, scope: Scope) -> None:
        if method == "update" and len(node.args) <= 1:
            given = node.args[0] if node.args else ast.Dict([], [])
            if not isinstance(given, ast.Dict):
                raise NotPlain("environ.update", node)
            for key, value in zip(given.keys, given.values, strict=True):
                self.sets(key if key is not None else value)
                self.plain(value, scope)
            for keyword in node.keywords:
                self.sets(ast.copy_location(ast.Constant(keyword.arg), node))
                self.plain(keyword.value, scope)
        elif method in ("pop", "setdefault") and node.args and not node.keywords:
            self.sets(node.args[0])
            for value in node.args[1:]:
                self.plain(value, scope)
        else:
            self._asks_environ(method, node, scope)

    # --- values ---------------------------------------------------------------------------------------------

    def plain(self, node: ast.expr, scope: Scope) -> None:
        """An expression whose value is plain."""
        if isinstance(node, ast.Constant):
            return
        if isinstance(node, ast.Name):
            self._name(node, scope)
        elif isinstance(node, ast.Attribute):
            self._attribute(node, scope)
        elif isinstance(node, ast.Call):
            self._call(node, scope)
        elif isinstance(node, ast.Subscript):
            if self.is_environ(node.value, scope):
                self.asks(node.slice)
            else:
                self.plain(node.value, scope)
                self.plain(node.slice, scope)
        elif isinstance(node, ast.Compare):
            self._compare(node, scope)
        elif isinstance(node, (ast.List, ast.Tuple)):
            for item in node.elts:
                self.item(item, scope)
        elif isinstance(node, (ast.ListComp, ast.DictComp)):
            self._comprehension(node, scope)
        elif isinstance(node, ast.NamedExpr):
            self.plain(node.value, scope)
            if scope.function is None:
                self._names.bind(node.target.id, Value())
        elif isinstance(
            node,
            (ast.BinOp, ast.BoolOp, ast.UnaryOp, ast.IfExp, ast.JoinedStr, ast.FormattedValue, ast.Slice, ast.Dict),
        ):
            for part in ast.iter_child_nodes(node):
                if isinstance(part, ast.expr):
                    self.plain(part, scope)
        else:
            raise NotPlain(f"{type(node).__name__} isn't read", node)

    def item(self, node: ast.expr, scope: Scope) -> None:
        """An argument or an element, or, after a star, several."""
        if isinstance(node, ast.Starred):
            self.iterable(node.value, scope)
        else:
            self.plain(node, scope)

    def arguments(self, node: ast.Call, scope: Scope) -> None:
        for argument in node.args:
            self.item(argument, scope)
        for keyword in node.keywords:
            self.plain(keyword.value, scope)

    def _name(self, node: ast.Name, scope: Scope) -> None:
        name = node.id
        if name in scope.sessions:
            raise NotPlain("does something with the session itself", node)
        if name in scope.local:
            return
        meaning = self._names.meanings.get(name)
        if isinstance(meaning, Value) or (meaning is None and name in ("__file__", "__name__")):
            return
        if self._names.dotted(node, scope) not in words.VALUES:
            raise NotPlain(f"{name} isn't known to be a plain value", node)

    def _attribute(self, node: ast.Attribute, scope: Scope) -> None:
        dotted = self._names.dotted(node, scope)
        if dotted is not None and dotted in words.VALUES:
            return
        path, base = node.attr, node.value
        if isinstance(base, ast.Attribute) and base.attr == "virtualenv":
            path, base = f"virtualenv.{path}", base.value
        if is_name(base, scope.sessions):
            if path not in words.SESSION:
                raise NotPlain(f"session.{path}", node)
        elif node.attr in words.ATTRIBUTES:
            self.plain(node.value, scope)
        else:
            raise NotPlain(f".{node.attr}", node)

    def _compare(self, node: ast.Compare, scope: Scope) -> None:
        sides = [node.left, *node.comparators]
        for operator, left, right in zip(node.ops, sides[:-1], sides[1:], strict=True):
            if isinstance(operator, (ast.In, ast.NotIn)):
                if self.is_environ(right, scope):
                    self.asks(left)
                    continue
                self.plain(left, scope)
                self._unordered(right, scope)
            else:
                self.plain(left, scope)
                self.plain(right, scope)

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp, scope: Scope) -> None:
        for generator in node.generators:
            if generator.is_async:
                raise NotPlain("async", node)
            self.iterable(generator.iter, scope)
            names = {part.id for part in ast.walk(generator.target) if isinstance(part, ast.Name)}
            if names & scope.sessions:
                raise NotPlain("gives the session's name to something else", node)
            scope = replace(scope, local=scope.local | names)
            for condition in generator.ifs:
                self.plain(condition, scope)
        for made in (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,):
            self.plain(made, scope)

    def iterable(self, node: ast.expr, scope: Scope) -> None:
        """Something that is gone through at once, in its order."""
        if isinstance(node, ast.GeneratorExp):
            self._comprehension(node, scope)
        elif isinstance(node, ast.Call) and self._names.builtin_called(node, scope) in words.PASSED_ON:
            for argument in node.args:
                self.iterable(argument.value if isinstance(argument, ast.Starred) else argument, scope)
            for keyword in node.keywords:
                self.plain(keyword.value, scope)
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in words.VIEWS
            and not (node.args or node.keywords)
            and not self.is_environ(node.func.value, scope)
        ):
            self.plain(node.func.value, scope)
        else:
            self.plain(node, scope)

    def _unordered(self, node: ast.expr, scope: Scope) -> None:
        """Something whose order doesn't matter: a set as well."""
        if isinstance(node, ast.Set):
            for item in node.elts:
                self.item(item, scope)
        elif isinstance(node, ast.SetComp):
            self._comprehension(node, scope)
        elif (
            isinstance(node, ast.Call)
            and self._names.builtin_called(node, scope) in words.UNORDERED
            and not node.keywords
        ):
            for argument in node.args:
                self._unordered(argument, scope)
        else:
            self.iterable(node, scope)

    # --- calls ----------------------------------------------------------------------------------------------

    def _call(self, node: ast.Call, scope: Scope) -> None:
        builtin = self._names.builtin_called(node, scope)
        dotted = self._names.dotted(node.func, scope)
        if builtin is not None:
            self._builtin(builtin, node, scope)
        elif dotted is not None and dotted.rpartition(".")[0] not in words.VALUES:
            self._imported(dotted, node, scope)
        elif isinstance(node.func, ast.Name):
            meaning = self._names.meanings.get(node.func.id) if node.func.id not in scope.local else None
            if not isinstance(meaning, Defined) or not meaning.callable or scope.function is None:
                raise NotPlain(f"calls {node.func.id}", node)
            self._helper(node, meaning.node, scope)
        elif isinstance(node.func, ast.Attribute):
            self._method(node.func, node, scope)
        else:
            raise NotPlain("calls something", node)

    def _builtin(self, name: str, node: ast.Call, scope: Scope) -> None:
        if name == "isinstance" and len(node.args) == 2 and not node.keywords:
            self.plain(node.args[0], scope)
            kinds = node.args[1].elts if isinstance(node.args[1], ast.Tuple) else [node.args[1]]
            for kind in kinds:
                shadowed = isinstance(kind, ast.Name) and (kind.id in scope.local or kind.id in self._names.meanings)
                if not isinstance(kind, ast.Name) or shadowed or not isinstance(builtin(kind.id), type):
                    raise NotPlain("asks for a class", node)
            return
        if name not in words.FUNCTIONS | words.CONSUMERS or any(keyword.arg == "key" for keyword in node.keywords):
            raise NotPlain(f"calls {name}", node)
        for argument in node.args:
            if name in ("len", "sorted") and not isinstance(argument, ast.Starred):
                self._unordered(argument, scope)
            elif name in words.CONSUMERS and not isinstance(argument, ast.Starred):
                self.iterable(argument, scope)
            else:
                self.item(argument, scope)
        for keyword in node.keywords:
            self.plain(keyword.value, scope)

    def _imported(self, dotted: str, node: ast.Call, scope: Scope) -> None:
        """A call of something that another module has."""
        if dotted.startswith("os.environ."):
            self._asks_environ(dotted.rpartition(".")[2], node, scope)
        elif dotted == "os.getenv":
            self._asks_environ("get", node, scope)
        elif dotted == "nox.project.load_toml":
            self._load_toml(node, scope)
        elif dotted == "os.path.realpath" and len(node.args) == 1 and not node.keywords and _is_own_file(node.args[0]):
            return
        elif dotted in words.CALLS or (dotted in words.LOADING and scope.function is None):
            self.arguments(node, scope)
        else:
            raise NotPlain(f"calls {dotted}", node)

    def _load_toml(self, node: ast.Call, scope: Scope) -> None:
        """While a noxfile is loaded, the project's files that it opens are watched. Later only one is, in any case."""
        file = node.args[0] if node.args else ast.Constant("pyproject.toml")
        plainly = len(node.args) <= 1 and not node.keywords
        name = file.value if plainly and isinstance(file, ast.Constant) and isinstance(file.value, str) else ""
        if scope.function is not None and name == "pyproject.toml":
            self.reads_pyproject = True
        elif scope.function is not None or not re.fullmatch(r"\w[\w.-]*", name):
            raise NotPlain("loads a file that isn't watched", node)

    def _method(self, func: ast.Attribute, node: ast.Call, scope: Scope) -> None:
        """A method of a plain value."""
        name, receiver = func.attr, func.value
        if self.is_environ(receiver, scope):
            self._asks_environ(name, node, scope)
            return
        if name == "resolve" and not node.args and not node.keywords and self._is_own_path(receiver, scope):
            return
        known = name in words.METHODS and not any(keyword.arg == "key" for keyword in node.keywords)
        if name == "replace":
            known = len(node.args) >= 2  # of a string; that of a path has one, and renames a file
        elif name == "copy":
            known = not node.args and not node.keywords  # of a list; that of a path has a target
        elif name == "format":
            known = isinstance(receiver, ast.Constant) and not set(".[!") & set(str(receiver.value))
        if not known:
            raise NotPlain(f"calls .{name}", node)
        self.plain(receiver, scope)
        for argument in node.args:
            if name in ("join", "extend", "update") and not isinstance(argument, ast.Starred):
                self.iterable(argument, scope)
            else:
                self.item(argument, scope)
        for keyword in node.keywords:
            self.plain(keyword.value, scope)

    def _is_own_path(self, node: ast.expr, scope: Scope) -> bool:
        """Whether it is the noxfile's own path, or a directory above it: where that leads is where we were started."""
        while True:
            if isinstance(node, ast.Attribute) and node.attr == "parent":
                node = node.value
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and not node.args:
                if node.func.attr not in ("absolute", "resolve"):
                    return False
                node = node.func.value
            else:
                break
        return (
            isinstance(node, ast.Call)
            and self._names.dotted(node.func, scope) in ("pathlib.Path", "pathlib.PurePath")
            and len(node.args) == 1
            and _is_own_file(node.args[0])
        )


def _is_own_file(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "__file__"
