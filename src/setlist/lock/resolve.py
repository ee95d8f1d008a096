"""Resolve a session's requirements for every platform and Python that its lock covers.

The resolver is uv, whichever installer the session has: pip resolves only for the machine that it runs on. With
``lock-consistent``, sessions are also resolved together, as many as allow it. Each session's own resolution prefers
these common versions, so its lock contains what the session needs and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from setlist.core.errors import ResolutionFailed
from setlist.core.files import temporary_directory
from setlist.core.model import Resolution, SessionSpec
from setlist.core.project import Project
from setlist.core.records import dataclass, replace
from setlist.environment.installers import InstallerSettings, ResolveRequest, Uv
from setlist.environment.requirements import Requirements
from setlist.lock.document import pins_of, preferences, relative_paths
from setlist.lock.inputs import LockInputs
from setlist.lock.marker_pruning import narrowed

Member = tuple[SessionSpec, LockInputs]


@dataclass(frozen=True, slots=True)
class LockResolution:
    """A resolution: ``body`` are requirement lines with hashes, ``standard`` the same as pylock TOML, if requested."""

    body: str
    standard: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveOptions:
    """Which versions may change.

    ``previous`` are requirement lines whose versions are kept if they still fit, except those of ``packages``
    (``name`` or ``name==version``). ``commits`` are requirements from version control, pinned to the commits of the
    present lock; they override requirements of the same name.
    """

    previous: str | None = None
    packages: tuple[str, ...] = ()
    commits: tuple[str, ...] = ()


def resolve(
    project: Project,
    inputs: LockInputs,
    settings: InstallerSettings,
    options: ResolveOptions,
    *,
    resolution: Resolution = "highest",
    standard: bool = False,
) -> LockResolution:
    """Resolve for a lock.

    Args:
        project: the project of the session.
        inputs: the inputs of its lock.
        settings: how to run the resolver, with the session's index and date.
        options: which versions may change.
        resolution: whether the highest or the lowest versions that fit.
        standard: whether the PEP 751 form is also needed.

    Raises:
        ResolutionFailed: there is no solution; the resolver's explanation is the detail.
        LockOutOfDate: the standard form can't represent the solution.
        Interrupted: a signal arrived.
    """
    requirements = inputs.requirements
    if not requirements:
        return LockResolution("", 'lock-version = "1.0"\ncreated-by = "setlist"\npackages = []\n' if standard else None)
    with temporary_directory() as scratch:
        request = ResolveRequest(
            requirements=requirements,
            scratch=scratch,
            universal=inputs.python,
            resolution=resolution,
            previous=preferences(options.previous) if options.previous else None,
            upgrade_packages=options.packages,
            overrides=options.commits,
            # uv caches a backend's metadata for as long as pyproject.toml is unchanged
            afresh=requirements.project_names,
            hashed=True,
        )
        logins = requirements.logins
        uv = Uv(replace(settings, environ={**settings.environ, **logins.environ}))
        body = narrowed(logins.hide(uv.resolve(request)), inputs.platforms, inputs.python, inputs.only)
        relative_body = relative_paths(body, project.root)
        if not standard:
            return LockResolution(relative_body)
        from setlist.lock.pylock import narrowed_standard, refuse_local, with_hashes_of

        refuse_local(relative_body)
        toml = logins.hide(uv.resolve_standard(request, preferences(body), requirements.project_names))
        if requirements.hashes:
            toml = with_hashes_of(toml, body)
        return LockResolution(relative_body, narrowed_standard(toml, inputs.platforms, inputs.python, inputs.only))


def kept_commits(body: str, old: Mapping[str, str], inputs: LockInputs, moving: Collection[str]) -> tuple[str, ...]:
    """The requirements from version control, pinned to the commits of a lock.

    Resolvers keep versions by themselves, but not commits. A branch with new commits is no reason to move, only
    another revision or URL in the requirement is.

    Args:
        body: the requirements of the lock.
        old: the digests of the lock's inputs.
        inputs: the present inputs.
        moving: the normalised names that may move.
    """
    from packaging.requirements import InvalidRequirement, Requirement

    urls = {pin.name: pin.url for pin in pins_of(body) if pin.url is not None and "+" in pin.url}
    pinned: list[str] = []
    for name, lines in sorted(inputs.repositories.items()):
        key = f"repository {name}"
        if name in moving or name not in urls or len(lines) != 1 or old.get(key) != inputs.values[key]:
            continue
        try:
            requirement = Requirement(next(iter(lines)))
        except InvalidRequirement:
            continue
        requirement.url = urls[name]
        pinned.append(str(requirement))
    return tuple(pinned)


def common_versions(
    project: Project, members: Sequence[Member], installer: InstallerSettings, options: ResolveOptions
) -> dict[str, str]:
    """Resolve sessions together: for each session that could be, the requirement lines that it should prefer.

    Args:
        project: the project of the sessions.
        members: the sessions, with the inputs of their locks.
        installer: how to run the resolver; the sessions' indexes and dates are added.
        options: which versions may change.

    Raises:
        Interrupted: a signal arrived.
    """
    partitions: dict[tuple[str | None, str | None], list[Member]] = {}
    for session, inputs in members:
        # The lowest versions can't be the highest ones: such a session is resolved on its own
        if session.environment.resolution == "highest":
            key = (session.environment.index_url, session.environment.exclude_newer)
            partitions.setdefault(key, []).append((session, inputs))
    preferred: dict[str, str] = {}
    previous = options.previous
    for (index_url, exclude_newer), partition in partitions.items():
        settings = replace(installer, index_url=index_url, exclude_newer=exclude_newer)
        compatible, body = _resolved_together(project, partition, settings, replace(options, previous=previous))
        preferred |= {session.name: body for session, _ in compatible}
        previous = body + (previous or "")
    return preferred


def _resolved_together(
    project: Project, members: Sequence[Member], installer: InstallerSettings, options: ResolveOptions
) -> tuple[list[Member], str]:
    """As many of the sessions as have a common resolution, tried in their order, and this resolution."""
    groups: dict[str, list[Member]] = {}
    for session, inputs in members:
        needs = inputs.requirements
        key = (needs.lines, needs.files, needs.constraints, needs.project_line, needs.hashes, needs.sourced)
        groups.setdefault(repr(key), []).append((session, inputs))
    compatible: list[Member] = []
    body = ""
    # Sessions with equal requirements, on several Pythons, are added or left out as one
    queue = [list(groups.values())]
    while queue:
        candidates = queue.pop(0)
        added = [member for group in candidates for member in group]
        try:
            body = resolve(project, _union([*compatible, *added]), installer, options).body
        except ResolutionFailed:
            if len(candidates) > 1:
                # Bisect, the first half first: few attempts find whatever fits
                middle = len(candidates) // 2
                queue = [candidates[:middle], candidates[middle:], *queue]
            continue
        compatible += added
    return compatible, body


def _union(members: Sequence[Member]) -> LockInputs:
    """The requirements of several sessions as one."""
    union = Requirements()
    extras: dict[str, None] = {}
    for session, inputs in members:
        needs = inputs.requirements
        union.lines += [line for line in needs.lines if line not in union.lines]
        union.files += [path for path in needs.files if path not in union.files]
        union.constraints += [path for path in needs.constraints if path not in union.constraints]
        union.sourced += [sourced for sourced in needs.sourced if sourced not in union.sourced]
        union.hashes += [hashes for hashes in needs.hashes if hashes not in union.hashes]
        union.require_hashes = union.require_hashes or needs.require_hashes
        if needs.project_line is not None:
            extras |= dict.fromkeys(session.environment.extras)
            union.project_line = needs.project_line
            union.project_names = needs.project_names
    if union.project_line is not None:
        # One line with every extra: uv refuses the same directory under two spellings
        line = re.sub(r"\[[^\]]*\]", "", union.project_line)
        name, at, place = line.partition(" @ ")
        suffix = f"[{','.join(extras)}]" if extras else ""
        union.project_line = f"{name}{suffix} @ {place}" if at else f"{line}{suffix}"
    oldest = min((inputs.python for _, inputs in members), key=lambda version: tuple(map(int, version.split("."))))
    return LockInputs({}, union, oldest, None, ())
