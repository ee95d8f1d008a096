"""What is to be done to an environment follows from what is known of it, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from setlist.core.model import InputChange
from setlist.environment.decision import Decision, changes_between, decide, describe
from setlist.environment.snapshot import Drift

SAME = {"deps": "alpha", "python": "3.11", "interpreter": "python 3.11.7 (/py)"}


def decided(**given: Any) -> Decision:
    values: dict[str, Any] = {
        "present": True,
        "problem": None,
        "changes": changes_between(SAME, SAME),
        "drift": Drift(),
        "recreate": False,
        "upgrade": False,
    }
    return decide(**{**values, **given})


def test_same_inputs_need_no_work() -> None:
    assert decided() == Decision("refresh")


def test_nothing_there_is_created_and_needs_no_reason() -> None:
    assert decided(present=False, problem="ignored", recreate=True) == Decision("create")


def test_a_problem_is_repaired_before_anything_else_is_looked_at() -> None:
    changed = changes_between(SAME, {**SAME, "deps": "beta"})
    assert decided(problem="its python is gone", changes=changed) == Decision("repair", ("its python is gone",))


def test_a_new_one_is_made_when_asked_for() -> None:
    assert decided(recreate=True) == Decision("recreate", ("as asked",))


def test_changed_requirements_are_synced() -> None:
    changed = changes_between(SAME, {**SAME, "deps": "beta"})
    assert decided(changes=changed) == Decision("sync", ("deps changed",))


def test_another_interpreter_means_another_environment() -> None:
    new = {**SAME, "interpreter": "python 3.11.8 (/py)", "deps": "beta"}
    decision = decided(changes=changes_between(SAME, new))
    assert decision.work == "recreate"
    assert decision.reasons == ("interpreter changed: python 3.11.7 (/py) → python 3.11.8 (/py)",)


def test_another_request_for_the_same_interpreter_is_told_and_else_the_interpreter_is() -> None:
    request = changes_between(SAME, {**SAME, "python": ">=3.10"})
    assert decided(changes=request).reasons == ("python changed: 3.11 → >=3.10",)
    both = changes_between(SAME, {**SAME, "python": "3.12", "interpreter": "python 3.12.1 (/py)"})
    assert decided(changes=both).reasons == ("interpreter changed: python 3.11.7 (/py) → python 3.12.1 (/py)",)


def test_packages_changed_by_hand_are_synced_and_named() -> None:
    assert decided(drift=Drift(packages=("delta", "six"))) == Decision("sync", ("changed by hand: delta, six",))


def test_foreign_files_call_for_a_new_environment() -> None:
    decision = decided(drift=Drift(foreign=("a", "b", "c", "d")))
    assert decision == Decision("repair", ("files changed by hand: a, b, c …",))


def test_upgrade_is_a_sync_with_every_reason_told() -> None:
    changed = changes_between(SAME, {**SAME, "deps": "beta"})
    assert decided(upgrade=True, changes=changed).reasons == ("deps changed", "upgrade asked for")


def test_changed_inputs_come_first() -> None:
    changes = changes_between({"a": "1", "b": "1", "c": "1"}, {"a": "1", "b": "2", "d": "1"})
    assert [(change.name, change.changed) for change in changes] == [
        ("b", True),
        ("c", True),
        ("d", True),
        ("a", False),
    ]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (InputChange("file requirements/base.txt", "1", "2", True), "requirements/base.txt changed"),
        (InputChange("file requirements/base.txt", None, "2", True), "requirements/base.txt is new"),
        (InputChange("variable UV_DEFAULT_INDEX", "1", None, True), "UV_DEFAULT_INDEX is gone"),
        (InputChange("group test", "a", "b", True), "group test changed"),
        (InputChange("exclude-newer", None, "7 days", True), "exclude-newer changed: none → 7 days"),
        (InputChange("project metadata", "1", "2", True), "project metadata changed"),
    ],
)
def test_a_change_is_told_in_a_few_words(change: InputChange, words: str) -> None:
    assert describe(change) == words
