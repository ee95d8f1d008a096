"""What a noxfile's function has done to an environment, step by step, as it is recorded."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from setlist.records import as_mapping, dataclass, field

Kind = Literal["seed", "install", "run"]
"""``seed``: what was there from the start; ``install``: ``session.install``; ``run``: any other command that changed
what is installed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step.

    ``words`` is the whole command, ``inputs`` what decides what it comes to besides: digests of the files behind it,
    the variables its author has set, its directory. ``roots`` are the distributions by which what it brought
    hangs, None where that couldn't be told; then everything it ``brought`` counts. ``overrides`` are those that an
    earlier step had brought and that it changed, so that it can't be left out and the rest be as it was. ``after``
    is how many other commands had run before. ``sources``: for one that nobody can read, the signature of all of the
    project's files when it ran. ``known`` are stat signatures behind the digests, ``compiled`` the editable projects
    that were compiled.
    """

    kind: Kind
    words: tuple[str, ...]
    inputs: dict[str, str]
    roots: tuple[dict[str, Any], ...] | None = None
    brought: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    after: int = 0
    sources: str | None = None
    known: dict[str, Sequence[str]] = field(default_factory=dict)
    compiled: tuple[str, ...] = ()

    def same_as(self, kind: str, words: Sequence[str], inputs: Mapping[str, str]) -> bool:
        """Whether it was the same command with the same behind it."""
        return self.kind == kind and self.words == tuple(words) and self.inputs == inputs


def steps_of(data: Sequence[Mapping[str, Any]]) -> tuple[Step, ...]:
    """Steps that were recorded."""
    found = []
    for item in data:
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in item.items()
        }
        found.append(Step(**values))
    return tuple(found)


def data_of(steps: Sequence[Step]) -> tuple[dict[str, Any], ...]:
    """Steps as JSON data: as they are read back."""
    return tuple(json.loads(json.dumps([as_mapping(step) for step in steps])))
