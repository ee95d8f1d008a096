"""The machines that wheels are fetched for: which markers hold there, and which wheels fit."""

from __future__ import annotations

import platform
import sys

import pytest

from setlist.core.errors import UsageError
from setlist.core.model import Interpreter
from setlist.lock.targets import PLATFORMS, check_platforms, check_pythons, elsewhere, here

WHEELS = {
    "linux-x86_64": "cp312-cp312-manylinux_2_17_x86_64",
    "linux-aarch64": "cp312-cp312-manylinux2014_aarch64",
    "linux-musl-x86_64": "cp312-cp312-musllinux_1_2_x86_64",
    "linux-musl-aarch64": "cp312-cp312-musllinux_1_1_aarch64",
    "macos-x86_64": "cp312-cp312-macosx_10_9_universal2",
    "macos-arm64": "cp312-cp312-macosx_14_0_arm64",
    "windows-amd64": "cp312-cp312-win_amd64",
    "windows-arm64": "cp312-cp312-win_arm64",
}


@pytest.mark.parametrize("name", PLATFORMS)
def test_a_platform_takes_its_own_wheels_and_no_others(name: str) -> None:
    fitting = elsewhere(name, "3.12").fitting()
    taken = {other for other, tag in WHEELS.items() if tag in fitting}
    # universal2 wheels fit both Macs
    assert taken == ({"macos-x86_64", "macos-arm64"} if name == "macos-arm64" else {name})
    assert "py3-none-any" in fitting


@pytest.mark.parametrize(
    ("request_", "fits", "does_not"),
    [
        ("3.12", "cp312-cp312-win_amd64", "cp311-cp311-win_amd64"),
        ("3.12", "cp38-abi3-win_amd64", "cp313-abi3-win_amd64"),
        ("3.13t", "cp313-cp313t-win_amd64", "cp313-cp313-win_amd64"),
        ("pypy3.11", "pp311-pypy311_pp73-win_amd64", "cp311-cp311-win_amd64"),
    ],
)
def test_a_python_takes_the_wheels_of_its_abi(request_: str, fits: str, does_not: str) -> None:
    fitting = elsewhere("windows-amd64", request_).fitting()
    assert fits in fitting
    assert does_not not in fitting


@pytest.mark.parametrize("name", ["linux-x86_64", "macos-arm64"])
def test_the_wheel_for_the_older_system_is_the_better_one(name: str) -> None:
    tags = elsewhere(name, "3.12").platforms
    older, newer = {
        "linux-x86_64": ("manylinux_2_17_x86_64", "manylinux_2_34_x86_64"),
        "macos-arm64": ("macosx_11_0_arm64", "macosx_15_0_arm64"),
    }[name]
    assert tags.index(older) < tags.index(newer)


@pytest.mark.parametrize(
    ("marker", "wanted"),
    [
        ("sys_platform == 'win32'", {"windows-amd64", "windows-arm64"}),
        ("platform_machine == 'AMD64'", {"windows-amd64"}),
        ("os_name == 'posix' and platform_system != 'Darwin'", {name for name in PLATFORMS if "linux" in name}),
        ("python_version < '3.12'", set()),
        ("implementation_name == 'cpython'", set(PLATFORMS)),
        ("", set(PLATFORMS)),
        ("not a marker", set(PLATFORMS)),
    ],
)
def test_markers_are_asked_of_the_other_machine(marker: str, wanted: set[str]) -> None:
    assert {name for name in PLATFORMS if elsewhere(name, "3.12").needs(marker)} == wanted


def test_a_marker_between_two_patch_releases_counts_for_both_where_the_release_isnt_known() -> None:
    for marker in ("python_full_version < '3.12.4'", "python_full_version >= '3.12.4'"):
        assert elsewhere("linux-x86_64", "3.12").needs(marker)
    assert not elsewhere("linux-x86_64", "3.12.1").needs("python_full_version >= '3.12.4'")


def test_this_machine_is_what_it_says_it_is() -> None:
    version = platform.python_version()
    own = here(Interpreter(sys.executable, version, "cpython", False, platform.machine(), "", ""), "ignored")
    assert own.release == version
    assert own.needs(f"sys_platform == '{sys.platform}' and platform_machine == '{platform.machine()}'")
    assert here(None, "3.9").label == "this machine, python 3.9"


def test_an_unknown_platform_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="no such platform") as caught:
        check_platforms(("linux-x86_64", "linux-x86-64"))
    assert caught.value.hint == "did you mean 'linux-x86_64'?"
    with pytest.raises(UsageError) as caught:
        check_platforms(("zzz",))
    assert "windows-arm64" in (caught.value.hint or "")


@pytest.mark.parametrize("request_", ["3", ">=3.10", "./python"])
def test_a_python_that_is_no_minor_version_is_refused(request_: str) -> None:
    with pytest.raises(UsageError, match="not one minor version"):
        check_pythons((request_,))
