"""What has to be done to an environment, and why. Decides only; :mod:`setlist.environment.prepare` does it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from setlist.core.model import InputChange
from setlist.core.records import dataclass
from setlist.environment.snapshot import Drift

Work = Literal["nothing", "refresh", "sync", "create", "recreate", "repair"]
"""``refresh``: nothing in the environment is wrong, only its record has to learn new file times."""

# These make another environment, not the same one with other packages
_FOUNDATIONS = ("interpreter", "python", "installer", "place", "made by")


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, and why, in words for one line."""

    work: Work
    reasons: tuple[str, ...] = ()


AS_ASKED = Decision("recreate", ("as asked",))


def changes_between(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[InputChange, ...]:
    """Every input there was or is: the same, or changed. In the order of their names, changed ones first."""
    found = [
        InputChange(name, old.get(name), new.get(name), old.get(name) != new.get(name))
        for name in sorted(old.keys() | new.keys())
    ]
    return tuple(sorted(found, key=lambda change: not change.changed))


def decide(
    *,
    present: bool,
    problem: str | None,
    changes: tuple[InputChange, ...],
    drift: Drift,
    recreate: bool,
    upgrade: bool,
) -> Decision:
    """Decide what to do.

    Args:
        present: something lies where the environment belongs.
        problem: why it can't be used as it is (unfinished, damaged), None where it is sound.
        changes: its inputs, compared.
        drift: what others changed in it.
        recreate: a new one was asked for.
        upgrade: new versions were asked for.
    """
    if not present:
        return Decision("create")
    if problem is not None:
        return Decision("repair", (problem,))
    if recreate:
        return AS_ASKED
    changed = [change for change in changes if change.changed]
    foundations = [change for change in changed if change.name in _FOUNDATIONS]
    if foundations:
        named = {change.name for change in foundations}
        # another request that led to another interpreter is one change, and the interpreter tells it best
        told = [change for change in foundations if change.name != "python" or "interpreter" not in named]
        return Decision("recreate", tuple(describe(change) for change in told))
    if drift.foreign:
        shown = ", ".join(drift.foreign[:3]) + (" …" if len(drift.foreign) > 3 else "")
        return Decision("repair", (f"files changed by hand: {shown}",))
    reasons = [describe(change) for change in changed]
    if drift.packages:
        reasons.append(f"changed by hand: {', '.join(drift.packages)}")
    if upgrade:
        reasons.append("upgrade asked for")
    return Decision("sync" if reasons else "refresh", tuple(reasons))


def describe(change: InputChange) -> str:
    """An input's change in a few words."""
    kind, _, rest = change.name.partition(" ")
    what = rest if kind in ("file", "variable", "settings") else change.name
    if change.name in (*_FOUNDATIONS, "resolution", "exclude-newer", "project"):
        return f"{change.name} changed: {_plainly(change.old)} → {_plainly(change.new)}"
    if change.old is None:
        return f"{what} is new"
    if change.new is None:
        return f"{what} is gone"
    return f"{what} changed"


def _plainly(value: str | None) -> str:
    if value is None:
        return "none"
    # The path in parentheses tells two of one version apart; where the versions differ it only distracts
    return value
