"""One function, one session per Python."""

from __future__ import annotations

from setlist import Session, session


@session(python=["3.10", "3.11", "3.12", "3.13"], tags=["quick"])
def versions(s: Session) -> None:
    """Print the version of each Python, twice: as a command prints it, and as setlist knows it."""
    said = s.run("python", "--version", silent=True).strip()
    s.log(f"{said}, found {s.interpreter.found}")
