"""Run the tests, and report their coverage."""

from __future__ import annotations

from shutil import rmtree

from setlist import Session, session

PYTHONS = ["3.10", "3.11", "3.12", "3.13", "3.14", "3.15", "3.14t"]

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
    "tests/runner/test_env_file.py",
    "tests/lock/test_pylock.py",
    "tests/providers/nox/test_sessions.py::test_second_run_starts_no_installer",
]
"""Tests that together use every dependency at run time, and take less than a minute."""


@session(python=PYTHONS, groups=["test"], project="editable", tags=["ci"], timeout=HANGING)
def test(s: Session) -> None:
    """Run the quick tests, or the tests that posargs select."""
    s.run("pytest", *(s.posargs or ("-n", _workers(s), "-m", "not network and not slow")))


@session(python="3.11", groups=["test"], project="editable", tags=["ci"], timeout=HANGING)
def slow(s: Session) -> None:
    """Run the slow tests. They don't depend on the Python that runs setlist."""
    # more workers than processors: this session takes longest, and its tests wait for child processes
    s.run("pytest", "-n", "4", "-m", "slow and not network and not thorough", *s.posargs)


@session(python="3.11", groups=["test"], project="editable", tags=["ci"], default=False, timeout="2h")
def thorough(s: Session) -> None:
    """Run the slow tests that 'run slow' leaves out: more variants, and pip."""
    s.run("pytest", "-n", "auto", "-m", "slow and thorough and not network", *s.posargs)


@session(
    python="3.10",
    groups=["test"],
    extras=["cyclonedx", "dotenv"],
    project="wheel",
    resolution="lowest-direct",
    tags=["ci"],
)
def oldest(s: Session) -> None:
    """Run tests that use each dependency, on the oldest Python and with the oldest declared versions."""
    s.run("pytest", "-n", "auto", "-m", "not network", *(s.posargs or USING_DEPENDENCIES))


@session(python="3.11", groups=["test"], project="editable", default=False, timeout="2h")
def coverage(s: Session) -> None:
    """Check that the quick and the slow tests together cover at least 90 %. Takes a quarter of an hour."""
    data = s.cache_dir / "coverage"
    rmtree(data, ignore_errors=True)
    data.mkdir(parents=True)
    s.env["COVERAGE_FILE"] = str(data / "data")
    # failures count in the sessions that aren't measured: measuring makes each start of Python 0.2 s longer
    s.run("pytest", "-n", "4", "-m", "not network and not thorough", "--cov", "--cov-report=", ok_codes=(0, 1))
    s.run("coverage", "report", "--fail-under=90", *s.posargs)


def _workers(s: Session) -> str:
    """How many processes pytest starts: two even for one processor, because the tests wait for child processes."""
    return "2" if s.env.get("PYTEST_XDIST_AUTO_NUM_WORKERS") == "1" else "auto"
