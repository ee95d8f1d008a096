"""What is known by reading a noxfile: whether a function would do the same once more. When in doubt, it isn't."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import nox
import nox.registry
import pytest
from hypothesis import given
from hypothesis import strategies as st

from setlist.providers.nox.plain import NotPlain, Reader

HEAD = """
import json
import os
import pathlib
import platform
import random
import shutil
import subprocess
import sys
import tempfile
import time
from os import environ, path
from pathlib import Path

import nox
"""


def loaded(file: Path) -> ModuleType:
    """A noxfile as Python has it."""
    nox.registry.reset()
    spec = spec_from_file_location("user_nox_module", file)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read(folder: Path, text: str, name: str = "lint") -> tuple[str, ...]:
    """Read the function ``lint`` of a noxfile."""
    file = folder / "noxfile.py"
    file.write_text(text, encoding="utf-8")
    module = loaded(file)
    function: Any = vars(module)[name]
    while hasattr(function, "func"):
        function = function.func
    return Reader(module, str(file)).reads(function)


def of_body(body: str, *, before: str = "", head: str = HEAD) -> str:
    lines = textwrap.indent(textwrap.dedent(body).strip(), "    ")
    return f"{head}\n{textwrap.dedent(before)}\n\n@nox.session\ndef lint(session):\n{lines}\n"


PLAIN = {
    "an install and a run": 'session.install("ruff")\nsession.run("ruff", "check", ".")',
    "posargs": 'session.run("pytest", *session.posargs)',
    "posargs or else": 'session.run("pytest", *(session.posargs or ["tests", "-x"]))',
    "posargs changed": 'session.posargs.append("-x")\nsession.run("pytest", *session.posargs)',
    "a condition": 'if "-k" in session.posargs:\n    session.run("a")\nelif session.interactive:\n    session.run("b")',
    "a loop": 'for name in ("a", "b"):\n    session.run(name, f"--{name}={session.python}")',
    "comprehensions": 'session.run("x", *[f"-{n}" for n in range(3)], *(str(n) for n in (1, 2) if n), '
    "*{k: v for k, v in {'a': 'b'}.items()})",
    "any": 'args = list(session.posargs)\nif not any(arg.startswith("-") for arg in args):\n    args += ["."]\n'
    'session.run("x", *args)',
    "walrus": 'if (args := session.posargs):\n    session.run("x", *args)',
    "unpacking": 'first, *rest = session.posargs or ["a"]\nsession.run("x", first, *rest)',
    "a docstring and a return": '"""Say."""\nsession.run("x")\nreturn',
    "env": 'session.env["A"] = "b"\nsession.env.update({"C": "d"}, E="f")\nsession.run("x", env={"G": None})',
    "chdir": 'session.chdir("docs")\nwith session.cd("api"):\n    session.run("make")',
    "messages": 'session.log("a %s", session.name)\nsession.warn("b")\nsession.debug("c")',
    "it gives up": 'if not session.posargs:\n    session.error("what?", session.name)\nsession.run("x")',
    "raise": 'if session.posargs:\n    raise ValueError(f"not {session.posargs}")\nsession.run("x")',
    "raise from nothing": 'if session.posargs:\n    raise ValueError from None\nsession.run("x")',
    "assert": 'assert len(session.posargs) < 100, "too many"\nsession.run("x")',
    "paths": 'session.run("x", str(Path("docs") / "conf.py"), Path("a").with_suffix(".b").as_posix(), Path("c").name)',
    "os.path": 'session.run("x", os.path.join("a", "b"), path.dirname(__file__), os.path.abspath("x"), os.sep)',
    "platform": 'if sys.platform != "win32" and sys.version_info >= (3, 8) and platform.system() != "X":\n'
    '    session.run("x", sys.platform.upper(), str(sys.version_info.major))',
    "its environment": 'session.run("x", session.bin, str(session.env_dir / "y"), session.virtualenv.location)',
    "strings": '"".join(reversed("ab"))\nsession.run("%s-%d" % ("a", 1), "a".replace("a", "b"), "{}".format(1))',
    "a set whose order doesn't matter": 'if "a" in {"a", "b"} and len(set(session.posargs)) < 9:\n'
    '    session.run("x", *sorted({"b", "a"}))',
    "run_install": 'session.run_install("make", "deps")\nsession.run_always("make", external=True)',
    "install's options": 'session.install("-e", ".", silent=False, env={"A": "b"})\nsession.run("x")',
    "numbers": 'session.run("x", str(round(1.5 * 2)), str(max(1, 2)), repr(-1), str(1 if session.posargs else 2))',
    "dictionaries": 'd = dict(a="b")\nd.setdefault("c", "d")\nfor k, v in d.items():\n    session.run(k, v)',
    "del": 'd = {"a": "b"}\ndel d["a"]\nsession.run("x", *d)',
    "enumerate and zip": 'for n, (a, b) in enumerate(zip("ab", "cd"), start=1):\n    session.run(a, b, str(n))',
    "while": 'n = 0\nwhile n < 2:\n    n += 1\n    session.run("x", str(n))\nelse:\n    session.run("y")',
    "isinstance": 'args = session.posargs\nif isinstance(args, (list, tuple)):\n    session.run("x", *args)',
    "pyproject": 'session.install(*nox.project.dependency_groups(nox.project.load_toml("pyproject.toml"), "test"))',
    "notify": 'if session.posargs:\n    session.notify("other")\nsession.run("x")',
    "a slice": 'session.run("x", *session.posargs[1:], *"abc"[::-1])',
}


@pytest.mark.parametrize("body", PLAIN.values(), ids=PLAIN)
def test_plain(tmp_path: Path, body: str) -> None:
    assert read(tmp_path, of_body(body)) == ()


NOT_PLAIN = {
    "time": 'session.run("x", str(time.time()))',
    "random": 'session.run("x", str(random.random()))',
    "a random name, imported": 'session.run("x", tempfile.mkdtemp())',
    "open": 'open("x").close()',
    "open for a value": 'session.run("x", open("x").read())',
    "listdir": 'session.run("x", *os.listdir("."))',
    "glob": 'session.run("x", *map(str, Path().glob("*.py")))',
    "exists": 'if os.path.exists("x"):\n    session.run("x")',
    "Path.exists": 'if Path("x").exists():\n    session.run("x")',
    "Path.read_text": 'session.run("x", Path("x").read_text())',
    "Path.replace": 'Path("a").replace("b")',
    "Path.copy": 'Path("a").copy("b")',
    "Path.resolve": 'session.run("x", str(Path("a").resolve()))',
    "realpath": 'session.run("x", os.path.realpath("a"))',
    "home": 'session.run("x", str(Path.home()))',
    "rmtree": 'shutil.rmtree("build", ignore_errors=True)',
    "rmtree by run": 'session.run(shutil.rmtree, "build")',
    "a function by run": "session.run(print)",
    "subprocess": 'subprocess.run(["x"])',
    "which": 'session.run("x", shutil.which("y") or "z")',
    "eval": 'eval("1")',
    "exec": 'exec("import os")',
    "__import__": '__import__("os").remove("x")',
    "import": "import os as other\nother.remove('x')",
    "print": 'print("hello")',
    "input": "input()",
    "globals": 'globals()["x"] = 1',
    "getattr": 'getattr(session, "run")("x")',
    "setattr": 'setattr(nox, "session", None)',
    "vars": "vars(session)",
    "an alias of the session": 's = session\ns.run("x")',
    "the session in a list": '[session][0].run("x")',
    "the session in a string": 'session.log(f"{session}")',
    "the session shown": "session.log(str(session))",
    "the session's name for something else": 'session = Path("x")\nsession.unlink()',
    "the session's name in a comprehension": "[session for session in (1, 2)]",
    "the session's name in a loop": "for session in (1, 2):\n    pass",
    "a method without a call": 'run = session.run\nrun("x")',
    "a method of a string without a call": 'join = "".join\njoin(["a"])',
    "lambda": 'f = lambda: session.run("x")\nf()',
    "a function inside": 'def inner():\n    session.run("x")\ninner()',
    "a class inside": "class Inner:\n    pass",
    "global": "global X\nX = 1",
    "yield": 'yield session.run("x")',
    "try": 'try:\n    session.run("x")\nfinally:\n    session.run("y")',
    "try except": 'try:\n    session.run("x")\nexcept Exception:\n    pass',
    "with": 'with open("x") as f:\n    pass',
    "suppress": 'import contextlib\nwith contextlib.suppress(Exception):\n    session.run("x")',
    "output used": 'out = session.run("x", silent=True)\nsession.run("y", out)',
    "result used": 'if session.run("x"):\n    session.run("y")',
    "result used by an operator": 'session.run("x") and session.run("y")',
    "silent": 'session.run("x", silent=True)',
    "stdout": 'session.run("x", stdout=open("y", "w"))',
    "stderr": 'session.run("x", stderr=None)',
    "success_codes": 'session.run("x", success_codes=[0, 1])',
    "log=False": 'session.run("x", log=False)',
    "timeouts": 'session.run("x", interrupt_timeout=9)',
    "options that aren't seen": 'options = {"silent": True}\nsession.run("x", **options)',
    "create_tmp": 'session.run("x", session.create_tmp())',
    "cache_dir": 'session.run("x", str(session.cache_dir))',
    "conda_install": 'session.conda_install("x")',
    "install_and_run_script": 'session.install_and_run_script("x.py")',
    "nox's own": 'session._runner.posargs.append("x")',
    "the virtualenv": "session.virtualenv.create()",
    "a set gone through": 'session.run("x", *{"a", "b"})',
    "set()": 'for name in set(session.posargs):\n    session.run("x", name)',
    "a set shown": 'session.log(str({"a", "b"}))',
    "a set by way of keys": 'session.run("x", *({"a": 1}.keys() | {"b": 2}.keys()))',
    "sorted by something": 'session.run("x", *sorted({"a", "b"}, key=len))',
    "an address": 'session.log(f"{(n for n in (1, 2))}")',
    "another address": "session.log(str(zip([1], [2])))",
    "a type's address": "session.log(str(object()))",
    "id": "session.log(id(session.posargs))",
    "hash": 'session.log(hash("x"))',
    "an attribute by format": 'session.log("{0.__class__}".format(1))',
    "all variables": 'session.run("x", env=dict(os.environ))',
    "all variables copied": 'session.run("x", env=os.environ.copy())',
    "all variables unpacked": 'session.run("x", env={**os.environ, "A": "b"})',
    "a variable that can't be told": 'session.run("x", os.environ[session.posargs[0]])',
    "a variable that is another each time": 'session.run("x", os.environ["SHLVL"])',
    "another such": 'session.run("x", os.getenv("SETLIST_PROCESS"))',
    "the session's variables": "session.log(str(session.env))",
    "PATH": 'os.environ["PATH"] = "/x"',
    "PATH by update": 'os.environ.update(PATH="/x")',
    "process": "session.log(os.getpid())",
    "user": "session.log(os.getlogin())",
    "argv": "session.log(str(sys.argv))",
    "sys.path": "session.run('x', *sys.path)",
    "exit": "sys.exit(0)",
    "load_toml": 'session.install(*nox.project.load_toml("other.toml")["x"])',
    "pyproject elsewhere": 'session.chdir("x")\nsession.install(*nox.project.load_toml("pyproject.toml")["x"])',
    "an exception that ends well": "raise SystemExit(0)",
    "an exception with an effect": 'raise ValueError(open("x"))',
    "an exception with a cause": 'raise ValueError("x") from sys.exit(0)',
    "an exception of one's own": "ValueError = 1\nraise ValueError",
    "a way out by an argument": 'session.error("x", sys.exit(0))',
    "another": 'session.notify("x", posargs=[time.time()])',
    "an option that isn't one": "isinstance(1, int, k=sys.exit(0))",
    "a path's option": "os.path.realpath(__file__, strict=sys.exit(0))",
    "a declaration that does something": 'open("x")[0]: int',
    "a comparison of several": '"A" in os.environ in open("x")',
    "match": "match session.posargs:\n    case [session]:\n        pass",
    "await": "async def f():\n    pass",
    "an unknown name": "unknown_name",
    "a module": "x = os",
    "a function of the library": "x = os.remove",
}


@pytest.mark.parametrize("body", NOT_PLAIN.values(), ids=NOT_PLAIN)
def test_not_plain(tmp_path: Path, body: str) -> None:
    with pytest.raises(NotPlain, match=r"line \d+: "):
        read(tmp_path, of_body(body))


RUNS = 'session.run("x", *ARGS)'

OF_ITS_MODULE = {
    "constants": ('ARGS = ["a", *("b", "c")]\nARGS += ["d"]\nARGS.append("e")', RUNS),
    "a mapping": ('ARGS = {"a": ("b",)}["a"]', RUNS),
    "its own place": (
        "ROOT = Path(__file__).parent.resolve()\nARGS = [str(ROOT / 'x'), os.path.dirname(os.path.realpath(__file__))]",
        RUNS,
    ),
    "options": (
        'nox.options.sessions = ["lint"]\nnox.needs_version = ">=2020"\nnox.options.reuse_venv = "yes"',
        "pass",
    ),
    "pyproject": (
        'ARGS = nox.project.python_versions(nox.project.load_toml("pyproject.toml"))\nOTHER = nox.project.load_toml()',
        RUNS,
    ),
    "a condition": ('ARGS = ["a"]\nif sys.platform == "win32":\n    ARGS = ["b"]', RUNS),
    "a branch that isn't taken": ("ARGS = []\nif sys.version_info < (3, 0):\n    import nowhere", RUNS),
    "what only type checkers see": (
        "from typing import TYPE_CHECKING\nARGS = []\nif TYPE_CHECKING:\n    from nowhere import x",
        RUNS,
    ),
    "what only a program does": ('ARGS = []\nif __name__ == "__main__":\n    nox.main()', RUNS),
    "a library that may not be there": ("ARGS = []\ntry:\n    import zoneinfo\nexcept ImportError:\n    pass", RUNS),
    "variables": ('os.environ["A"] = "b"\nos.environ.update({"C": "d"})\nos.environ.pop("E", None)', "pass"),
    "a helper": (
        "def helper(session, name, *args, x=1):\n    session.run(name, *args, str(x))\n    return [name]",
        'for name in helper(session, "a", "b", x=2):\n    helper(session=session, name=name)',
    ),
    "a helper of a helper": (
        "def first(s):\n    s.run('x')\n\ndef second(t, n):\n    first(t)\n    first(s=t)",
        "second(session, 1)",
    ),
    "a helper that calculates": ("def double(x: int) -> int:\n    return x * 2", 'session.run("x", str(double(2)))'),
    "another session": (
        '@nox.session(python=["3.11"], tags=["a"])\ndef other(session):\n    session.run("x")',
        "other(session)",
    ),
    "a parametrized neighbour": (
        '@nox.session\n@nox.parametrize("a", [nox.param(1, id="one"), 2])\ndef other(session, a):\n    time.sleep(a)',
        "pass",
    ),
    "a neighbour that does anything": (
        "def other():\n    shutil.rmtree('/')\n\ndef more(a: int = 1):\n    more(a)",
        "pass",
    ),
    "annotations": (
        """
        import typing
        from typing import Any, Optional
        X: Optional[int] = 1
        def f(a: list[str], b: "Path" = None, *c: Any, **d: typing.Dict[str, int]) -> nox.Session | None:
            ...
        """,
        "pass",
    ),
    "a loop": ("ARGS = []\nfor name in ('a', 'b'):\n    ARGS.append(name)", RUNS),
}


@pytest.mark.parametrize(("before", "body"), OF_ITS_MODULE.values(), ids=OF_ITS_MODULE)
def test_plain_with_its_noxfile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str, body: str) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("A", "")
    monkeypatch.setenv("C", "")
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nclassifiers = ["Programming Language :: Python :: 3.12"]\n', encoding="utf-8"
    )
    read(tmp_path, of_body(body, before=before))


NOT_OF_ITS_MODULE = {
    "time": ("ARGS = [str(time.time())]", RUNS),
    "random, unused": ("ARGS = random.random()", "pass"),
    "a function": ("def ARGS():\n    pass", RUNS),
    "a function's result": ("def f():\n    return ['a']\n\nARGS = f()", RUNS),
    "a lambda": ("ARGS = lambda: 1", "pass"),
    "a class": ("class A:\n    pass", "pass"),
    "a shadowed builtin": ("def str(x):\n    time.sleep(1)", 'session.run("x", str(1))'),
    "a builtin that is a value": ("len = 1", 'session.run("x", repr(len([])))'),
    "a shadowed builtin, imported": ("from time import time as str", 'session.run("x", str())'),
    "a name for several things": ("X = 1\ndef X():\n    pass", "X()"),
    "one of two helpers": (
        "if sys.platform:\n    def f(s):\n        s.run('x')\nelse:\n    def f(s):\n        s.run('y')",
        "f(session)",
    ),
    "a module that is a value": ("os = 1\nARGS = []", 'session.run("x", os.path.join("a"))'),
    "a monkeypatched session": ("if not sys.platform:\n    nox.Session.run = print", "pass"),
    "a monkeypatched library": ("if not sys.platform:\n    os.path.join = print", "pass"),
    "a monkeypatched builtin": ("import builtins\nif not sys.platform:\n    builtins.str = print", "pass"),
    "a module of the project": ("import tools_of_mine", "pass"),
    "a package": ("import hypothesis", "pass"),
    "a library that can be installed later": ("try:\n    import nowhere\nexcept ImportError:\n    pass", "pass"),
    "a handler that does something": ("try:\n    import winreg\nexcept (print('x') or ImportError):\n    pass", "pass"),
    "a module that says hello": ("import __hello__", "pass"),
    "everything": ("from shutil import *", "pass"),
    "a relative import": ("if sys.version_info < (3,):\n    from . import x", "pass"),
    "a startling module": ("import this", "pass"),
    "output": ('print("hello")', "pass"),
    "a file": ("TEXT = open(__file__).read()", "pass"),
    "another file": ('X = nox.project.load_toml("../x.toml")', "pass"),
    "a directory": ("X = os.listdir('.')", "pass"),
    "a program": ("X = subprocess.run(['true'])", "pass"),
    "a context manager": ("with open(__file__) as f:\n    pass", "pass"),
    "an own decorator": ("def deco(f):\n    return f\n\n@deco\ndef g(session):\n    pass", "pass"),
    "a wrapped helper": ("import functools\n@functools.lru_cache\ndef g(s):\n    s.run('x')", "g(session)"),
    "a default that does something": ("def g(a=time.time()):\n    pass", "pass"),
    "an annotation that does something": ("def g(a: print('x')):\n    pass", "pass"),
    "a parametrized helper": (
        "@nox.session\n@nox.parametrize('a', [1])\ndef g(session, a):\n    session.run('x')",
        "g(session, 1)",
    ),
    "a helper that isn't plain": ("def g(s):\n    s.run(time.ctime())", "g(session)"),
    "a helper by itself": ("def g(s):\n    g(s)", "g(session)"),
    "a helper that hands it on": ("def g(s):\n    return s", "g(session)"),
    "a helper that takes it for a value": ("def g(*s):\n    s[0].run('x')", "g(session)"),
    "a helper behind a star": ("def g(a, s):\n    s.run('x')", "g(*[1], session)"),
    "a helper with a mapping": ("def g(**s):\n    s['x'].run('x')", "g(x=session)"),
    "a helper as a value": ("def g(s):\n    s.run('x')", "h = g\nh(session)"),
    "an own __file__": ("__file__ = '/x'", "pass"),
    "__getattr__": ("def __getattr__(name):\n    return 1", "pass"),
    "async": ("async def g():\n    pass", "pass"),
    "a variable changed by what can't be told": ("os.environ['A'] = str(time.time())", "pass"),
    "a name for something else the next time": (
        "X = ['x']\nfor n in (1,):\n    X.remove('x')\n    import os as X",
        "pass",
    ),
    "a deleted import": ("import string\ndel string", "session.log(string.digits)"),
    "a warning of Python's": ("X = 1 is 1" if sys.version_info < (3, 12) else 'X = "\\d"', "pass"),
}


@pytest.mark.parametrize(("before", "body"), NOT_OF_ITS_MODULE.values(), ids=NOT_OF_ITS_MODULE)
@pytest.mark.filterwarnings("ignore")
def test_not_plain_for_its_noxfile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str, body: str) -> None:
    monkeypatch.setenv("A", "")
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "root").mkdir()
    monkeypatch.chdir(tmp_path / "root")
    (tmp_path / "tools_of_mine.py").write_text("")
    (tmp_path / "x.toml").write_text("")
    with pytest.raises(NotPlain):
        read(tmp_path, of_body(body, before=before))


def test_variables_that_it_goes_by_are_told(tmp_path: Path) -> None:
    before = 'CI = os.environ.get("CI")\nX = "A" in os.environ\ndef helper(s):\n    s.run(os.environ["HELPER"])'
    body = 'helper(session)\nif os.getenv("B", "c") or environ.get("C"):\n    session.run("x", session.env.get("D"))'
    assert read(tmp_path, of_body(body, before=before)) == ("A", "B", "C", "CI", "D", "HELPER")


def test_each_function_has_its_own_variables(tmp_path: Path) -> None:
    text = of_body('session.run("x", os.environ.get("A", ""))') + (
        '\n@nox.session\ndef other(session):\n    session.run("x", os.environ.get("B", ""))\n'
    )
    assert read(tmp_path, text, "lint") == ("A",)
    assert read(tmp_path, text, "other") == ("B",)


def test_parametrized_function(tmp_path: Path) -> None:
    text = f"{HEAD}\n@nox.session\n@nox.parametrize('a', [1, 2])\ndef lint(session, a):\n    session.run('x', str(a))\n"
    assert read(tmp_path, text) == ()


@pytest.mark.parametrize(
    "change",
    [
        "lint.func.__code__ = (lambda session: None).__code__",
        "lint.func = print",
        "lint.func = nox.Session.run",
    ],
)
def test_function_that_isnt_what_is_written(tmp_path: Path, change: str) -> None:
    file = tmp_path / "noxfile.py"
    file.write_text(of_body('session.run("x")'))
    module = loaded(file)
    exec(change, {**vars(module), "nox": nox})
    with pytest.raises(NotPlain):
        Reader(module, str(file)).reads(vars(module)["lint"].func)


def test_source_that_isnt_what_was_loaded(tmp_path: Path) -> None:
    file = tmp_path / "noxfile.py"
    file.write_text(of_body('session.run("x")'))
    module = loaded(file)
    file.write_text(of_body('session.run("y")'))
    with pytest.raises(NotPlain, match="source"):
        Reader(module, str(file)).reads(vars(module)["lint"].func)


def test_name_that_was_put_into_it(tmp_path: Path) -> None:
    file = tmp_path / "noxfile.py"
    file.write_text(of_body('session.run("x")'))
    module = loaded(file)
    vars(module)["print"] = print
    with pytest.raises(NotPlain, match="print"):
        Reader(module, str(file)).reads(vars(module)["lint"].func)


def test_module_that_stands_in_for_one_of_the_library(tmp_path: Path) -> None:
    (tmp_path / "sched.py").write_text("def x():\n    pass\n")
    (tmp_path / "noxfile.py").write_text("import sched\n" + of_body('session.run("x")'))
    program = (
        "import sys\nsys.path[:0] = sys.argv[1:3]\nfrom test_plain import loaded, read, NotPlain, Path\n"
        "try:\n    read(Path(sys.argv[1]), (Path(sys.argv[1]) / 'noxfile.py').read_text())\n"
        "except NotPlain as why:\n    print(why)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path), str(Path(__file__).parent)], capture_output=True, text=True
    )
    assert "imports sched" in done.stdout, done.stderr


WORDS = st.text("abc-=.%{}'\"\\\n", max_size=6)


@given(args=st.lists(WORDS, min_size=1, max_size=4), loud=st.booleans())
def test_whatever_is_written_as_a_constant_is_plain(
    tmp_path_factory: pytest.TempPathFactory, args: list[str], loud: bool
) -> None:
    body = f"args = {args!r}\nsession.run(*args, external={loud!r})"
    assert read(tmp_path_factory.mktemp("constant"), of_body(body, head="import nox")) == ()


CALLED = sorted({name for name in dir(os) if name.islower()} - {"fspath", "getcwd", "getenv"})


@given(name=st.sampled_from(CALLED))
def test_nothing_else_of_the_operating_system_is_plain(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    with pytest.raises(NotPlain):
        read(tmp_path_factory.mktemp("os"), of_body(f'if session.posargs:\n    os.{name}("x")', head="import os, nox"))
