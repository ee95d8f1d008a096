"""How sessions come by their names."""

import functools
from typing import Any

import nox


def traced(function: Any) -> Any:
    """A decorator of the author's own, between nox's and the function."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


@nox.session
def bare(session: nox.Session) -> None:
    """One line.

    And more, which isn't shown.
    """
    session.run("python", "-V")


@nox.session(python="3.11", tags=["quick"])
def single(session: nox.Session) -> None:
    session.run("python", "-V")


@nox.session(py=["3.11", "3.12", "pypy3.10"], tags=["ci", "slow"])
def listed(session: nox.Session) -> None:
    """On each Python."""
    session.run("python", "-V")


@nox.session(python=["3.11", "3.12"])
@nox.parametrize("django", ["3.2", "4.0"])
def web(session: nox.Session, django: str) -> None:
    """With each Django."""
    session.run("python", "-c", f"print({django!r})")


@nox.session
@nox.parametrize("db,size", [("sqlite", 1), ("post gres", 2)])
@nox.parametrize("mode", ["fast", None], ids=["quick", None])
def mixed(session: nox.Session, db: str, size: int, mode: str) -> None:
    session.run("python", "-c", f"print({db!r}, {size!r}, {mode!r})")


@nox.session
@nox.parametrize("python,dep", [("3.11", "a"), ("3.12", "b")])
def paired(session: nox.Session, dep: str) -> None:
    session.run("python", "-c", f"print({dep!r})")


@nox.session
@nox.parametrize("level", [nox.param(1, id="one", tags=["low"]), nox.param(2, tags=["high"]), 3], tags=None)
def tagged(session: nox.Session, level: int) -> None:
    session.run("python", "-c", f"print({level})")


@nox.session(name="docs(style)", tags=["docs"])
@traced
def docs_style(session: nox.Session) -> None:
    """A name with parentheses."""
    session.run("python", "-V")


@nox.session(name="docs-style", default=False)
def docs_style_again(session: nox.Session) -> None:
    """One that is spelled as another comes out."""
    session.run("python", "-V")


@nox.session(default=False, requires=["listed", "web-3.11(django='4.0')"])
def report(session: nox.Session) -> None:
    session.run("python", "-V")


@nox.session(python=["3.11", "3.12"], default=False, requires=["listed-{python}", "bare"])
def combined(session: nox.Session) -> None:
    session.run("python", "-V")


@nox.session
@nox.parametrize("nothing", [])
def hollow(session: nox.Session, nothing: str) -> None:
    session.run("python", "-V")


for number in range(2):

    @nox.session(name=f"made_{number}", default=bool(number))
    def made(session: nox.Session, number: int = number) -> None:
        """Made in a loop."""
        session.run("python", "-c", f"print({number})")


if __name__ == "__main__":
    nox.main()
