"""Build the distributions, check their metadata, and try the installed wheel."""

from __future__ import annotations

from shutil import rmtree

from setlist import Session, session


@session(deps=["build", "twine"], default=False)
def build(s: Session) -> None:
    """Build the wheel and the sdist into dist/, and check their metadata."""
    dist = s.root / "dist"
    rmtree(dist, ignore_errors=True)
    s.run("python", "-m", "build", "--outdir", dist)
    s.run("twine", "check", "--strict", *sorted(dist.iterdir()))


@session(project="wheel", default=False)
def smoke(s: Session) -> None:
    """Start the commands of the installed wheel, outside of the checkout."""
    s.cd(s.tmp)
    s.run("run", "--version")
    s.run("setlist", "--help")
