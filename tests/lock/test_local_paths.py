"""Local directories in a lock: relative where it is kept, absolute where it is used."""

from __future__ import annotations

from pathlib import Path

import pytest

from setlist.lock.local_paths import absolute, relative

ROOT = Path("/home/ann lee/project")
URI = "file:///home/ann%20lee"


@pytest.mark.parametrize(
    ("resolved", "kept", "used"),
    [
        (f"one @ {URI}/project/libs/one", "./libs/one", f"{URI}/project/libs/one"),
        (f"one[x] @ {URI}/project/libs/one", "./libs/one[x]", f"{URI}/project/libs/one[x]"),
        ("/home/ann lee/project/libs/one[x]", "./libs/one[x]", f"{URI}/project/libs/one[x]"),
        (f"-e {URI}/two", "-e ../two", f"-e {URI}/two"),
        ("./my dir/a.whl \\", "./my dir/a.whl \\", f"{URI}/project/my%20dir/a.whl \\"),
        (f"a @ {URI}/a.whl ; os_name == 'nt' \\", "../a.whl ; os_name == 'nt' \\", f"{URI}/a.whl ; os_name == 'nt' \\"),
        (f"{URI}/project", ".", f"{URI}/project"),
    ],
)
def test_a_local_path_is_kept_relative_and_used_absolute(resolved: str, kept: str, used: str) -> None:
    assert relative(resolved, ROOT) == f"{kept}\n"
    assert absolute(f"{kept}\n", ROOT) == f"{used}\n"


@pytest.mark.parametrize(
    "line", ["alpha==1.0 \\", "    --hash=sha256:00", "a @ git+file:///r@c", "a @ https://h/a.whl \\", "# ./x", ""]
)
def test_any_other_line_is_left_alone(line: str) -> None:
    assert relative(f"{line}\n", ROOT) == absolute(f"{line}\n", ROOT) == f"{line}\n"
