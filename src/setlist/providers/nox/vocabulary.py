"""The words that a noxfile may be made of, if it is to be known by reading that it does the same each time.

Each stands for something that does nothing to the world, and goes by nothing but its arguments, or by what a warm
record (:mod:`setlist.engine.warm`) is kept for anyway: environment variables, the directory, the terminal, this very
Python.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


VALUES = _words(
    """
    os.curdir os.devnull os.extsep os.linesep os.name os.pardir os.path.pathsep os.path.sep os.pathsep os.sep
    sys.executable sys.maxsize sys.platform sys.version sys.version_info
    """
)
"""Names of the standard library that stand for plain values."""

CALLS = _words(
    """
    json.dumps json.loads nox.project.dependency_groups nox.project.python_versions os.fspath os.getcwd os.path.abspath
    os.path.basename os.path.dirname os.path.isabs os.path.join os.path.normpath os.path.relpath os.path.split
    os.path.splitext pathlib.Path pathlib.Path.cwd pathlib.PurePath pathlib.PurePosixPath platform.python_implementation
    platform.python_version platform.system re.escape re.findall re.split re.sub shlex.join shlex.quote shlex.split
    textwrap.dedent
    """
)
"""Functions that make plain values of plain values."""

LOADING = frozenset({"nox.param"})
"""Functions that only the noxfile itself calls, and no session of it."""

DECORATORS = frozenset({"nox.session", "nox.parametrize"})
"""What makes a session of a function, and leaves it as it is."""

WRAPPERS = _words("contextlib.contextmanager functools.cache functools.lru_cache functools.wraps")
"""Decorators that do nothing while a noxfile is loaded. What they make of a function isn't read."""

ANNOTATIONS = frozenset({"collections", "nox", "os", "pathlib", "types", "typing"})
"""The modules that an annotation may name something of."""

FUNCTIONS = _words("abs bool chr float int isinstance ord range repr round str")
"""Builtins that make plain values of plain values."""

CONSUMERS = _words("all any dict len list max min sorted sum tuple")
"""Builtins that likewise make something of each item of what they are given."""

PASSED_ON = _words("enumerate reversed zip")
"""Builtins whose results are good for nothing but to be gone through: shown, they would tell their address."""

UNORDERED = frozenset({"frozenset", "set"})
"""Builtins whose results come in another order in each process."""

METHODS = _words(
    """
    absolute append as_posix capitalize casefold center clear copy count encode endswith expandtabs extend find format
    get index insert is_absolute is_relative_to isalnum isalpha isascii isdecimal isdigit isidentifier islower isnumeric
    isspace istitle isupper join joinpath ljust lower lstrip partition pop popitem relative_to remove removeprefix
    removesuffix replace reverse rfind rindex rjust rpartition rsplit rstrip setdefault sort split splitlines
    startswith strip swapcase title update upper with_name with_stem with_suffix zfill
    """
)
"""Methods of strings, lists, tuples, mappings and paths: none of these has one by such a name that touches a file."""

VIEWS = frozenset({"items", "keys", "values"})
"""Methods of mappings whose results are gone through. ``a.keys() - b`` would be a set."""

ATTRIBUTES = _words("anchor drive major micro minor name parent parents parts root stem suffix suffixes")
"""Attributes of paths and versions."""

SESSION = _words(
    """
    bin bin_paths env_dir interactive invoked_from name parallel posargs python venv_backend virtualenv.bin
    virtualenv.bin_paths virtualenv.location virtualenv.venv_backend
    """
)
"""What a session says of itself."""

RUNS = frozenset({"run", "run_always", "run_install"})
"""Methods of a session that start a command."""

OF_A_RUN = frozenset({"env", "external", "include_outer_env"})
"""Their options, as far as the command is one that is simply started and has to end with 0."""

OF_AN_INSTALL = frozenset({"env", "external", "include_outer_env", "log", "silent"})
"""Options of an install. It is skipped, so that it has no output."""

SAYS = frozenset({"debug", "log", "warn"})
"""Methods of a session that say something."""

ENDS = frozenset({"error", "notify", "skip"})
"""Methods of a session after which a run isn't one that is done again."""

MOVES = frozenset({"cd", "chdir"})
"""Methods of a session that change its directory."""

PASSING = frozenset({"OLDPWD", "SETLIST_PROCESS", "SHLVL", "_"})
"""Environment variables that are others at each start."""

OURS = PASSING | {"PATH", "Path"}
"""Those that a noxfile can't set without our knowing less than before: by PATH programs are found."""

STARTLING = frozenset({"antigravity", "idlelib", "readline", "rlcompleter", "site", "test", "this", "turtledemo"})
"""Modules of the standard library that do something by being imported."""

INSTALLED = frozenset({"nox", "packaging"})
"""Packages that are there wherever a noxfile is loaded, and do nothing by being imported."""
