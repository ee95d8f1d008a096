"""What others do to an environment is noticed; what it does to itself is not."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from setlist.core.system import bin_directory
from setlist.environment.requirement_lines import normalised
from setlist.environment.snapshot import compare, drifted, keep_caches_apart, look
from setlist.environment.state import Contents


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    site = tmp_path / "lib" / "site-packages"
    for name in ("alpha-1.0.dist-info", "My_Pkg-2.1.dist-info"):
        (site / name).mkdir(parents=True)
        (site / name / "RECORD").write_text("")
    (site / "alpha.py").write_text("")
    (site / "hook.pth").write_text("import alpha\n")
    bin_directory(tmp_path).mkdir()
    (bin_directory(tmp_path) / "tool").write_text("")
    return tmp_path


def contents(environment: Path) -> Contents:
    return look(environment, (environment / "lib" / "site-packages",))


def test_packages_are_told_by_their_dist_info(environment: Path) -> None:
    assert {name: version for name, (version, _) in contents(environment).packages.items()} == {
        "alpha": "1.0",
        "my-pkg": "2.1",
    }


def test_an_untouched_environment_has_not_drifted(environment: Path) -> None:
    recorded = contents(environment)
    assert not drifted(environment, recorded)
    assert not compare(recorded, contents(environment))


def test_bytecode_is_no_drift(environment: Path) -> None:
    recorded = contents(environment)
    (environment / "lib" / "site-packages" / "__pycache__").mkdir()
    assert drifted(environment, recorded)  # a stat can't tell …
    assert not compare(recorded, contents(environment))  # … but a look can


def test_with_caches_apart_the_first_import_touches_nothing_that_is_watched(environment: Path) -> None:
    site = environment / "lib" / "site-packages"
    keep_caches_apart((site,))
    recorded = contents(environment)
    (site / "__pycache__" / "alpha.cpython-311.pyc").write_text("")
    assert not drifted(environment, recorded)


def test_an_added_package_is_drift(environment: Path) -> None:
    recorded = contents(environment)
    (environment / "lib" / "site-packages" / "six-1.0.dist-info").mkdir()
    assert drifted(environment, recorded)
    assert compare(recorded, contents(environment)).packages == ("six",)


def test_a_removed_package_is_drift(environment: Path) -> None:
    recorded = contents(environment)
    shutil.rmtree(environment / "lib" / "site-packages" / "alpha-1.0.dist-info")
    assert compare(recorded, contents(environment)).packages == ("alpha",)


def test_the_same_version_installed_again_is_drift(environment: Path) -> None:
    recorded = contents(environment)
    record = environment / "lib" / "site-packages" / "alpha-1.0.dist-info" / "RECORD"
    record.unlink()
    record.write_text("another")
    assert compare(recorded, contents(environment)).packages == ("alpha",)


@pytest.mark.parametrize("name", ["lib/site-packages/alpha.py", "lib/site-packages/hook.pth", "tool"])
def test_a_missing_file_is_foreign_drift(environment: Path, name: str) -> None:
    recorded = contents(environment)
    path = bin_directory(environment) / "tool" if name == "tool" else environment / name
    path.unlink()
    drift = compare(recorded, contents(environment))
    assert not drift.packages
    assert drift.foreign == (path.relative_to(environment).as_posix(),)


def test_an_edited_pth_file_is_foreign_drift(environment: Path) -> None:
    recorded = contents(environment)
    hook = environment / "lib" / "site-packages" / "hook.pth"
    hook.write_text("import evil\n")
    os.utime(hook, ns=(1, 1))
    assert compare(recorded, contents(environment)).foreign == ("lib/site-packages/hook.pth",)


def test_a_missing_directory_is_seen(environment: Path) -> None:
    recorded = contents(environment)
    shutil.rmtree(bin_directory(environment))
    assert drifted(environment, recorded)
    assert compare(recorded, contents(environment)).foreign


@pytest.mark.parametrize(
    ("name", "normal"), [("My_Pkg", "my-pkg"), ("a.b", "a-b"), ("a_-.b", "a-b"), ("plain", "plain")]
)
def test_names_are_normalised(name: str, normal: str) -> None:
    assert normalised(name) == normal
