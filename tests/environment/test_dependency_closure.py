"""Whether an environment holds what the project under test requires."""

from __future__ import annotations

import zipfile
from pathlib import Path

from setlist.core.model import Interpreter
from setlist.environment.dependency_closure import unmet
from support.wheels import make_wheel

PYTHON = Interpreter("/python", "3.9.1", "cpython", False, "x86_64", "0:0:0", "on PATH")


def test_each_unmet_requirement_is_told_with_what_is_there_instead(tmp_path: Path) -> None:
    site = tmp_path / "site"
    requires = [
        "alpha>=1",
        "beta<2",
        "Gone-Away",
        "older ; python_version < '3.10'",
        "newer ; python_version >= '3.10'",
        "pypys ; implementation_name == 'pypy'",
        "demo[more]",
        "placed @ https://h.invalid/placed.whl",
        "overruled<1",
    ]
    wheels = [
        make_wheel(tmp_path, "demo", "1.0", requires=requires, extras={"more": ["delta>1"], "less": ["epsilon"]}),
        make_wheel(tmp_path, "alpha", "1.0rc1"),
        make_wheel(tmp_path, "beta", "2.0"),
        make_wheel(tmp_path, "delta", "1.0"),
        make_wheel(tmp_path, "placed", "1.0"),
        make_wheel(tmp_path, "overruled", "1.0"),
    ]
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(site)
    assert unmet([site], {"demo"}, ["more"], PYTHON, without={"overruled"}) == (
        "alpha>=1, and there is alpha 1.0rc1",
        "beta<2, and there is beta 2.0",
        "Gone-Away, and there is no Gone-Away",
        "older, and there is no older",
        "delta>1, and there is delta 1.0",
    )
    assert unmet([site], {"alpha"}, [], PYTHON) == ()
