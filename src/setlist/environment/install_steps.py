"""What a session's function has done to an environment, step by step, as it is recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from setlist.core.records import dataclass, field

Kind = Literal["seed", "install", "run"]
"""``seed``: what was there from the start; ``install``: ``s.install``, or what a provider calls so; ``run``:
any other command that changed what is installed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step.

    ``words`` is the whole command, ``inputs`` what decides what it comes to besides: digests of the files behind it,
    the variables its author has set, its directory. ``roots`` are the distributions by which what it brought
    hangs, None where that couldn't be told; then everything it ``brought`` counts. ``brought`` maps each package that
    it changed to what was there afterwards (None: nothing), so that what the environment held after a step is the
    sum of the steps up to it. ``overrides`` are the packages that it changed and that were there before it: it can't
    be left out and the rest be as it was. ``after`` is how many commands that see the environment had run before.
    ``there`` is false for a step that isn't in the environment: what it brought was taken out again, and is remembered
    for its versions. ``sources``: for one that nobody can read, the digest of all of the project's files when it
    ran. ``known`` are stat signatures behind the digests, ``compiled`` the editable projects that were compiled.
    """

    kind: Kind
    words: tuple[str, ...]
    inputs: dict[str, str]
    roots: tuple[dict[str, Any], ...] | None = None
    brought: dict[str, str | None] = field(default_factory=dict)
    overrides: tuple[str, ...] = ()
    after: int = 0
    there: bool = True
    sources: str | None = None
    known: dict[str, tuple[str, ...]] = field(default_factory=dict)
    compiled: tuple[str, ...] = ()

    def same_as(self, kind: str, words: Sequence[str], inputs: Mapping[str, str]) -> bool:
        """Whether it was the same command with the same behind it."""
        return self.kind == kind and self.words == tuple(words) and self.inputs == inputs


def held_after(held: Mapping[str, str], steps: Sequence[Step]) -> dict[str, str]:
    """What an environment holds after more steps: package to version, with the origin where it isn't an index."""
    sum_of_all: dict[str, str | None] = {**held}
    for step in steps:
        sum_of_all |= step.brought
    return {name: value for name, value in sum_of_all.items() if value is not None}
