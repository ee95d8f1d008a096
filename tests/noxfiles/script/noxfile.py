# /// script
# requires-python = ">=3.10"
# dependencies = ["nox>=2024.3"]
# ///
"""A noxfile that says what it needs, all of which is there."""

import nox

nox.options.pythons = ["3.12"]


@nox.session(python=["3.11", "3.12"])
def tests(session: nox.Session) -> None:
    session.run("python", "-V")


@nox.session
def lint(session: nox.Session) -> None:
    session.run("python", "-V")
