"""What is left out of a universal resolution, and what isn't."""

from __future__ import annotations

import pytest

from setlist.lock.marker_pruning import narrowed

HASHES = " \\\n    --hash=sha256:00 \\\n    --hash=sha256:11"


@pytest.mark.parametrize(
    ("marker", "platforms", "only", "kept"),
    [
        ("sys_platform == 'win32'", ("linux",), None, False),
        ("sys_platform == 'win32'", ("linux", "windows"), None, True),
        ("platform_system != 'Windows'", ("windows",), None, False),
        ("os_name == 'nt'", ("macos",), None, False),
        ("sys_platform == 'darwin' and platform_machine == 'arm64'", ("macos",), None, True),
        # a machine that nobody thought of
        ("platform_machine == 'loongarch64'", ("linux",), None, True),
        ("platform_machine == 'x86' and platform_machine == 'arm64'", ("linux",), None, False),
        ("python_full_version < '3.11'", (), "3.11", False),
        ("python_full_version < '3.11.4'", (), "3.11", True),
        ("python_full_version >= '3.11.4'", (), "3.11", True),
        ("python_version >= '3.12'", ("linux",), None, True),
        ("python_version < '3.10'", ("linux",), None, False),
        ("implementation_name == 'pypy'", ("linux",), "3.11", True),
        ("implementation_name == 'pypy' and platform_python_implementation == 'CPython'", ("linux",), None, False),
        # no platform is named: a system that isn't in the table may be meant
        ("sys_platform == 'cygwin'", (), "3.11", True),
        ("sys_platform == 'cygwin'", ("linux",), None, False),
        ("platform_release >= '20'", ("linux",), None, True),
        ("not a marker", ("linux",), None, True),
    ],
)
def test_markers(marker: str, platforms: tuple[str, ...], only: str | None, kept: bool) -> None:
    body = f"alpha==1.0 ; {marker}{HASHES}\nbeta==1.0{HASHES}\n"
    expected = body if kept else f"beta==1.0{HASHES}\n"
    assert narrowed(body, platforms, only or "3.10", only) == expected


def test_everything_stays_in_a_lock_for_all() -> None:
    body = f"alpha==1.0 ; sys_platform == 'plan9'{HASHES}\n"
    assert narrowed(body, (), "3.8", None) == body
