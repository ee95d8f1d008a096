"""Run the tests, and report their coverage."""

from __future__ import annotations

from pathlib import Path
from shutil import rmtree

from setlist import Session, session

PYTHONS = ["3.10", "3.11", "3.12", "3.13"]
MEASURED = "3.10"
"""The Python on which coverage is measured."""

HANGING = "2h"
"""A timeout that even a busy machine doesn't exceed unless a test hangs."""

USING_DEPENDENCIES = [
    "tests/providers/nox/test_listing.py",
    "tests/cli/test_context.py",
    "tests/cli/test_export.py",
    "tests/cli/test_list.py",
    "tests/cli/test_nox.py::test_exit_codes_are_noxs",
    "tests/e2e/test_nox.py::test_nox_runs_one_in_the_same_environment",
    "tests/environment/test_virtualenv.py::test_what_is_laid_out_is_what_virtualenv_would_have_made",
    "tests/environment/test_user_cache.py",
    "tests/lock/test_pylock.py",
    "tests/providers/nox/test_sessions.py::test_second_run_starts_no_installer",
]
"""Tests that together use every dependency at run time, and take less than a minute."""


@session(python=PYTHONS, groups=["test"], project="editable", tags=["ci"], timeout=HANGING)
def test(s: Session) -> None:
    """Run the quick tests, with coverage on Python 3.10; or the tests that posargs select."""
    if s.posargs:
        s.run("pytest", *s.posargs)
    elif s.python != MEASURED:
        s.run("pytest", "-n", _workers(s), "-m", "not network and not slow")
    else:
        measured = _measurements(s)
        rmtree(measured, ignore_errors=True)
        measured.mkdir(parents=True)
        environ = {"COVERAGE_FILE": str(measured / "data")}
        s.run("pytest", "-n", _workers(s), "-m", "not network and not slow", "--cov", "--cov-report=", env=environ)


@session(python="3.11", groups=["test"], project="editable", tags=["ci"], timeout=HANGING)
def slow(s: Session) -> None:
    """Run the slow tests. They don't depend on the Python that runs setlist."""
    # more workers than processors: this session takes longest, and its tests wait for child processes
    s.run("pytest", "-n", "4", "-m", "slow and not network and not thorough", *s.posargs)


@session(python="3.11", groups=["test"], project="editable", tags=["ci"], default=False, timeout="2h")
def thorough(s: Session) -> None:
    """Run the slow tests that 'run slow' leaves out: more variants, and pip."""
    s.run("pytest", "-n", "auto", "-m", "slow and thorough and not network", *s.posargs)


@session(python="3.10", groups=["test"], extras=["cyclonedx"], project="wheel", resolution="lowest-direct", tags=["ci"])
def oldest(s: Session) -> None:
    """Run tests that use each dependency, on the oldest Python and with the oldest declared versions."""
    s.run("pytest", "-n", "auto", "-m", "not network", *(s.posargs or USING_DEPENDENCIES))


@session(deps=["coverage[toml]>=7.10"], tags=["ci"], default=False)
def coverage(s: Session) -> None:
    """Check that the quick tests covered at least 70 % of all branches when 'run test-py310' last ran.

    Child processes aren't measured: that makes each start of Python 0.2 s longer. The slow tests, which start setlist
    as users do, cover most of the rest.
    """
    data = sorted(_measurements(s).glob("data*"))
    if not data:
        s.error("there are no measurements: run 'run test-py310' first")
    s.env["COVERAGE_FILE"] = str(s.tmp / "combined")
    s.run("coverage", "combine", "--keep", "--quiet", *data)
    s.run("coverage", "report", "--fail-under=70", *s.posargs)


def _workers(s: Session) -> str:
    """How many processes pytest starts: two even for one processor, because the tests wait for child processes."""
    return "2" if s.env.get("PYTEST_XDIST_AUTO_NUM_WORKERS") == "1" else "auto"


def _measurements(s: Session) -> Path:
    return s.cache_dir / "coverage"
