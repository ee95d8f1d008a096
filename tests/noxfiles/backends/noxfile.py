"""What environments are made by."""

import nox

nox.options.keywords = "not none and not conda"


@nox.session(venv_backend="virtualenv", venv_params=["--no-periodic-update"])
def by_virtualenv(session: nox.Session) -> None:
    session.run("python", "-V")


@nox.session(venv_backend="venv", reuse_venv=True)
def by_venv(session: nox.Session) -> None:
    session.run("python", "-V")


@nox.session(venv_backend="uv", venv_params=["--seed"], python="3.11")
def by_uv(session: nox.Session) -> None:
    session.run("python", "-V")


@nox.session(venv_backend="mamba|micromamba|conda", python=["3.11"])
def by_conda(session: nox.Session) -> None:
    session.run("python", "-V")


@nox.session(venv_backend="none", python=["3.11", "3.12"])
def by_none(session: nox.Session) -> None:
    session.run("python", "-V", external=True)


@nox.session(python=False)
def without_python(session: nox.Session) -> None:
    session.run("python", "-V", external=True)
