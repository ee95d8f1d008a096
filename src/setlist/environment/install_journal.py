"""Compare what a session's function installs with what it installed last time, while it does so.

Every command of a function must see the environment that a fresh run would give it. What the function will install
isn't known in advance. So the packages that the last run installed before its first command are in place when the
function starts. An install that is the same as last time is skipped; any other is done now, in place. Before the first
command runs, everything is uninstalled that no install of this run requested, by the metadata of the distributions.
Where that can't be told, or where a step that is gone had changed a package that stays, the environment is recreated,
and the function's installs so far are repeated.

What the last run installed after its first command isn't in place at the start: it is uninstalled, or the environment
is recreated, before anything else. After the first command every install is done, unless it changed nothing at the
same point of the last run. A repeated install takes the versions that it took last time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from setlist.core.errors import SessionError
from setlist.core.fingerprint import digest
from setlist.core.model import Change, SessionSpec
from setlist.core.records import dump, replace
from setlist.environment import locking
from setlist.environment.context import EnvironmentContext, Locked
from setlist.environment.install_args import (
    InstallArgs,
    RequestedDistribution,
    Sources,
    inputs_of,
    read_install,
    roots_of,
)
from setlist.environment.install_steps import (
    are_tangled,
    is_exact,
    only_installs,
    recorded_command,
    roots_of_step,
)
from setlist.environment.installed_packages import InstalledPackages, moved_packages
from setlist.environment.markers import markers_of
from setlist.environment.pins import pins
from setlist.environment.requirement_lines import install_words
from setlist.environment.snapshot import compare
from setlist.environment.state import Contents, State, Step, forget_state, held_after, read_state

CONSTRAINTS = "constraints.txt"
"""A file in the environment: the versions that a step installed last time, while it is repeated."""


class Recorder:
    """The steps of one run of a session's function.

    Args:
        context: what the environments of a run share.
        session: whose environment it is.
        directory: the environment.
        hold: the shared lock of the environment; it is released and taken again around a change.
    """

    def __init__(self, context: EnvironmentContext, session: SessionSpec, directory: Path, hold: ExitStack) -> None:
        self._context = context
        self._session = session
        self._directory = directory
        self._hold = hold
        self._changing: ExitStack | None = None
        self._commands = 0
        self._started = False
        self._done: list[Step] = []
        self._changed: set[str] = set()
        self._unwritten = False
        self._untidy = False
        self._broken = False
        self._pending: tuple[InstallArgs, tuple[str, ...], dict[str, str]] | None = None
        self._by_lock = self._removed = False
        self._locked: Locked | None = None
        self._looked_for_lock = False
        state = self._read()
        self._packages = InstalledPackages(context, session, directory, state)
        self._take(state)

    def _read(self) -> State:
        state = read_state(self._directory)
        if state is None:
            raise SessionError("the environment was taken apart", hint=f"run {self._session.name} again")
        return state

    def _take(self, state: State) -> None:
        """Compare the coming steps with those of this record."""
        self._state = state
        self._packages.contents, self._packages.interpreter = state.contents, state.interpreter
        steps = [step for step in state.steps if step.kind != "seed"]
        seeds = [step for step in state.steps if step.kind == "seed"]
        self._seeds = held_after({}, seeds) if seeds else self._packages.versions_with_origins()
        there = [step for step in steps if step.there]
        self._left = [step for step in there if step.after == 0]
        self._memory: list[tuple[Step, Mapping[str, str] | None]] = [(step, None) for step in steps if not step.there]
        self._first = held = held_after(self._seeds, self._left)
        for step in there:
            if step.after:
                held = held_after(held, [step])
                self._memory.append((step, held))
        self._held = held
        self._in_place = bool(self._left)
        self._interleaved = any(step.after and step.brought for step in there)
        self._known: dict[str, Sequence[str]] = {}
        self._compiled: set[str] = set()
        for step in steps:
            self._known |= step.known
            self._compiled |= set(step.compiled)

    @property
    def versions(self) -> dict[str, str]:
        """What the environment holds: name to version."""
        return self._packages.versions

    @property
    def lock(self) -> int:
        """The descriptor of the environment's exclusive lock, while something is changed."""
        return self._packages.lock

    def _start(self) -> None:
        """Uninstall what the last run installed after its first command."""
        if self._started:
            return
        self._started = True
        if self._interleaved and self._changing is None:
            # to the end: another run would see it between two of our steps
            self._begin()
        self._go_back()

    def _go_back(self) -> None:
        tangled = are_tangled(self._left)
        if self._held == self._first and not tangled:
            return
        if self._changing is None:
            self._begin()
            return  # which has looked at what is there now, and has called this again
        first_is_intact = all(self._held.get(name) == value for name, value in self._first.items())
        extra = sorted(self._held.keys() - self._first.keys())
        if tangled or not first_is_intact or not self._packages.remove(extra):
            self._reset()
        else:
            self._held = dict(self._first)
            self._unwritten = True

    # --- one install ----------------------------------------------------------------------------------------

    def install(self, command: Sequence[str], env: Mapping[str, str | None], cwd: Path) -> dict[str, Any]:
        """Decide what to do about an install that the function requests.

        Returns:
            ``do`` is ``skip`` (its packages are there), ``run`` (``words`` if these are given, with ``constraints`` at
            their end), or ``replay``: the environment was recreated, so all steps so far are to be requested again, and
            then this one.

        Raises:
            SetlistError: the environment can't be changed.
        """
        self._start()
        words = recorded_command(command)
        args, inputs = self._look_at(words, env, cwd)
        if self._skips(words, inputs):
            return {"do": "skip"}
        if self._changing is None:
            self._begin()
            if self._skips(words, inputs):
                return {"do": "skip"}  # the run that was waited for has done it
        roots = self._roots_of(args)
        if self._left and (roots is None or any(step.overrides or step.roots is None for step in self._left)):
            # what is left over couldn't be told from what it installs
            replay = bool(self._done)
            self._reset()
            if replay:
                return {"do": "replay"}
        answer: dict[str, Any] = {"do": "run"}
        # as they were written: what is recorded has no logins
        written = read_install(install_words(command) or (), cwd, self._context.caller.environ)
        if self._lock_holds(written.index_options, roots):
            local = _words_for_local(command, args, roots or ())
            if not local:
                self._note_install(args, words, inputs, {}, ())
                return {"do": "skip"}
            # what they require is in the lock
            answer["words"] = local
        forget_state(self._directory)
        self._remove_changed(inputs)
        self._packages.refresh()
        self._pending = (args, words, inputs)
        self._by_lock = "words" in answer
        self._untidy = self._untidy or self._in_place
        versions = self._versions_of_last_time(words, inputs)
        if versions and self._locked is None:
            constraints = self._directory / CONSTRAINTS
            constraints.write_text("".join(f"{line}\n" for line in versions), encoding="utf-8")
            answer["constraints"] = ["-c", str(constraints)]
        return answer

    def _versions_of_last_time(self, words: tuple[str, ...], inputs: Mapping[str, str]) -> list[str]:
        for place, (step, _) in enumerate(self._memory):
            if step.same_as("install", words, inputs):
                del self._memory[place]
                return [
                    f"{name}=={value}"
                    for name, value in step.brought.items()
                    # what an earlier step brings now is left to it, unless this one had moved it last time too
                    if value is not None and " " not in value and (name not in self._held or name in step.overrides)
                ]
        return []

    def _lock_holds(self, options: Sequence[str], roots: tuple[RequestedDistribution, ...] | None) -> bool:
        """Whether there is a lock that holds what is requested, but for local directories and files. It is installed.

        Raises:
            LockOutOfDate: it doesn't hold that, and this run demands it.
        """
        locks = self._context.locks
        if locks is None or not self._session.installs_itself:
            return False
        if not self._looked_for_lock:
            self._looked_for_lock = True
            self._locked = locks.find(self._session)
        if self._locked is None:
            return False
        missing: tuple[str, ...] = ("what can't be told",)
        if roots is not None:
            wanted = [root for root in roots if root.path is None]
            missing = self._packages.missing(wanted)
            # what local sources require isn't known before they are built
            if self._locked.text and (missing or len(wanted) < len(roots)):
                self._packages.install_lock(self._locked.text, options)
                self._held = self._packages.versions_with_origins()
                self._untidy = self._unwritten = True
                missing = self._packages.missing(wanted)
        if missing:
            locks.out_of_date(self._session, ", ".join(missing))
        return not missing

    def installed(self, *, ok: bool) -> tuple[Change, ...]:
        """The install that :meth:`install` told to run has ended.

        Returns:
            the packages that moved.

        Raises:
            LockOutOfDate: what was built from local sources requires what the lock doesn't hold.
        """
        assert self._pending is not None
        args, words, inputs = self._pending
        self._pending = None
        before, now = self._packages.contents, self._packages.refresh()
        moved = self._moved_between(before, now)
        if not ok:
            if self._removed or compare(before, now):
                # installers fetch and build everything before they change anything
                self._broken = True
            self._write()
            self._end()
            return ()
        self._broken = self._by_lock  # until it is known to be complete
        if self._by_lock and (missing := self._packages.missing(self._roots_of(args) or ())):
            assert self._context.locks is not None
            self._context.locks.out_of_date(self._session, ", ".join(missing))
        self._broken = False
        self._note_install(args, words, inputs, moved, tuple(name for name in moved if name in before.packages))
        return tuple(
            Change(name, before.packages.get(name, (None,))[0], now.packages.get(name, (None,))[0]) for name in moved
        )

    def _moved_between(self, before: Contents, now: Contents) -> dict[str, str | None]:
        """The packages that a step has changed, with their present versions."""
        names = moved_packages(before, now)
        if names:
            self._held = self._packages.versions_with_origins()
            self._changed |= set(names)
        return {name: self._held.get(name) for name in names}

    def _replace(
        self, step: Step, overrides: tuple[str, ...], brought: Mapping[str, str | None]
    ) -> tuple[tuple[str, ...], dict[str, str | None]]:
        """Let a step take the place of the same step of the last run: what it changes of its own is no other's.

        Returns:
            what the new step overrides, and what it brought.
        """
        self._left.remove(step)
        own = (name for name in overrides if name not in step.brought)
        return tuple(sorted({*step.overrides, *own})), {
            **{name: self._held.get(name) for name in step.brought},
            **brought,
        }

    def _note_install(
        self,
        args: InstallArgs,
        words: tuple[str, ...],
        inputs: dict[str, str],
        moved: Mapping[str, str | None],
        overrides: tuple[str, ...],
    ) -> None:
        compiled = self._packages.compiled(args.requirements)
        self._compiled |= set(compiled)
        # a build may have left something among the sources: it isn't to look like a change
        sources = Sources({}, self._context.environ)
        after = inputs_of(args, sources, tuple(self._compiled))
        inputs |= {name: value for name, value in after.items() if name.startswith(("local ", "editable "))}
        roots = self._roots_of(args)
        replaced = next((step for step in self._left if step.words == words), None)
        brought = dict(moved)
        if replaced is not None:
            overrides, brought = self._replace(replaced, overrides, brought)
        self._done.append(
            Step(
                kind="install",
                words=words,
                inputs=inputs,
                roots=None if roots is None else tuple(map(dump, roots)),
                brought=brought,
                overrides=overrides,
                after=self._commands,
                known=dict(sources.known),
                compiled=compiled,
            )
        )
        self._unwritten = True

    def _roots_of(self, args: InstallArgs) -> tuple[RequestedDistribution, ...] | None:
        return roots_of(args, markers_of(self._packages.interpreter))

    def _look_at(
        self, words: tuple[str, ...], env: Mapping[str, str | None], cwd: Path
    ) -> tuple[InstallArgs, dict[str, str]]:
        environ = {**self._context.caller.environ, **{name: value or "" for name, value in env.items()}}
        args = read_install(install_words(words) or words, cwd, environ)
        inputs = inputs_of(args, Sources(self._known, self._context.environ), tuple(self._compiled))
        inputs["directory"] = self._context.project.relative(cwd)
        inputs |= {f"variable {name}": digest(repr(value))[:12] for name, value in env.items()}
        return args, inputs

    def _skips(self, words: tuple[str, ...], inputs: Mapping[str, str]) -> bool:
        """Whether a step is recorded at this place, or further on, and what it installed is still there."""
        if self._packages.has_changed():
            return False
        for place, step in enumerate(self._left):
            if step.same_as("install", words, inputs):
                if (place and any(other.overrides for other in self._left)) or self._touched(step):
                    return False
                self._done.append(step)
                self._unwritten = self._unwritten or place > 0
                # the function no longer requests those before it, or does so later
                del self._left[place]
                return True
        for place, (step, held) in enumerate(self._memory):
            # the environment is already what it was after this step
            if held == self._held and not self._left and step.same_as("install", words, inputs):
                self._done.append(replace(step, brought={}, overrides=(), after=self._commands))
                self._unwritten = True
                del self._memory[place]
                return True
        return False

    def _touched(self, step: Step) -> bool:
        """Whether this run may have changed what a step installed."""
        if not self._changed:
            return False
        if step.roots is None or not self._changed <= self._packages.contents.packages.keys():
            return True
        return not self._changed.isdisjoint(self._packages.closure(roots_of_step(step)))

    def _remove_changed(self, inputs: Mapping[str, str]) -> None:
        """Uninstall what was built from local files that have changed: installers see the same version, and keep it."""
        before = {name: value for step in self._left for name, value in step.inputs.items()}
        changed = {
            Path(name.partition(" ")[2]).resolve()
            for name, value in inputs.items()
            if name.startswith("local ") and before.get(name, value) != value
        }
        names = self._packages.from_paths(changed) if changed else []
        self._removed = bool(names)
        self._packages.uninstall(names)

    # --- other commands -------------------------------------------------------------------------------------

    def settle(self, command: Sequence[str], env: Mapping[str, str | None], cwd: Path) -> dict[str, Any]:
        """Prepare for a command. It must see what was requested so far, and nothing else, unless it only installs.

        Returns:
            ``do`` is ``start`` (it ``installs``, or doesn't), or ``replay``, as for an install; ``changes`` are the
            packages that moved. Where there is a lock pip and uv are answered as an install is.
        """
        self._start()
        if only_installs(recorded_command(command)):
            locks = self._context.locks if self._session.installs_itself else None
            if locks is not None and install_words(command) is not None and locks.find(self._session) is not None:
                return self.install(command, env, cwd)
            return {"do": "start", "installs": True}
        changes = self._settled()
        if changes is None:
            return {"do": "replay"}
        self._commands += 1
        return {"do": "start", "changes": changes}

    def ran(self, command: Sequence[str], env: Mapping[str, str | None], cwd: Path) -> None:
        """A command has run: see what it has changed.

        Raises:
            LockOutOfDate: it has installed what the lock doesn't hold.
        """
        if self._pending is not None:
            return  # it was an install
        words = recorded_command(command)
        known = next((step for step in self._left if step.kind == "run" and step.words == words), None)
        moved: dict[str, str | None] = {}
        overrides: tuple[str, ...] = ()
        if self._packages.may_have_changed():
            before, now = self._packages.contents, self._packages.refresh()
            moved = self._moved_between(before, now)
            overrides = tuple(sorted(moved.keys() & before.packages.keys()))
            self._unwritten = True
        if known is None and not moved and install_words(words) is None:
            return
        brought = dict(moved)
        if known is not None:
            overrides, brought = self._replace(known, overrides, brought)
        roots: tuple[RequestedDistribution, ...] | None = None
        inputs: dict[str, str] = {}
        if install_words(words) is not None:
            args, inputs = self._look_at(words, env, cwd)
            roots = self._roots_of(args)
        self._done.append(
            Step(
                kind="run",
                words=words,
                inputs=inputs,
                roots=None if roots is None else tuple(map(dump, roots)),
                brought=brought,
                overrides=overrides,
                after=self._commands,
                sources="" if roots is None and only_installs(words) and not is_exact(words) else None,
            )
        )
        self._compare_with_lock(moved)
        if self._in_place and (moved or (known is not None and inputs != known.inputs)):
            self._untidy = True
        if known is None or moved or self._untidy:
            self._write()

    def _compare_with_lock(self, moved: Mapping[str, str | None]) -> None:
        locks = self._context.locks
        if not moved or locks is None or not self._session.installs_itself:
            return
        locked = locks.find(self._session)
        if locked is not None and locked.text is not None:
            locked_pins = pins(locked.text)
            other = [
                f"{name} {value}"
                for name, value in moved.items()
                if value is not None and name not in self._seeds and locked_pins.get(name) != value
            ]
            if other:
                self._broken = True  # and is to be made anew
                locks.out_of_date(self._session, ", ".join(other))
                self._broken = False

    def finish(self, *, ok: bool) -> tuple[Change, ...] | None:
        """The function has ended.

        Returns:
            the packages that moved; None where all steps are to be done again, and then to be finished.
        """
        changes: tuple[Change, ...] | None = ()
        try:
            if ok:
                changes = self._settled(last=True)
            elif self._unwritten and self._pending is None:
                self._write()
        finally:
            if changes is not None:
                self._end(last=True)
        return changes

    # --- changing -------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Take the exclusive lock of the environment."""
        self._hold.close()
        self._changing = ExitStack()
        name = self._session.name
        try:
            self._packages.lock = self._changing.enter_context(
                locking.exclusive(self._context.project, name, self._context.waiting(name))
            )
        except BaseException:
            self._changing = None
            raise
        state = read_state(self._directory)
        if state is not None and (
            state.steps == self._state.steps and state.contents.packages == self._state.contents.packages
        ):
            if not self._commands and not self._done:
                self._go_back()
            return
        if state is None:
            raise SessionError("the environment was taken apart by another run", hint=f"run {name} again")
        # another run was here. What we have passed must still be there, in this order
        done, self._done, held = self._done, [], self._held
        self._take(state)
        if self._commands:
            changed = self._held != held
            self._done, self._left = done, []
        else:
            self._go_back()
            changed = not all(self._skips(step.words, step.inputs) for step in done)
        if changed:
            raise SessionError("another run has changed the environment", hint=f"run {name} again")

    def _end(self, *, last: bool = False) -> None:
        """Return to the shared lock."""
        if self._changing is None or (self._interleaved and not last):
            return
        self._changing.close()
        self._changing = None
        name = self._session.name
        self._hold.enter_context(locking.shared(self._context.project, name, self._context.waiting(name)))

    def _settled(self, *, last: bool = False) -> tuple[Change, ...] | None:
        """Uninstall what this run hasn't requested.

        Returns:
            the packages that moved; None where the environment was recreated, and all steps are to be repeated.
        """
        changes: tuple[Change, ...] | None = ()
        if self._left or self._untidy:
            if self._changing is None:
                self._begin()
            replay = bool(self._done)
            changes = None
            if not any(step.overrides for step in self._left):
                changes = self._remove_left_over()
            if changes is None:
                self._reset()
                if replay:
                    return None
            self._memory += [] if last else [(step, None) for step in self._left]
            self._left = []
            self._untidy = False
            self._unwritten = True
        self._in_place = False
        if last and self._memory:
            self._memory, self._unwritten = [], True
        if self._unwritten:
            self._write()
        self._end()
        return changes or ()

    def _remove_left_over(self) -> tuple[Change, ...] | None:
        """Uninstall the packages that no request depends on; None where others would be changed too."""
        retained = set(self._seeds)
        roots: list[RequestedDistribution] = []
        for step in self._done:
            if step.roots is None:
                retained |= step.brought.keys()
            else:
                roots += roots_of_step(step)
        names = self._packages.orphaned(roots, retained)
        before = self._packages.contents.packages
        if not self._packages.remove(names):
            return None
        self._held = {name: value for name, value in self._held.items() if name not in names}
        self._done = [
            replace(step, brought={name: value for name, value in step.brought.items() if name not in names})
            for step in self._done
        ]
        self._changed -= set(names)  # on which nothing depends
        return tuple(Change(name, before[name][0], None) for name in names if name in before)

    def _reset(self) -> None:
        """Restore the environment from before the function did anything. All of its steps are to be repeated."""
        self._packages.reset()
        self._memory = [*((step, None) for step in (*self._done, *self._left)), *self._memory]
        self._done, self._left = [], []
        self._held = self._first = self._seeds = self._packages.versions_with_origins()
        self._changed = set()
        self._untidy = self._in_place = self._looked_for_lock = False
        self._state = replace(self._state, steps=())
        self._unwritten = True

    def _write(self) -> None:
        from setlist.engine.source_tree import digest_sources
        from setlist.environment.sync import record_steps

        if self._broken:
            # nobody can say that it is what a new one would be: the next run makes a new one
            forget_state(self._directory)
            return
        there = [*self._done, *self._left]
        recorded = held_after(self._seeds, there)
        if recorded != self._held:
            # what came of a lock, or went with something else
            rest = {
                name: self._held.get(name)
                for name in recorded.keys() | self._held.keys()
                if recorded.get(name) != self._held.get(name)
            }
            steps = self._left or self._done
            if steps:
                # in the step itself: written again after the next step, it would look like that one's
                steps[-1] = replace(steps[-1], brought={**steps[-1].brought, **rest})
                there = [*self._done, *self._left]
            else:
                self._seeds = dict(self._held)
        if any(step.sources == "" for step in there):
            signature = digest_sources(self._context.project.root, self._context.environ)
            there = [replace(step, sources=signature) if step.sources == "" else step for step in there]
        seed = Step(kind="seed", words=(), inputs={}, brought=dict(self._seeds))
        remembered = [replace(step, there=False) for step, _ in self._memory if step.kind == "install"]
        state = self._state
        if self._session.installs_itself:
            direct = {root["name"] for step in there for root in step.roots or () if root["name"] is not None}
            state = replace(state, direct=tuple(sorted(direct)))
        self._state = record_steps(self._context, self._session, self._directory, state, (seed, *there, *remembered))
        self._packages.contents = self._state.contents
        self._unwritten = False


def _words_for_local(command: Sequence[str], args: InstallArgs, roots: Sequence[RequestedDistribution]) -> list[str]:
    """The command that installs the requested local directories and files, and nothing else."""
    paths = {root.path for root in roots}
    targets: list[str] = []
    for requirement in args.requirements:
        if requirement.path is not None and str(requirement.path) in paths:
            # a line of a file isn't one word: it may have a comment
            shown = requirement.line if requirement.file is None else f"{requirement.path}{requirement.brackets}"
            targets += ["-e", shown] if requirement.editable else [shown]
    start = command[: list(command).index("install") + 1]
    return [*start, *args.build_options, *targets, "--no-deps"] if targets else []
