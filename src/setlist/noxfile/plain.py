"""Whether a session's function would do the same once more: told by reading it, and the noxfile that it stands in.

A *plain* function goes by nothing but what a warm record (:mod:`setlist.warm`) is kept for: its posargs, environment
variables, the directory, the Python, the noxfile and the files that were looked at while it was loaded. And it does nothing
but by its session: install, run commands, say something. Then a run that went well, and in which nothing had to be
installed, can be done again by starting the same commands, without Python's having read the noxfile.

The reader knows the words that are harmless (:mod:`setlist.noxfile.vocabulary`) and how they may be put together; all else
is not plain, and so is each function of a noxfile that does anything else while it is loaded. Every value that is made
of such words is a string, a number, a path, or a list, tuple or mapping of those, so that a method's name says what it
does. ``try`` isn't among them: what follows a command that fails would have to be known as well.
"""

from __future__ import annotations

import ast
import os
import re
import sys
import warnings
from collections.abc import Iterable
from types import CodeType, FunctionType, ModuleType
from typing import Any

from setlist.noxfile import vocabulary as words
from setlist.records import dataclass, replace


class NotPlain(Exception):
    """It can't be said that it would do the same; why, and on which line."""

    def __init__(self, why: str, node: ast.AST | None = None) -> None:
        line = getattr(node, "lineno", None)
        super().__init__(why if line is None else f"line {line}: {why}")


@dataclass(frozen=True, slots=True)
class _Scope:
    """Where names are looked up: ``local`` ones are plain values, ``sessions`` those that stand for the session.

    ``function`` is None for the noxfile itself.
    """

    local: frozenset[str] = frozenset()
    sessions: frozenset[str] = frozenset()
    function: ast.FunctionDef | None = None


@dataclass(frozen=True, slots=True)
class _Imported:
    """A name that stands for what another module has: ``os``, ``pathlib.Path``."""

    dotted: str


@dataclass(frozen=True, slots=True)
class _Defined:
    """A function of the noxfile. ``callable``: calling its name calls what was written, and nothing around it."""

    node: ast.FunctionDef
    callable: bool


@dataclass(frozen=True, slots=True)
class _Value:
    """A name for a plain value."""


@dataclass(frozen=True, slots=True)
class _Unknown:
    """A name that may stand for several things."""


_Meaning = _Imported | _Defined | _Value | _Unknown


class Reader:
    """Reads one noxfile.

    Args:
        module: the noxfile as it was loaded.
        file: its path.
    """

    def __init__(self, module: ModuleType, file: str) -> None:
        self._module = module
        self._meanings: dict[str, _Meaning] = {}
        self._reads: set[str] = set()
        self._moves = False
        self._reads_pyproject = False
        self._open: list[tuple[int, frozenset[str]]] = []
        self._done: set[tuple[int, frozenset[str]]] = set()
        self._functions: dict[tuple[str, int], ast.FunctionDef] = {}
        self._codes: tuple[CodeType, ...] = ()
        self._postponed = False
        self.problem: str | None = None
        """Why none of its functions is plain."""
        try:
            self._read(file)
        except NotPlain as problem:
            self.problem = str(problem)
        except (OSError, SyntaxError, ValueError, RecursionError) as error:
            self.problem = f"can't be read: {error}"
        self._of_module = frozenset(self._reads)

    def reads(self, function: object) -> tuple[str, ...]:
        """The environment variables that a plain function, or its noxfile, goes by.

        Args:
            function: the author's, without what nox has put around it.

        Raises:
            NotPlain: it isn't plain.
        """
        if self.problem is not None:
            raise NotPlain(self.problem)
        node = self._node_of(function)
        self._reads, self._moves, self._reads_pyproject = set(self._of_module), False, False
        self._done.clear()
        positional = [*node.args.posonlyargs, *node.args.args]
        if not positional:
            raise NotPlain("has no parameter for its session", node)
        try:
            self._function(node, frozenset({positional[0].arg}))
        except RecursionError:
            raise NotPlain("is nested too deeply", node) from None
        finally:
            self._open.clear()
        if self._moves and self._reads_pyproject:
            raise NotPlain("reads pyproject.toml, and changes its directory", node)
        return tuple(sorted(self._reads))

    # --- the noxfile ------------------------------------------------------------------------------------

    def _read(self, file: str) -> None:
        with open(file, "rb") as stream:
            source = stream.read()
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            code = compile(source, file, "exec", dont_inherit=True)
        if any(issubclass(warning.category, SyntaxWarning) for warning in said):
            raise NotPlain("Python warns of it each time that it is loaded")
        self._codes = tuple(const for const in code.co_consts if isinstance(const, CodeType))
        self._statements(ast.parse(source).body, _Scope())
        for name in vars(self._module):
            if not (name.startswith("__") and name.endswith("__")) and name not in self._meanings:
                raise NotPlain(f"something else has put {name!r} into it")

    def _node_of(self, function: object) -> ast.FunctionDef:
        """What was written of a function: the very one, as its code shows."""
        if not isinstance(function, FunctionType) or function.__globals__ is not vars(self._module):
            raise NotPlain("it isn't a function of the noxfile")
        code = function.__code__
        node = self._functions.get((code.co_name, code.co_firstlineno))
        if node is None or code not in self._codes or function.__closure__:
            raise NotPlain("its source can't be told")
        return node

    def _bind(self, name: str, meaning: _Meaning) -> None:
        if _is_pythons_own(name):
            raise NotPlain(f"sets {name}")
        before = self._meanings.get(name, meaning)
        self._meanings[name] = meaning if before == meaning else _Unknown()

    def _import(self, node: ast.Import | ast.ImportFrom, *, surely: bool) -> None:
        if isinstance(node, ast.ImportFrom):
            if node.level or node.module is None:
                raise NotPlain("imports a module of the project", node)
            self._postponed = self._postponed or (
                node.module == "__future__" and any(alias.name == "annotations" for alias in node.names)
            )
            modules = [node.module]
        else:
            modules = [alias.name for alias in node.names]
        harmless = [_is_harmless(module, node, surely=surely) for module in modules]
        for alias, good in zip(node.names, harmless * len(node.names) if len(modules) == 1 else harmless):
            if alias.name == "*":
                raise NotPlain(f"imports everything of {modules[0]}", node)
            if isinstance(node, ast.ImportFrom):
                name, dotted = alias.asname or alias.name, f"{node.module}.{alias.name}"
            else:
                name = alias.asname or alias.name.partition(".")[0]
                dotted = alias.name if alias.asname else name
            self._bind(name, _Imported(dotted) if good else _Unknown())

    def _definition(self, node: ast.FunctionDef, scope: _Scope) -> None:
        """A function is defined: what is done then is its decorators, defaults and annotations."""
        kinds = [self._decorator(decorator, scope) for decorator in node.decorator_list]
        for default in (*node.args.defaults, *node.args.kw_defaults):
            if default is not None:
                self._plain(default, scope)
        parameters = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg)
        for annotation in (*(parameter.annotation for parameter in parameters if parameter is not None), node.returns):
            if annotation is not None and not self._postponed:
                self._annotation(annotation)
        line = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        if set(kinds) <= words.DECORATORS:
            self._functions[node.name, line] = node
        self._bind(node.name, _Defined(node, callable=set(kinds) <= {"nox.session"}))

    def _decorator(self, node: ast.expr, scope: _Scope) -> str:
        called = node.func if isinstance(node, ast.Call) else node
        name = self._dotted(called, scope)
        if name is None or name not in words.DECORATORS | words.WRAPPERS:
            raise NotPlain("has a decorator that isn't nox's", node)
        if isinstance(node, ast.Call):
            self._arguments(node, scope)
        return name

    def _annotation(self, node: ast.expr) -> None:
        for part in ast.walk(node):
            if isinstance(part, ast.Name):
                meaning = self._meanings.get(part.id)
                known = isinstance(meaning, _Imported) and meaning.dotted.partition(".")[0] in words.ANNOTATIONS
                if not known and (meaning is not None or not isinstance(_builtin(part.id), type)):
                    raise NotPlain("has an annotation that may do something", node)
            elif not isinstance(
                part,
                (ast.Attribute, ast.Subscript, ast.Constant, ast.Tuple, ast.List, ast.BinOp, ast.BitOr, ast.Load),
            ):
                raise NotPlain("has an annotation that may do something", node)

    # --- functions --------------------------------------------------------------------------------------

    def _function(self, node: ast.FunctionDef, sessions: frozenset[str]) -> None:
        """Read a function that is called, the parameters named standing for the session."""
        call = node.lineno, sessions
        if call in self._done:
            return
        if call in self._open:
            raise NotPlain("calls itself", node)
        stored, gone_through = _names_set_in(node)
        parameters = {argument.arg for argument in ast.walk(node.args) if isinstance(argument, ast.arg)}
        if sessions & (stored | gone_through):
            raise NotPlain("gives the session's name to something else", node)
        if any(map(_is_pythons_own, parameters | stored | gone_through)):
            raise NotPlain("has a name of Python's own for something", node)
        self._open.append(call)
        self._statements(node.body, _Scope(frozenset(parameters | stored) - sessions, sessions, node))
        self._open.pop()
        self._done.add(call)

    def _helper(self, node: ast.Call, function: ast.FunctionDef, scope: _Scope) -> None:
        """A call of another function of the noxfile."""
        positional = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)]
        by_name = {argument.arg for argument in (*function.args.args, *function.args.kwonlyargs)}
        sessions: set[str] = set()
        starred = False
        for place, argument in enumerate(node.args):
            starred = starred or isinstance(argument, ast.Starred)
            if _is_name(argument, scope.sessions):
                if starred or place >= len(positional):
                    raise NotPlain("hands the session on in a way that can't be followed", node)
                sessions.add(positional[place])
            else:
                self._item(argument, scope)
        for keyword in node.keywords:
            if _is_name(keyword.value, scope.sessions):
                if keyword.arg not in by_name:
                    raise NotPlain("hands the session on in a way that can't be followed", node)
                sessions.add(keyword.arg)
            else:
                self._plain(keyword.value, scope)
        self._function(function, frozenset(sessions))

    # --- statements -------------------------------------------------------------------------------------

    def _statements(self, body: Iterable[ast.stmt], scope: _Scope) -> None:
        for statement in body:
            self._statement(statement, scope)

    def _statement(self, node: ast.stmt, scope: _Scope) -> None:
        if isinstance(node, (ast.Pass, ast.Break, ast.Continue, ast.Raise)):
            return  # one that raises doesn't end well
        if isinstance(node, ast.Expr):
            self._effect(node.value, scope)
        elif isinstance(node, ast.Assign):
            self._plain(node.value, scope)
            for target in node.targets:
                self._target(target, scope)
        elif isinstance(node, ast.AnnAssign):
            if scope.function is None and not self._postponed:
                self._annotation(node.annotation)
            if node.value is not None:
                self._plain(node.value, scope)
                self._target(node.target, scope)
        elif isinstance(node, ast.AugAssign):
            if not isinstance(node.target, ast.Attribute):
                self._plain(node.target, scope)  # what was there is looked at as well
            self._plain(node.value, scope)
            self._target(node.target, scope)
        elif isinstance(node, ast.Delete):
            for target in node.targets:
                self._target(target, scope)
        elif isinstance(node, ast.If):
            self._if(node, scope)
        elif isinstance(node, ast.For):
            self._iterable(node.iter, scope)
            self._target(node.target, scope)
            self._statements((*node.body, *node.orelse), scope)
        elif isinstance(node, ast.While):
            self._plain(node.test, scope)
            self._statements((*node.body, *node.orelse), scope)
        elif isinstance(node, ast.Assert):
            self._plain(node.test, scope)
        elif scope.function is None:
            self._of_a_noxfile(node, scope)
        else:
            self._of_a_function(node, scope)

    def _of_a_noxfile(self, node: ast.stmt, scope: _Scope) -> None:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            self._import(node, surely=False)
        elif isinstance(node, ast.FunctionDef):
            self._definition(node, scope)
        elif isinstance(node, ast.Try):
            # an import that fails: of what comes with Python, so that nobody can install it later
            for statement in (*node.body, *node.orelse, *node.finalbody, *(s for h in node.handlers for s in h.body)):
                if isinstance(statement, (ast.Import, ast.ImportFrom)):
                    self._import(statement, surely=True)
                elif not isinstance(statement, ast.Pass):
                    raise NotPlain("tries something", statement)
        else:
            raise NotPlain(f"{type(node).__name__} isn't read", node)

    def _of_a_function(self, node: ast.stmt, scope: _Scope) -> None:
        if isinstance(node, ast.Return):
            if node.value is not None:
                self._plain(node.value, scope)
        elif isinstance(node, ast.With):
            for item in node.items:
                method = self._method_of_session(item.context_expr, scope)
                if method not in words.MOVES or item.optional_vars is not None:
                    raise NotPlain("with", node)
                self._effect(item.context_expr, scope)
            self._statements(node.body, scope)
        else:
            raise NotPlain(f"{type(node).__name__} isn't read", node)

    def _if(self, node: ast.If, scope: _Scope) -> None:
        checked = self._dotted(node.test, scope) == "typing.TYPE_CHECKING"
        if scope.function is None and (checked or _asks_for_main(node.test)):
            self._statements(node.orelse, scope)  # its body isn't run
            return
        self._plain(node.test, scope)
        self._statements((*node.body, *node.orelse), scope)

    def _target(self, node: ast.expr, scope: _Scope) -> None:
        if isinstance(node, ast.Name):
            if scope.function is None:
                deleted = isinstance(node.ctx, ast.Del)
                self._bind(node.id, _Unknown() if deleted else _Value())
        elif isinstance(node, (ast.Tuple, ast.List)):
            for item in node.elts:
                self._target(item, scope)
        elif isinstance(node, ast.Starred):
            self._target(node.value, scope)
        elif isinstance(node, ast.Subscript):
            if self._is_environ(node.value, scope):
                self._sets(node.slice)
            else:
                self._plain(node.value, scope)
                self._plain(node.slice, scope)
        else:
            name = self._dotted(node, scope) or ""
            if scope.function is not None or not (name == "nox.needs_version" or name.startswith("nox.options.")):
                raise NotPlain("sets something of something else", node)

    # --- what is done -----------------------------------------------------------------------------------

    def _effect(self, node: ast.expr, scope: _Scope) -> None:
        """An expression whose value nobody looks at."""
        if isinstance(node, ast.Call):
            method = self._method_of_session(node, scope)
            if method is not None:
                self._session_does(method, node, scope)
                return
            if isinstance(node.func, ast.Attribute) and self._is_environ(node.func.value, scope):
                self._changes_environ(node.func.attr, node, scope)
                return
        self._plain(node, scope)

    def _session_does(self, method: str, node: ast.Call, scope: _Scope) -> None:
        options = frozenset(str(keyword.arg) for keyword in node.keywords)
        if method in words.ENDS:
            return
        if method in words.RUNS:
            known = words.OF_A_RUN
        elif method == "install":
            known = words.OF_AN_INSTALL
        elif method in words.SAYS or (method in words.MOVES and len(node.args) == 1):
            known = frozenset()
        else:
            raise NotPlain(f"session.{method}", node)
        if not options <= known:
            raise NotPlain(f"session.{method}(…, {min(options - known)}=…)", node)
        self._moves = self._moves or method in words.MOVES
        self._arguments(node, scope)

    def _method_of_session(self, node: ast.expr, scope: _Scope) -> str | None:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            return node.func.attr if _is_name(node.func.value, scope.sessions) else None
        return None

    # --- environment variables --------------------------------------------------------------------------

    def _is_environ(self, node: ast.expr, scope: _Scope) -> bool:
        """Whether it is ``os.environ`` or ``session.env``: only single variables of it are plain."""
        if isinstance(node, ast.Attribute) and node.attr == "env" and _is_name(node.value, scope.sessions):
            return True
        return self._dotted(node, scope) == "os.environ"

    def _asks(self, node: ast.expr) -> None:
        """A variable is looked at."""
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or node.value in words.PASSING:
            raise NotPlain("looks at an environment variable that can't be told", node)
        self._reads.add(node.value)

    def _sets(self, node: ast.expr) -> None:
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or node.value in words.OURS:
            raise NotPlain("sets an environment variable that can't be told", node)

    def _asks_environ(self, method: str, node: ast.Call, scope: _Scope) -> None:
        if method != "get" or not 1 <= len(node.args) <= 2 or node.keywords:
            raise NotPlain(f"environ.{method}", node)
        self._asks(node.args[0])
        for default in node.args[1:]:
            self._plain(default, scope)

    def _changes_environ(self, method: str, node: ast.Call, scope: _Scope) -> None:
        if method == "update" and len(node.args) <= 1:
            given = node.args[0] if node.args else ast.Dict([], [])
            if not isinstance(given, ast.Dict):
                raise NotPlain("environ.update", node)
            for key, value in zip(given.keys, given.values):
                self._sets(key if key is not None else value)
                self._plain(value, scope)
            for keyword in node.keywords:
                self._sets(ast.copy_location(ast.Constant(keyword.arg), node))
                self._plain(keyword.value, scope)
        elif method in ("pop", "setdefault") and node.args and not node.keywords:
            self._sets(node.args[0])
            for value in node.args[1:]:
                self._plain(value, scope)
        else:
            self._asks_environ(method, node, scope)

    # --- values -----------------------------------------------------------------------------------------

    def _plain(self, node: ast.expr, scope: _Scope) -> None:
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
            if self._is_environ(node.value, scope):
                self._asks(node.slice)
            else:
                self._plain(node.value, scope)
                self._plain(node.slice, scope)
        elif isinstance(node, ast.Compare):
            self._compare(node, scope)
        elif isinstance(node, (ast.List, ast.Tuple)):
            for item in node.elts:
                self._item(item, scope)
        elif isinstance(node, (ast.ListComp, ast.DictComp)):
            self._comprehension(node, scope)
        elif isinstance(node, ast.NamedExpr):
            self._plain(node.value, scope)
            self._target(node.target, scope)
        elif isinstance(
            node,
            (ast.BinOp, ast.BoolOp, ast.UnaryOp, ast.IfExp, ast.JoinedStr, ast.FormattedValue, ast.Slice, ast.Dict),
        ):
            for part in ast.iter_child_nodes(node):
                if isinstance(part, ast.expr):
                    self._plain(part, scope)
        else:
            raise NotPlain(f"{type(node).__name__} isn't read", node)

    def _item(self, node: ast.expr, scope: _Scope) -> None:
        """An argument or an element, or, after a star, several."""
        if isinstance(node, ast.Starred):
            self._iterable(node.value, scope)
        else:
            self._plain(node, scope)

    def _arguments(self, node: ast.Call, scope: _Scope) -> None:
        for argument in node.args:
            self._item(argument, scope)
        for keyword in node.keywords:
            self._plain(keyword.value, scope)

    def _name(self, node: ast.Name, scope: _Scope) -> None:
        name = node.id
        if name in scope.sessions:
            raise NotPlain("does something with the session itself", node)
        if name in scope.local:
            return
        meaning = self._meanings.get(name)
        if isinstance(meaning, _Value) or (meaning is None and name in ("__file__", "__name__")):
            return
        if self._dotted(node, scope) not in words.VALUES:
            raise NotPlain(f"{name} isn't known to be a plain value", node)

    def _attribute(self, node: ast.Attribute, scope: _Scope) -> None:
        dotted = self._dotted(node, scope)
        if dotted is not None and dotted in words.VALUES:
            return
        path, base = node.attr, node.value
        if isinstance(base, ast.Attribute) and base.attr == "virtualenv":
            path, base = f"virtualenv.{path}", base.value
        if _is_name(base, scope.sessions):
            if path not in words.SESSION:
                raise NotPlain(f"session.{path}", node)
        elif node.attr in words.ATTRIBUTES:
            self._plain(node.value, scope)
        else:
            raise NotPlain(f".{node.attr}", node)

    def _dotted(self, node: ast.expr, scope: _Scope) -> str | None:
        """What an expression stands for that names something of an imported module, such as ``os.path.join``."""
        if isinstance(node, ast.Attribute):
            base = self._dotted(node.value, scope)
            return None if base is None else f"{base}.{node.attr}"
        if isinstance(node, ast.Name) and node.id not in scope.local and node.id not in scope.sessions:
            meaning = self._meanings.get(node.id)
            return meaning.dotted if isinstance(meaning, _Imported) else None
        return None

    def _compare(self, node: ast.Compare, scope: _Scope) -> None:
        sides = [node.left, *node.comparators]
        for operator, left, right in zip(node.ops, sides, sides[1:]):
            if isinstance(operator, (ast.In, ast.NotIn)):
                if self._is_environ(right, scope):
                    self._asks(left)
                    return
                self._plain(left, scope)
                self._unordered(right, scope)
            else:
                self._plain(left, scope)
                self._plain(right, scope)

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp, scope: _Scope) -> None:
        for generator in node.generators:
            if generator.is_async:
                raise NotPlain("async", node)
            self._iterable(generator.iter, scope)
            names = {part.id for part in ast.walk(generator.target) if isinstance(part, ast.Name)}
            if names & scope.sessions:
                raise NotPlain("gives the session's name to something else", node)
            scope = replace(scope, local=scope.local | names)
            for condition in generator.ifs:
                self._plain(condition, scope)
        for made in (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,):
            self._plain(made, scope)

    def _iterable(self, node: ast.expr, scope: _Scope) -> None:
        """Something that is gone through at once, in its order."""
        if isinstance(node, ast.GeneratorExp):
            self._comprehension(node, scope)
        elif isinstance(node, ast.Call) and self._builtin_called(node, scope) in words.PASSED_ON:
            for argument in node.args:
                self._iterable(argument.value if isinstance(argument, ast.Starred) else argument, scope)
            for keyword in node.keywords:
                self._plain(keyword.value, scope)
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in words.VIEWS
            and not (node.args or node.keywords)
            and not self._is_environ(node.func.value, scope)
        ):
            self._plain(node.func.value, scope)
        else:
            self._plain(node, scope)

    def _unordered(self, node: ast.expr, scope: _Scope) -> None:
        """Something whose order doesn't matter: a set as well."""
        if isinstance(node, ast.Set):
            for item in node.elts:
                self._item(item, scope)
        elif isinstance(node, ast.SetComp):
            self._comprehension(node, scope)
        elif isinstance(node, ast.Call) and self._builtin_called(node, scope) in words.UNORDERED and not node.keywords:
            for argument in node.args:
                self._unordered(argument, scope)
        else:
            self._iterable(node, scope)

    # --- calls ------------------------------------------------------------------------------------------

    def _builtin_called(self, node: ast.Call, scope: _Scope) -> str | None:
        """The builtin that is called, if it is one, and nobody has put something else in its place."""
        if not isinstance(node.func, ast.Name):
            return None
        name = node.func.id
        return None if name in scope.local | scope.sessions or name in self._meanings else name

    def _call(self, node: ast.Call, scope: _Scope) -> None:
        builtin = self._builtin_called(node, scope)
        dotted = self._dotted(node.func, scope)
        if builtin is not None:
            self._builtin(builtin, node, scope)
        elif dotted is not None and dotted.rpartition(".")[0] not in words.VALUES:
            self._imported(dotted, node, scope)
        elif isinstance(node.func, ast.Name):
            meaning = self._meanings.get(node.func.id) if node.func.id not in scope.local else None
            if not isinstance(meaning, _Defined) or not meaning.callable or scope.function is None:
                raise NotPlain(f"calls {node.func.id}", node)
            self._helper(node, meaning.node, scope)
        elif isinstance(node.func, ast.Attribute):
            self._method(node.func, node, scope)
        else:
            raise NotPlain("calls something", node)

    def _builtin(self, name: str, node: ast.Call, scope: _Scope) -> None:
        if name == "isinstance" and len(node.args) == 2:
            self._plain(node.args[0], scope)
            kinds = node.args[1].elts if isinstance(node.args[1], ast.Tuple) else [node.args[1]]
            for kind in kinds:
                shadowed = isinstance(kind, ast.Name) and (kind.id in scope.local or kind.id in self._meanings)
                if not isinstance(kind, ast.Name) or shadowed or not isinstance(_builtin(kind.id), type):
                    raise NotPlain("asks for a class", node)
            return
        if name not in words.FUNCTIONS | words.CONSUMERS or any(keyword.arg == "key" for keyword in node.keywords):
            raise NotPlain(f"calls {name}", node)
        for argument in node.args:
            if name in ("len", "sorted") and not isinstance(argument, ast.Starred):
                self._unordered(argument, scope)
            elif name in words.CONSUMERS and not isinstance(argument, ast.Starred):
                self._iterable(argument, scope)
            else:
                self._item(argument, scope)
        for keyword in node.keywords:
            self._plain(keyword.value, scope)

    def _imported(self, dotted: str, node: ast.Call, scope: _Scope) -> None:
        """A call of something that another module has."""
        if dotted.startswith("os.environ."):
            self._asks_environ(dotted.rpartition(".")[2], node, scope)
        elif dotted == "os.getenv":
            self._asks_environ("get", node, scope)
        elif dotted == "nox.project.load_toml":
            self._load_toml(node, scope)
        elif dotted == "os.path.realpath" and len(node.args) == 1 and _is_own_file(node.args[0]):
            return
        elif dotted in words.CALLS or (dotted in words.LOADING and scope.function is None):
            self._arguments(node, scope)
        else:
            raise NotPlain(f"calls {dotted}", node)

    def _load_toml(self, node: ast.Call, scope: _Scope) -> None:
        """While a noxfile is loaded, the project's files that it opens are watched. Later only one is, in any case."""
        file = node.args[0] if node.args else ast.Constant("pyproject.toml")
        plainly = len(node.args) <= 1 and not node.keywords
        name = file.value if plainly and isinstance(file, ast.Constant) and isinstance(file.value, str) else ""
        if scope.function is not None and name == "pyproject.toml":
            self._reads_pyproject = True
        elif scope.function is not None or not re.fullmatch(r"\w[\w.-]*", name):
            raise NotPlain("loads a file that isn't watched", node)

    def _method(self, func: ast.Attribute, node: ast.Call, scope: _Scope) -> None:
        """A method of a plain value."""
        name, receiver = func.attr, func.value
        if self._is_environ(receiver, scope):
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
        self._plain(receiver, scope)
        for argument in node.args:
            if name in ("join", "extend", "update") and not isinstance(argument, ast.Starred):
                self._iterable(argument, scope)
            else:
                self._item(argument, scope)
        for keyword in node.keywords:
            self._plain(keyword.value, scope)

    def _is_own_path(self, node: ast.expr, scope: _Scope) -> bool:
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
            and self._dotted(node.func, scope) in ("pathlib.Path", "pathlib.PurePath")
            and len(node.args) == 1
            and _is_own_file(node.args[0])
        )


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
    if root in getattr(sys, "stdlib_module_names", ()) and root not in words.STARTLING:
        standard = os.path.join(os.path.dirname(os.__file__), "")
        if file is None or (file.startswith(standard) and not installed):
            return True
    if loaded is not None or surely:
        raise NotPlain(f"imports {module}", node)
    return False  # in a branch that wasn't taken


def _names_set_in(node: ast.FunctionDef) -> tuple[frozenset[str], frozenset[str]]:
    """The names that a function sets, and those that its comprehensions have for themselves."""
    targets = [
        name
        for part in ast.walk(node)
        if isinstance(part, ast.comprehension)
        for name in ast.walk(part.target)
        if isinstance(name, ast.Name)
    ]
    own = {id(name) for name in targets}
    stored = {
        part.id
        for part in ast.walk(node)
        if isinstance(part, ast.Name) and not isinstance(part.ctx, ast.Load) and id(part) not in own
    }
    return frozenset(stored), frozenset(name.id for name in targets)


def _is_pythons_own(name: str) -> bool:
    return name.startswith("__") and name not in ("__all__", "__author__", "__license__", "__version__")


def _is_name(node: ast.AST, names: Iterable[str]) -> bool:
    return isinstance(node, ast.Name) and node.id in names


def _is_own_file(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "__file__"


def _asks_for_main(test: ast.expr) -> bool:
    """``__name__ == "__main__"``, which a noxfile's isn't."""
    return (
        isinstance(test, ast.Compare)
        and _is_name(test.left, ("__name__",))
        and isinstance(test.ops[0], ast.Eq)
        and len(test.ops) == 1
        and isinstance(test.comparators[0], ast.Constant)
        and test.comparators[0].value == "__main__"
    )


def _builtin(name: str) -> Any:
    import builtins

    return getattr(builtins, name, None)
