"""Resolve a session's requirements for every platform and Python that its lock is for.

The resolver is uv, whatever installs afterwards: pip resolves for the machine that it runs on, and for no other.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from setlist.core.files import temporary_directory
from setlist.core.model import Resolution
from setlist.core.project import Project
from setlist.core.records import dataclass, replace
from setlist.environment.installers import InstallerSettings, ResolveRequest, Uv
from setlist.lock.document import pins_of, preferences
from setlist.lock.inputs import LockInputs
from setlist.lock.local_paths import relative
from setlist.lock.marker_pruning import narrowed


@dataclass(frozen=True, slots=True)
class LockResolution:
    """A resolution: ``body`` are requirement lines with hashes, ``standard`` the same as pylock TOML, if asked for."""

    body: str
    standard: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveOptions:
    """How much may move.

    ``previous`` are requirement lines whose versions are kept where they still fit, but for ``packages`` (``name``
    or ``name==version``). ``commits`` are requirements to take instead of those of the same name: those from
    version control, at the commit that they were at.
    """

    previous: str | None = None
    packages: tuple[str, ...] = ()
    commits: tuple[str, ...] = ()


def resolve(
    project: Project,
    inputs: LockInputs,
    settings: InstallerSettings,
    wish: ResolveOptions,
    *,
    resolution: Resolution = "highest",
    standard: bool = False,
) -> LockResolution:
    """Resolve for a lock.

    Args:
        project: whose session it is.
        inputs: what its lock is made from.
        settings: how to run the resolver, with the session's index and date.
        wish: how much may move.
        resolution: which of the versions that fit.
        standard: the PEP 751 form is wanted too.

    Raises:
        ResolutionFailed: there is no answer; the resolver's own words are the detail.
        LockOutOfDate: there is one that the standard form can't hold.
        Interrupted: a signal reached us.
    """
    wanted = inputs.requirements
    if not (wanted.lines or wanted.files or wanted.project_line or wanted.sourced):
        return LockResolution("", 'lock-version = "1.0"\ncreated-by = "setlist"\npackages = []\n' if standard else None)
    with temporary_directory() as scratch:
        request = ResolveRequest(
            lines=wanted.lines,
            files=wanted.files,
            constraints=wanted.constraints,
            project_line=wanted.project_line,
            project_root=project.root,
            interpreter=None,
            universal=inputs.python,
            resolution=resolution,
            exclude_newer=settings.exclude_newer,
            index_url=settings.index_url,
            previous=preferences(wish.previous) if wish.previous else None,
            upgrade_packages=wish.packages,
            overrides=wish.commits,
            # uv keeps what a backend once said for as long as pyproject.toml is untouched
            afresh=wanted.project_names,
            hashed=True,
            hashes=wanted.hashes,
            require_hashes=wanted.require_hashes,
            sourced=wanted.sourced,
            scratch=scratch,
        )
        logins = wanted.logins
        uv = Uv(replace(settings, environ={**settings.environ, **logins.environ}))
        body = narrowed(logins.hide(uv.resolve(request)), inputs.platforms, inputs.python, inputs.only)
        if not standard:
            return LockResolution(relative(body, project.root))
        from setlist.lock.pylock import narrowed_standard, refuse_local, with_hashes_of

        refuse_local(relative(body, project.root))
        toml = logins.hide(uv.resolve_standard(request, preferences(body), wanted.project_names))
        if wanted.hashes:
            toml = with_hashes_of(toml, body)
        return LockResolution(
            relative(body, project.root), narrowed_standard(toml, inputs.platforms, inputs.python, inputs.only)
        )


def kept_commits(body: str, old: Mapping[str, str], inputs: LockInputs, moving: Collection[str]) -> tuple[str, ...]:
    """The requirements from version control, at the commits that a lock has them at.

    Resolvers keep versions of their own accord, and commits not. A branch that moved on is no reason to: only
    where another revision, or another place, is asked for.

    Args:
        body: the lock's requirements.
        old: the digests of the lock's inputs.
        inputs: what is asked for now.
        moving: the normalised names that may move.
    """
    from packaging.requirements import InvalidRequirement, Requirement

    places = {pin.name: pin.url for pin in pins_of(body) if pin.url is not None and "+" in pin.url}
    found: list[str] = []
    for name, lines in sorted(inputs.repositories.items()):
        key = f"repository {name}"
        if name in moving or name not in places or len(lines) != 1 or old.get(key) != inputs.values[key]:
            continue
        try:
            requirement = Requirement(next(iter(lines)))
        except InvalidRequirement:
            continue
        requirement.url = places[name]
        found.append(str(requirement))
    return tuple(found)
