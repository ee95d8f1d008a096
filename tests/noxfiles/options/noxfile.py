"""What a noxfile says of the whole run."""

import os

import nox

nox.needs_version = ">=2024.3"
nox.options.sessions = ["second", "first-3.12", "third"]
nox.options.stop_on_first_error = True
nox.options.error_on_missing_interpreters = False
nox.options.error_on_external_run = True
nox.options.reuse_existing_virtualenvs = True
nox.options.reuse_venv = "yes"
nox.options.default_venv_backend = os.environ.get("NOXFILE_BACKEND", "uv|virtualenv")
nox.options.force_venv_backend = None
nox.options.download_python = "never"
nox.options.envdir = ".nox-envs"
nox.options.verbose = False
nox.options.report = None
nox.options.parallel = None
nox.options.allow_parallel = False


@nox.session(python=["3.11", "3.12"], tags=["a"])
def first(session: nox.Session) -> None:
    session.run("python", "-V")


@nox.session(tags=["a", "b"], allow_parallel=True)
def second(session: nox.Session) -> None:
    """The second."""
    session.run("python", "-V")


@nox.session(reuse_venv=False, requires=["fourth"])
def third(session: nox.Session) -> None:
    session.run("python", "-V")


@nox.session(download_python="never")
def fourth(session: nox.Session) -> None:
    session.run("python", "-V")
