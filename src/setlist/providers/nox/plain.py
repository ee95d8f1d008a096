"""Whether a session's function would do the same once more: told by reading it, and the noxfile that it stands in.

A *plain* function goes by nothing but what a warm record (:mod:`setlist.engine.warm`) is kept for: its posargs,
environment variables, the directory, the Python, the noxfile and the files that were looked at while it was loaded. And
it does nothing but by its session: install, run commands, say something. Then a run that went well, and in which
nothing had to be installed, can be done again by starting the same commands, without the noxfile's having been loaded.

The reader knows the words that are harmless (:mod:`setlist.providers.nox.vocabulary`) and how they may be put together.
All else is not plain, and neither is any function of a noxfile that does anything else while it is loaded. Each run is
a new process, so that it does no harm if lists and variables are changed on the way. ``try`` isn't read: what follows a
command that fails would have to be known as well.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterable
from types import CodeType, FunctionType, ModuleType

from setlist.providers.nox import vocabulary as words
from setlist.providers.nox.names import (
    Defined,
    Imported,
    Names,
    NotPlain,
    Scope,
    Unknown,
    Value,
    builtin,
    is_name,
    is_pythons_own,
)
from setlist.providers.nox.values import Values

__all__ = ["NotPlain", "Reader"]


class Reader:
    """Reads one noxfile.

    Args:
        module: the noxfile as it was loaded.
        file: its path.
    """

    def __init__(self, module: ModuleType, file: str) -> None:
        self._module = module
        self._names = Names()
        self._values = Values(self._names, self._helper)
        self._moves = False
        self._open: list[tuple[int, frozenset[str]]] = []
        self._done: set[tuple[int, frozenset[str]]] = set()
        self._functions: dict[tuple[str, int], ast.FunctionDef] = {}
        self._codes: dict[tuple[str, int], CodeType] = {}
        self.problem: str | None = None
        """Why none of its functions is plain."""
        try:
            self._read(file)
        except NotPlain as problem:
            self.problem = str(problem)
        except (OSError, SyntaxError, ValueError, RecursionError) as error:
            self.problem = f"can't be read: {error}"
        self._of_module = frozenset(self._values.reads)

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
        self._values.reads, self._values.reads_pyproject, self._moves = set(self._of_module), False, False
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
        if self._moves and self._values.reads_pyproject:
            raise NotPlain("reads pyproject.toml, and changes its directory", node)
        return tuple(sorted(self._values.reads))

    # --- the noxfile ----------------------------------------------------------------------------------------

    def _read(self, file: str) -> None:
        with open(file, "rb") as stream:
            source = stream.read()
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            code = compile(source, file, "exec", dont_inherit=True)
        if any(issubclass(warning.category, SyntaxWarning) for warning in said):
            raise NotPlain("Python warns of it each time that it is loaded")
        inner = [const for const in code.co_consts if isinstance(const, CodeType)]
        self._codes = {(const.co_name, const.co_firstlineno): const for const in inner}
        self._statements(ast.parse(source).body, Scope())
        for name in vars(self._module):
            if not (name.startswith("__") and name.endswith("__")) and name not in self._names.meanings:
                raise NotPlain(f"something else has put {name!r} into it")

    def _node_of(self, function: object) -> ast.FunctionDef:
        """What was written of a function: the very one, as its code shows."""
        if not isinstance(function, FunctionType) or function.__globals__ is not vars(self._module):
            raise NotPlain("it isn't a function of the noxfile")
        code = function.__code__
        place = code.co_name, code.co_firstlineno
        node = self._functions.get(place)
        if node is None or code != self._codes.get(place) or function.__closure__:
            raise NotPlain("its source can't be told")
        return node

    def _definition(self, node: ast.FunctionDef, scope: Scope) -> None:
        """A function is defined: what is done then is its decorators, defaults and annotations."""
        kinds = [self._decorator(decorator, scope) for decorator in node.decorator_list]
        for default in (*node.args.defaults, *node.args.kw_defaults):
            if default is not None:
                self._values.plain(default, scope)
        parameters = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg)
        for annotation in (*(parameter.annotation for parameter in parameters if parameter is not None), node.returns):
            if annotation is not None and not self._names.postponed:
                self._annotation(annotation)
        line = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        if set(kinds) <= words.DECORATORS:
            self._functions[node.name, line] = node
        self._names.bind(node.name, Defined(node, callable=set(kinds) <= {"nox.session"}))

    def _decorator(self, node: ast.expr, scope: Scope) -> str:
        called = node.func if isinstance(node, ast.Call) else node
        name = self._names.dotted(called, scope)
        if name is None or name not in words.DECORATORS | words.WRAPPERS:
            raise NotPlain("has a decorator that isn't nox's", node)
        if isinstance(node, ast.Call):
            self._values.arguments(node, scope)
        return name

    def _annotation(self, node: ast.expr) -> None:
        for part in ast.walk(node):
            if isinstance(part, ast.Name):
                meaning = self._names.meanings.get(part.id)
                known = isinstance(meaning, Imported) and meaning.dotted.partition(".")[0] in words.ANNOTATIONS
                if not known and (meaning is not None or not isinstance(builtin(part.id), type)):
                    raise NotPlain("has an annotation that may do something", node)
            elif not isinstance(
                part,
                (ast.Attribute, ast.Subscript, ast.Constant, ast.Tuple, ast.List, ast.BinOp, ast.BitOr, ast.Load),
            ):
                raise NotPlain("has an annotation that may do something", node)

    # --- functions ------------------------------------------------------------------------------------------

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
        if any(map(is_pythons_own, parameters | stored | gone_through)):
            raise NotPlain("has a name of Python's own for something", node)
        self._open.append(call)
        self._statements(node.body, Scope(frozenset(parameters | stored) - sessions, sessions, node))
        self._open.pop()
        self._done.add(call)

    def _helper(self, node: ast.Call, function: ast.FunctionDef, scope: Scope) -> None:
        """A call of another function of the noxfile."""
        positional = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)]
        by_name = {argument.arg for argument in (*function.args.args, *function.args.kwonlyargs)}
        sessions: set[str] = set()
        starred = False
        for place, argument in enumerate(node.args):
            starred = starred or isinstance(argument, ast.Starred)
            if is_name(argument, scope.sessions):
                if starred or place >= len(positional):
                    raise NotPlain("hands the session on in a way that can't be followed", node)
                sessions.add(positional[place])
            else:
                self._values.item(argument, scope)
        for keyword in node.keywords:
            if is_name(keyword.value, scope.sessions):
                if keyword.arg not in by_name:
                    raise NotPlain("hands the session on in a way that can't be followed", node)
                sessions.add(keyword.arg)
            else:
                self._values.plain(keyword.value, scope)
        self._function(function, frozenset(sessions))

    # --- statements -----------------------------------------------------------------------------------------

    def _statements(self, body: Iterable[ast.stmt], scope: Scope) -> None:
        for statement in body:
            self._statement(statement, scope)

    def _statement(self, node: ast.stmt, scope: Scope) -> None:
        if isinstance(node, (ast.Pass, ast.Break, ast.Continue)):
            return
        if isinstance(node, ast.Expr):
            self._effect(node.value, scope)
        elif isinstance(node, ast.Assign):
            self._values.plain(node.value, scope)
            for target in node.targets:
                self._target(target, scope)
        elif isinstance(node, ast.AnnAssign):
            if scope.function is None and not self._names.postponed:
                self._annotation(node.annotation)
            if node.value is not None:
                self._values.plain(node.value, scope)
            if node.value is not None or not isinstance(node.target, ast.Name):
                self._target(node.target, scope)
        elif isinstance(node, ast.Raise):
            self._raise(node, scope)
        elif isinstance(node, ast.AugAssign):
            if not isinstance(node.target, ast.Attribute):
                self._values.plain(node.target, scope)  # what was there is looked at as well
            self._values.plain(node.value, scope)
            self._target(node.target, scope)
        elif isinstance(node, ast.Delete):
            for target in node.targets:
                self._target(target, scope)
        elif isinstance(node, ast.If):
            self._if(node, scope)
        elif isinstance(node, ast.For):
            self._values.iterable(node.iter, scope)
            self._target(node.target, scope)
            self._loop(node, scope)
        elif isinstance(node, ast.While):
            self._values.plain(node.test, scope)
            self._loop(node, scope)
        elif isinstance(node, ast.Assert):
            self._values.plain(node.test, scope)
        elif scope.function is None:
            self._of_a_noxfile(node, scope)
        else:
            self._of_a_function(node, scope)

    def _loop(self, node: ast.For | ast.While, scope: Scope) -> None:
        self._statements(node.body, scope)
        if scope.function is None:
            self._statements(node.body, scope)  # a name may stand for something else by then
        self._statements(node.orelse, scope)

    def _raise(self, node: ast.Raise, scope: Scope) -> None:
        """An exception ends a run badly, but for the one that ends the program."""
        kind = node.exc
        if isinstance(kind, ast.Call):
            self._values.arguments(kind, scope)
            kind = kind.func
        caused = not (node.cause is None or (isinstance(node.cause, ast.Constant) and node.cause.value is None))
        if caused or (kind is not None and not self._is_error(kind, scope)):
            raise NotPlain("raises something", node)

    def _is_error(self, node: ast.expr, scope: Scope) -> bool:
        """Whether an expression is the name of one of Python's own exceptions."""
        if not isinstance(node, ast.Name) or node.id in scope.local | scope.sessions or node.id in self._names.meanings:
            return False
        kind = builtin(node.id)
        return isinstance(kind, type) and issubclass(kind, Exception)

    def _of_a_noxfile(self, node: ast.stmt, scope: Scope) -> None:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            self._names.imports(node, surely=False)
        elif isinstance(node, ast.FunctionDef):
            self._definition(node, scope)
        elif isinstance(node, ast.Try):
            # an import that fails: of what comes with Python, so that nobody can install it later
            if not all(handler.type is not None and self._is_error(handler.type, scope) for handler in node.handlers):
                raise NotPlain("tries something", node)
            for statement in (*node.body, *node.orelse, *node.finalbody, *(s for h in node.handlers for s in h.body)):
                if isinstance(statement, (ast.Import, ast.ImportFrom)):
                    self._names.imports(statement, surely=True)
                elif not isinstance(statement, ast.Pass):
                    raise NotPlain("tries something", statement)
        else:
            raise NotPlain(f"{type(node).__name__} isn't read", node)

    def _of_a_function(self, node: ast.stmt, scope: Scope) -> None:
        if isinstance(node, ast.Return):
            if node.value is not None:
                self._values.plain(node.value, scope)
        elif isinstance(node, ast.With):
            for item in node.items:
                method = self._method_of_session(item.context_expr, scope)
                if method not in words.MOVES or item.optional_vars is not None:
                    raise NotPlain("with", node)
                self._effect(item.context_expr, scope)
            self._statements(node.body, scope)
        else:
            raise NotPlain(f"{type(node).__name__} isn't read", node)

    def _if(self, node: ast.If, scope: Scope) -> None:
        checked = self._names.dotted(node.test, scope) == "typing.TYPE_CHECKING"
        if scope.function is None and (checked or _asks_for_main(node.test)):
            self._statements(node.orelse, scope)  # its body isn't run
            return
        self._values.plain(node.test, scope)
        self._statements((*node.body, *node.orelse), scope)

    def _target(self, node: ast.expr, scope: Scope) -> None:
        if isinstance(node, ast.Name):
            if scope.function is None:
                deleted = isinstance(node.ctx, ast.Del)
                self._names.bind(node.id, Unknown() if deleted else Value())
        elif isinstance(node, (ast.Tuple, ast.List)):
            for item in node.elts:
                self._target(item, scope)
        elif isinstance(node, ast.Starred):
            self._target(node.value, scope)
        elif isinstance(node, ast.Subscript):
            if self._values.is_environ(node.value, scope):
                self._values.sets(node.slice)
            else:
                self._values.plain(node.value, scope)
                self._values.plain(node.slice, scope)
        else:
            name = self._names.dotted(node, scope) or ""
            if scope.function is not None or not (name == "nox.needs_version" or name.startswith("nox.options.")):
                raise NotPlain("sets something of something else", node)

    # --- what is done ---------------------------------------------------------------------------------------

    def _effect(self, node: ast.expr, scope: Scope) -> None:
        """An expression whose value nobody looks at."""
        if isinstance(node, ast.Call):
            method = self._method_of_session(node, scope)
            if method is not None:
                self._session_does(method, node, scope)
                return
            if isinstance(node.func, ast.Attribute) and self._values.is_environ(node.func.value, scope):
                self._values.changes_environ(node.func.attr, node, scope)
                return
        self._values.plain(node, scope)

    def _session_does(self, method: str, node: ast.Call, scope: Scope) -> None:
        options = frozenset(str(keyword.arg) for keyword in node.keywords)
        if method in words.RUNS:
            known = words.OF_A_RUN
        elif method == "install":
            known = words.OF_AN_INSTALL
        elif method in words.SAYS or (method in words.MOVES and len(node.args) == 1):
            known = frozenset()
        elif method in words.ENDS:
            known = frozenset({"posargs", "target"})
        else:
            raise NotPlain(f"session.{method}", node)
        if not options <= known:
            raise NotPlain(f"session.{method}(…, {min(options - known)}=…)", node)
        self._moves = self._moves or method in words.MOVES
        self._values.arguments(node, scope)

    def _method_of_session(self, node: ast.expr, scope: Scope) -> str | None:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            return node.func.attr if is_name(node.func.value, scope.sessions) else None
        return None


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


def _asks_for_main(test: ast.expr) -> bool:
    """``__name__ == "__main__"``, which a noxfile's isn't."""
    return (
        isinstance(test, ast.Compare)
        and is_name(test.left, ("__name__",))
        and isinstance(test.ops[0], ast.Eq)
        and len(test.ops) == 1
        and isinstance(test.comparators[0], ast.Constant)
        and test.comparators[0].value == "__main__"
    )
