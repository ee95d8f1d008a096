"""What is published: it builds, says the right things of itself, and works once installed."""

from __future__ import annotations

from shutil import rmtree

from setlist import Session, session


@session(deps=["build", "twine"], default=False)
def build(s: Session) -> None:
    """Build the wheel and the sdist into dist/, and check what they say of themselves."""
    dist = s.root / "dist"
    rmtree(dist, ignore_errors=True)
    s.run("python", "-m", "build", "--outdir", dist)
    s.run("twine", "check", "--strict", *sorted(dist.iterdir()))


@session(project="wheel", default=False)
def smoke(s: Session) -> None:
    """Start what the wheel installs, where nothing of the checkout is in sight."""
    s.cd(s.tmp)
    s.run("run", "--version")
    s.run("setlist", "--help")
