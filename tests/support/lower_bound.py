"""The time that no order of a run's sessions can do better than."""

from __future__ import annotations

from setlist.scheduling.priorities import Work, critical_paths


def lower_bound(work: Work) -> float:
    """Seconds that no order can do better than.

    Beside those that run alone nothing else does, so their time comes on top: of the longest path through the others,
    of what they take on all jobs together, and of what those that share a resource take of it.
    """
    beside = [0.0 if alone else seconds for alone, seconds in zip(work.alone, work.seconds, strict=True)]
    taken = [0.0] * len(work.capacity)
    for place, needs in enumerate(work.needs):
        for number, count in needs:
            taken[number] += count * beside[place]
    by_resource = (sum_ / count for sum_, count in zip(taken, work.capacity, strict=True))
    longest = max([*critical_paths(work, beside), sum(beside) / work.jobs, *by_resource], default=0.0)
    return longest + sum(work.seconds) - sum(beside)
