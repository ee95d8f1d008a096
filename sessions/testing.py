"""The tests, and how much of setlist they see."""

from __future__ import annotations

from pathlib import Path
from shutil import rmtree

from setlist import Session, session

PYTHONS = ["3.10", "3.11", "3.12", "3.13"]


@session(python=PYTHONS, groups=["test"], project="editable", tags=["ci"], timeout="10m")
def test(s: Session) -> None:
    """Run the tests; measured, unless posargs choose among them."""
    if s.posargs:
        s.run("pytest", *s.posargs)
        return
    measured = _measurements(s) / s.name
    rmtree(measured, ignore_errors=True)
    measured.mkdir(parents=True)
    s.run("pytest", "-n", "auto", "--cov", "--cov-report=", env={"COVERAGE_FILE": str(measured / "data")})


@session(deps=["coverage[toml]>=7.10"], tags=["ci"], default=False)
def coverage(s: Session) -> None:
    """Judge what the latest 'run test' measured: at least 90 % of all branches."""
    data = sorted(_measurements(s).glob("*/data*"))
    if not data:
        s.error("nothing was measured yet: 'run test' does")
    s.env["COVERAGE_FILE"] = str(s.tmp / "combined")
    s.run("coverage", "combine", "--keep", "--quiet", *data)
    s.run("coverage", "report", "--fail-under=90", *s.posargs)


def _measurements(s: Session) -> Path:
    return s.cache_dir / "coverage"
