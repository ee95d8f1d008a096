"""How many processors there are for a run, and what each of its sessions is told of its share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from setlist.core import system
from setlist.core.errors import UsageError

SHARE = "SETLIST_CPUS"
"""How many processors a session may use. A run inside of a session divides what it says there."""

XDIST = "PYTEST_XDIST_AUTO_NUM_WORKERS"
"""What ``pytest -n auto`` starts, instead of a worker for each processor (pytest-xdist)."""


def available_cpus(environ: Mapping[str, str]) -> int:
    """How many processors a run may use: what ``SETLIST_CPUS`` says, or those that the system lets us have.

    Raises:
        UsageError: ``SETLIST_CPUS`` is no number.
    """
    told = environ.get(SHARE)
    if told:
        try:
            return _positive(told)
        except ValueError:
            raise UsageError(
                f"{SHARE} is {told!r}", hint="it says how many processors may be used: 1 or more, or leave it unset"
            ) from None
    usable = system.usable_cpus()
    quota = cgroup_quota()
    return usable if quota is None else max(1, min(usable, quota))


def jobs_from(text: str, cpus: int, where: str = "--jobs") -> int:
    """What ``-j`` says: so many sessions at once, or ``auto``: as many as there are processors.

    Args:
        text: the value.
        cpus: the number of processors.
        where: what says it, for messages.

    Raises:
        UsageError: it is neither.
    """
    if text == "auto":
        return cpus
    try:
        return _positive(text)
    except ValueError:
        raise UsageError(
            f"{where} {text}: not a number of sessions", hint="1 or more, or 'auto': as many as there are processors"
        ) from None


def share_of(cpus: int, at_once: int, *, alone: bool) -> int:
    """How many processors one session may use."""
    return cpus if alone else max(1, cpus // max(1, at_once))


def share_environ(cpus: int, at_once: int, *, alone: bool, environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that tell a session its share. None where sessions run one after another: each has all.

    Args:
        cpus: processors that the run may use.
        at_once: how many sessions run at once at most: the jobs, or the sessions of the plan if they are fewer.
        alone: whether this one runs beside no other.
        environ: what it sees otherwise. What is set there for ``pytest -n auto`` stays, unless an outer run did.
    """
    if at_once <= 1:
        return {}
    share = str(share_of(cpus, at_once, alone=alone))
    told = {SHARE: share}
    theirs = environ.get(XDIST)
    if theirs is None or theirs == environ.get(SHARE):
        told[XDIST] = share
    return told


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise ValueError(text)
    return int(text)


def cgroup_quota(root: Path = Path("/")) -> int | None:
    """How many processors' time the control group of a container lets us have, rounded up; None where it doesn't say.

    Args:
        root: where ``proc`` and ``sys`` lie.
    """
    try:
        groups = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    quotas = []
    for line in groups:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers:
            mount, read = root / "sys/fs/cgroup", _quota
        elif "cpu" in controllers.split(","):
            mount, read = root / "sys/fs/cgroup" / controllers, _quota_of_v1
        else:
            continue
        # the limit of a group above holds as well. Inside of a container its own group is the mount's root
        group = mount / path.strip("/")
        quotas += [read(place) for place in (group, *group.parents) if place.is_relative_to(mount)]
    found = [quota for quota in quotas if quota is not None]
    return min(found, default=None)


def _quota(group: Path) -> int | None:
    """``cpu.max`` of cgroup v2: microseconds of each period, or ``max``."""
    try:
        quota, _, period = (group / "cpu.max").read_text(encoding="ascii").partition(" ")
        return max(1, -(-int(quota) // int(period)))
    except (OSError, ValueError, ZeroDivisionError):
        return None


def _quota_of_v1(group: Path) -> int | None:
    try:
        quota = int((group / "cpu.cfs_quota_us").read_text(encoding="ascii"))
        period = int((group / "cpu.cfs_period_us").read_text(encoding="ascii"))
        return max(1, -(-quota // period)) if quota > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None
