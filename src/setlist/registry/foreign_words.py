"""What other runners call our keys, our placeholders, and the methods of a session.

Near misses of spelling are found by ``nearest``; these aren't near. A value is our word, or else a hint of its own. The
words are in lower case with hyphens, and found in any spelling (``allowlist_externals``, ``SetEnv``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping


def _words(table: Mapping[str, str]) -> dict[str, str]:
    return {word: meant for words, meant in table.items() for word in words.split()}


_REUSED = "environments are always reused, and brought up to date: leave it out"
_NOT_INSTALLED = "the project is installed only where the key 'project' asks for it: leave it out"
_INTERPRETER = "a missing interpreter skips the session, and is an error in CI: leave it out"

SESSION_WORDS = _words(
    {
        "allowlist-externals whitelist-externals": "external",
        "args cmd cmds command commands exec recipe script scripts steps": "run",
        "commands-pre pre-commands": "the commands are one list: write these first in 'run'",
        "commands-post post-commands": "the commands are one list: write these last in 'run'",
        "base-python basepython interpreter interpreters py python-version python-versions pythons": "python",
        "change-dir changedir chdir dir directory workdir working-dir working-directory": "cwd",
        "constrain-package-deps": "constraints",
        "dependencies install-requires packages pip with": "deps",
        "install": "write project = \"editable\" for the project, and 'deps' for requirements",
        "dependency-group dependency-groups group": "groups",
        "after depends depends-on dependson needs prerequisites": "requires",
        "notify": "the session that needs the other one names it in 'requires'",
        "env-vars environ environment environment-variables set-env setenv variables vars": "env",
        "dotenv env-files envfile": "env-file",
        "env-list envlist envs": "each environment is a session, or a value of an axis: 'python', or one of 'matrix'",
        "axes factors parametrize params strategy": "matrix",
        "extra features": "extras",
        "about desc doc help summary": "description",
        "continue-on-error ignore-errors ignore-failure ignore-outcome": "allow-failure",
        "label labels": "tags",
        "pass-env passenv": "inherit-env",
        "package": "project",
        "develop editable use-develop usedevelop": 'write project = "editable"',
        "no-install no-package skip-install skip-sdist skipsdist": _NOT_INSTALLED,
        "download-python recreate reuse reuse-existing-virtualenvs reuse-venv": _REUSED,
        "runner venv-backend": "backend",
        "venv virtualenv": "each session has an environment of its own: leave it out",
        "success-codes": "ok-codes",
        "error-on-missing-interpreters skip-missing-interpreters": _INTERPRETER,
        "platform platforms": "a session that is a function can end itself: s.skip(…)",
        "commands-retry max-retries reruns retry": "retries",
        "time-limit timeout-minutes timeout-seconds": "timeout",
        "base from inherit inherits template": "extends",
        "creates generates produces": "outputs",
        "index index-server pip-index": "index-url",
    }
)

COMMAND_WORDS = _words(
    {
        "args command line run script": "cmd",
        "environment set-env setenv vars": "env",
        "change-dir chdir dir directory working-dir working-directory": "cwd",
        "codes exit-codes returncodes success-codes": "ok-codes",
        "continue-on-error ignore-errors ignore-failure ignore-outcome": "allow-failure",
        "output redirect": "stdout",
        "ref session task": "the session names those that run before it in its 'requires'",
        "external": "it is a key of the session: name the program in its 'external'",
        "timeout": "it is a key of the session, for all of its commands",
    }
)

PROJECT_WORDS = _words(
    {
        "default-envs default-sessions default-tasks env-list envlist": "default",
        "environments envs recipes script scripts sessions task tasks": "session",
        "base common env-base env-run-base global testenv": "defaults",
        "min-version minversion needs-version required-version": "requires-setlist",
        "envdir toxworkdir venv-dir work-dir workdir": "env-dir",
        "reuse-existing-virtualenvs reuse-venv": _REUSED,
        "error-on-missing-interpreters skip-missing-interpreters": _INTERPRETER,
        "isolated-build no-package skipsdist": _NOT_INSTALLED,
    }
)

PLACEHOLDER_WORDS = _words(
    {
        "@ * args": "posargs",
        "project-root root tox-root toxinidir": "project",
        "env-name envname name": "session",
        "env-tmp-dir envtmpdir temp temp-dir tmpdir": "tmp",
        "env-dir virtual-env": "envdir",
        "base-python basepython py": "python",
        "env-python envpython": "write python: the environment's own is the first on PATH",
        "env-bin-dir envbindir": "the environment's programs are found by their names",
        "/": "write / itself: Python takes it on Windows too",
    }
)


SESSION_METHODS = _words(
    {
        "chdir": "s.cd(…)",
        "notify": "requires, in the session that needs the other one",
        "run-always run-install": "s.run(…), or s.install(…)",
        "install-and-run-script": "s.install(…) and s.run(…)",
        "conda-install": 's.install(…), or an environment of your own with backend="none"',
        "bin-paths virtualenv": "s.bin, s.python and s.interpreter",
        "env-dir": "s.bin.parent",
        "create-tmp": "s.tmp",
        "invoked-from": "s.root",
        "debug info": "s.log(…)",
        "fail": "s.error(…)",
        "success-codes": "ok_codes=(0, …)",
        "check ignore-errors warn": "allow_failure=True",
        "capture capture-output hide": "silent=True",
        "shell": 's.run("sh", "-c", "…", external=True)',
        "include-outer-env": "inherit_env=False, in @session",
        "interrupt-timeout terminate-timeout": "interrupt-grace and terminate-grace, in [tool.setlist]",
    }
)
"""Methods of a session, and arguments of its ``run``."""


def meant(word: str, words: Mapping[str, str], ours: Collection[str]) -> tuple[str | None, str | None]:
    """What another tool's word means here.

    Args:
        word: the word, as it was written.
        words: one of the tables of this module.
        ours: the words that there are here.

    Returns:
        our word, or None; and a hint, or None.
    """
    found = words.get(word.strip().lower().replace("_", "-"))
    return (found, None) if found in ours else (None, found)
