"""The verbs of ``setlist``: which there are, and what each is for."""

from __future__ import annotations

VERBS: dict[str, str] = {
    "run": "run sessions: the same as the command 'run'",
    "list": "show the sessions",
    "why": "what an environment was made from, and what has changed since",
    "lock": "write lock files: exact versions and hashes, one file a session",
    "fetch": "download what locks name, for machines without a network",
    "ci": "the job matrix of a CI, made from the sessions",
    "export": "a session's lock as a requirements file, as pylock, or as a CycloneDX BOM",
    "freeze": "the exact versions that sessions run with, as requirements files",
    "shell": "a subshell with a session's environment activated",
    "exec": "run a command in a session's environment",
    "env": "where a session's environment lies, and how to activate it",
    "last": "what a session printed when it last ran",
    "history": "the past runs: when, how long, what failed, what is flaky",
    "clean": "remove environments",
    "doctor": "what is wrong with this set-up, and what to do",
    "nox": "run a noxfile's sessions by nox's own command line",
    "import": "write what a noxfile defines as [tool.setlist]",
    "init": "write a first [tool.setlist] for this project",
}
"""Every verb with its line of help, in the order in which they are shown."""
