"""How many processors a run has, and what its sessions are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from setlist.core import system
from setlist.core.errors import UsageError
from setlist.runner.cpus import available_cpus, cgroup_quota, jobs_from, share_environ


def test_an_outer_run_says_how_many_there_are() -> None:
    assert available_cpus({"SETLIST_CPUS": "3"}) == 3


def test_otherwise_those_that_the_system_lets_us_have() -> None:
    assert 1 <= available_cpus({"SETLIST_CPUS": ""}) <= system.usable_cpus()


@pytest.mark.parametrize("told", ["0", "-1", "two", "1.5", "²"])
def test_nonsense_is_the_users_mistake(told: str) -> None:
    with pytest.raises(UsageError, match="SETLIST_CPUS is"):
        available_cpus({"SETLIST_CPUS": told})
    with pytest.raises(UsageError, match=r"--jobs .*: not a number of sessions"):
        jobs_from(told, 4)


def test_jobs_are_a_number_or_as_many_as_there_are_processors() -> None:
    assert jobs_from("3", 8) == 3
    assert jobs_from("auto", 8) == 8


def test_sessions_at_once_share_the_processors() -> None:
    told = share_environ(8, 3, alone=False, environ={})
    assert told == {"SETLIST_CPUS": "2", "PYTEST_XDIST_AUTO_NUM_WORKERS": "2"}
    assert share_environ(2, 4, alone=False, environ={})["SETLIST_CPUS"] == "1"


def test_one_that_runs_alone_has_all() -> None:
    assert share_environ(8, 3, alone=True, environ={})["PYTEST_XDIST_AUTO_NUM_WORKERS"] == "8"


def test_one_after_another_there_is_nothing_to_tell() -> None:
    assert share_environ(8, 1, alone=False, environ={}) == {}


def test_what_the_user_set_stays_and_what_an_outer_run_set_does_not() -> None:
    theirs = {"PYTEST_XDIST_AUTO_NUM_WORKERS": "5"}
    assert share_environ(8, 2, alone=False, environ=theirs) == {"SETLIST_CPUS": "4"}
    outer = {"PYTEST_XDIST_AUTO_NUM_WORKERS": "8", "SETLIST_CPUS": "8"}
    assert share_environ(8, 2, alone=False, environ=outer)["PYTEST_XDIST_AUTO_NUM_WORKERS"] == "4"


def test_the_quota_of_a_container(tmp_path: Path) -> None:
    written(tmp_path, "proc/self/cgroup", "0::/\n")
    assert cgroup_quota(tmp_path) is None
    written(tmp_path, "sys/fs/cgroup/cpu.max", "max 100000\n")
    assert cgroup_quota(tmp_path) is None
    written(tmp_path, "sys/fs/cgroup/cpu.max", "150000 100000\n")
    assert cgroup_quota(tmp_path) == 2


def test_the_quota_of_a_group_above_holds_too(tmp_path: Path) -> None:
    written(tmp_path, "proc/self/cgroup", "0::/system.slice/ci.service\n")
    written(tmp_path, "sys/fs/cgroup/system.slice/cpu.max", "300000 100000\n")
    written(tmp_path, "sys/fs/cgroup/system.slice/ci.service/cpu.max", "max 100000\n")
    assert cgroup_quota(tmp_path) == 3


def test_the_older_control_groups(tmp_path: Path) -> None:
    written(tmp_path, "proc/self/cgroup", "5:memory:/docker/x\n4:cpu,cpuacct:/docker/x\n")
    group = "sys/fs/cgroup/cpu,cpuacct"
    written(tmp_path, f"{group}/cpu.cfs_quota_us", "-1\n")
    written(tmp_path, f"{group}/cpu.cfs_period_us", "100000\n")
    assert cgroup_quota(tmp_path) is None
    written(tmp_path, f"{group}/cpu.cfs_quota_us", "50000\n")
    assert cgroup_quota(tmp_path) == 1


def test_no_control_groups(tmp_path: Path) -> None:
    assert cgroup_quota(tmp_path) is None


def written(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="ascii")
