"""The tests, and how much of setlist they see."""

from __future__ import annotations

from pathlib import Path
from shutil import rmtree

from setlist import Session, session

PYTHONS = ["3.10", "3.11", "3.12", "3.13"]
WHOLE = "3.11"
"""On which all tests run, and are measured; on the others those marked ``slow`` are left out: what takes them so long
(environments being made, signals, shells, indexes) doesn't depend on the Python that runs setlist."""


@session(python=PYTHONS, groups=["test"], project="editable", tags=["ci"], timeout="20m")
def test(s: Session) -> None:
    """Run the tests: all, measured, on Python 3.11, the quick ones on the others; or those that posargs choose."""
    if s.posargs:
        s.run("pytest", *s.posargs)
    elif s.python != WHOLE:
        s.run("pytest", "-n", "auto", "-m", "not network and not slow")
    else:
        measured = _measurements(s)
        rmtree(measured, ignore_errors=True)
        measured.mkdir(parents=True)
        s.run("pytest", "-n", "auto", "--cov", "--cov-report=", env={"COVERAGE_FILE": str(measured / "data")})


@session(deps=["coverage[toml]>=7.10"], tags=["ci"], default=False)
def coverage(s: Session) -> None:
    """Judge what the latest 'run test-py311' measured: at least 90 % of all branches."""
    data = sorted(_measurements(s).glob("data*"))
    if not data:
        s.error("nothing was measured yet: 'run test-py311' does")
    s.env["COVERAGE_FILE"] = str(s.tmp / "combined")
    s.run("coverage", "combine", "--keep", "--quiet", *data)
    s.run("coverage", "report", "--fail-under=90", *s.posargs)


def _measurements(s: Session) -> Path:
    return s.cache_dir / "coverage"
