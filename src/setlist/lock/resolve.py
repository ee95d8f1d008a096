"""Resolve a session's requirements for every platform and Python that its lock is for.

The resolver is uv, whatever installs afterwards: pip resolves for the machine that it runs on, and for no other.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from setlist.environment.installers import InstallerSettings, ResolveRequest, Uv
from setlist.lock.inputs import LockInputs
from setlist.lock.local import relative
from setlist.lock.narrow import narrowed
from setlist.model import SessionSpec
from setlist.project import Project


@dataclass(frozen=True, slots=True)
class Answer:
    """A resolution: ``body`` are requirement lines with hashes, ``standard`` the same as pylock TOML, if asked for."""

    body: str
    standard: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How much may move.

    ``previous`` are requirement lines whose versions are kept where they still fit; ``upgrade`` drops all of
    them, ``packages`` (``name`` or ``name==version``) those of a few.
    """

    previous: str | None = None
    upgrade: bool = False
    packages: tuple[str, ...] = ()


def resolve(
    project: Project,
    session: SessionSpec,
    inputs: LockInputs,
    settings: InstallerSettings,
    wish: Wish,
    *,
    standard: bool = False,
) -> Answer:
    """Resolve for a lock.

    Args:
        project: whose session it is.
        session: the session.
        inputs: what its lock is made from.
        settings: how to run the resolver.
        wish: how much may move.
        standard: the PEP 751 form is wanted too.

    Raises:
        ResolutionFailed: there is no answer; the resolver's own words are the detail.
        Interrupted: a signal reached us.
    """
    wanted, spec = inputs.requirements, session.environment
    if not (wanted.lines or wanted.files or wanted.project_line):
        return Answer("", 'lock-version = "1.0"\ncreated-by = "setlist"\npackages = []\n' if standard else None)
    with tempfile.TemporaryDirectory(prefix="setlist-") as scratch:
        request = ResolveRequest(
            lines=wanted.lines,
            files=wanted.files,
            constraints=wanted.constraints,
            project_line=wanted.project_line,
            project_root=project.root,
            interpreter=None,
            universal=inputs.python,
            resolution=spec.resolution,
            exclude_newer=spec.exclude_newer,
            index_url=spec.index_url,
            previous=None if wish.upgrade else wish.previous,
            upgrade_packages=() if wish.upgrade else wish.packages,
            options=False,
            hashed=True,
            scratch=Path(scratch),
        )
        uv = Uv(settings)
        body = narrowed(uv.resolve(request), inputs.platforms, inputs.python, inputs.only)
        toml = uv.resolve_standard(request, body, wanted.project_names) if standard else None
    return Answer(relative(body, project.root), toml)
