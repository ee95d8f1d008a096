"""One version of a package for all sessions, where their requirements allow it (``lock-consistent``).

Sessions are resolved together first, as many as allow it. What that comes to is what each session's own resolution
prefers, so that a lock holds what its session needs and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from setlist.core.errors import ResolutionFailed
from setlist.core.model import SessionSpec
from setlist.core.project import Project
from setlist.core.records import replace
from setlist.environment.installers import InstallerSettings
from setlist.environment.requirements import Requirements
from setlist.lock.inputs import LockInputs
from setlist.lock.resolve import ResolveOptions, resolve

Member = tuple[SessionSpec, LockInputs]


def common_versions(
    project: Project, members: Sequence[Member], installer: InstallerSettings, wish: ResolveOptions
) -> dict[str, str]:
    """For each session that could be resolved together with others: the requirement lines to prefer.

    Args:
        project: whose sessions they are.
        members: the sessions, with what their locks are made from.
        installer: how to run the resolver; the sessions' indexes and dates are put in.
        wish: how much may move.

    Raises:
        Interrupted: a signal reached us.
    """
    partitions: dict[tuple[str | None, str | None], list[Member]] = {}
    for session, inputs in members:
        # The lowest versions can't be the highest ones: such a session is on its own
        if session.environment.resolution == "highest":
            key = (session.environment.index_url, session.environment.exclude_newer)
            partitions.setdefault(key, []).append((session, inputs))
    found: dict[str, str] = {}
    previous = wish.previous
    for (index_url, exclude_newer), partition in partitions.items():
        settings = replace(installer, index_url=index_url, exclude_newer=exclude_newer)
        together, body = _together(project, partition, settings, replace(wish, previous=previous))
        found |= {session.name: body for session, _ in together}
        previous = body + (previous or "")
    return found


def _together(
    project: Project, members: Sequence[Member], installer: InstallerSettings, wish: ResolveOptions
) -> tuple[list[Member], str]:
    """As many of the sessions as can be resolved at once, in their order, and what they resolve to."""
    alike: dict[str, list[Member]] = {}
    for session, inputs in members:
        asked = inputs.requirements
        what = (asked.lines, asked.files, asked.constraints, asked.project_line, asked.hashes, asked.sourced)
        alike.setdefault(repr(what), []).append((session, inputs))
    together: list[Member] = []
    body = ""
    # those that ask for the same, on several Pythons, stand or fall as one
    waiting = [list(alike.values())]
    while waiting:
        candidates = waiting.pop(0)
        try:
            added = [member for group in candidates for member in group]
            answer = resolve(project, _union([*together, *added]), installer, wish)
        except ResolutionFailed:
            if len(candidates) > 1:
                # Halves, the first before the second: whatever fits is found in few attempts
                middle = len(candidates) // 2
                waiting = [candidates[:middle], candidates[middle:], *waiting]
            continue
        together += added
        body = answer.body
    return together, body


def _union(members: Sequence[Member]) -> LockInputs:
    """What several sessions ask for, as one."""
    union = Requirements()
    extras: dict[str, None] = {}
    for session, inputs in members:
        asked = inputs.requirements
        union.lines += [line for line in asked.lines if line not in union.lines]
        union.files += [path for path in asked.files if path not in union.files]
        union.constraints += [path for path in asked.constraints if path not in union.constraints]
        union.sourced += [sourced for sourced in asked.sourced if sourced not in union.sourced]
        union.hashes += [hashes for hashes in asked.hashes if hashes not in union.hashes]
        union.require_hashes = union.require_hashes or asked.require_hashes
        if asked.project_line is not None:
            extras |= dict.fromkeys(session.environment.extras)
            union.project_line = asked.project_line
            union.project_names = asked.project_names
    if union.project_line is not None:
        # One line with every extra: the same directory under two spellings is a conflict
        line = re.sub(r"\[[^\]]*\]", "", union.project_line)
        name, at, place = line.partition(" @ ")
        wanted = f"[{','.join(extras)}]" if extras else ""
        union.project_line = f"{name}{wanted} @ {place}" if at else f"{line}{wanted}"
    oldest = min((inputs.python for _, inputs in members), key=lambda version: tuple(map(int, version.split("."))))
    return LockInputs({}, union, oldest, None, ())
