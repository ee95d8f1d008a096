"""What a noxfile's function installs, compared as it happens with what it installed last time.

Nothing is known before it is asked for, so all is in place from the last run, and each step either was the same then
(nothing is done) or is done now, in place. What then nobody has asked for goes before the next command runs: what
hangs by nothing that was asked for, as the distributions' own metadata tell. Where that can't be told, or where what is
left out had changed what stays, the environment is made anew, and what was installed so far once more.

docs/nox.md says what a person has to know of it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from setlist.environment import guard
from setlist.environment.asked import Asked, Root, Sources, inputs_of, install_words, local_target, read_asked, roots_of
from setlist.environment.contents import compare, drifted, look
from setlist.environment.creation import site_packages
from setlist.environment.freeze import installed
from setlist.environment.locked import Locked
from setlist.environment.names import normalised
from setlist.environment.resources import Resources
from setlist.environment.state import State, forget_state, read_state
from setlist.environment.steps import Step, data_of, steps_of
from setlist.errors import SessionError
from setlist.files import digest
from setlist.model import Change, InputChange, SessionSpec
from setlist.records import as_mapping, replace
from setlist.system import python_of

RESOLVED = "resolved.txt"
"""What was installed from a lock, kept in the environment."""

CONSTRAINTS = "constraints.txt"
"""The versions that an environment held when it was made anew, kept in it."""


class Recorder:
    """The steps of one run of a session's function.

    Args:
        resources: what the environments of a run share.
        session: whose environment it is.
        directory: the environment.
        hold: holds the environment unchanged; it is let go and taken again around a change.
    """

    def __init__(self, resources: Resources, session: SessionSpec, directory: Path, hold: ExitStack) -> None:
        self._resources = resources
        self._session = session
        self._directory = directory
        self._hold = hold
        self._changing: ExitStack | None = None
        self._lock = -1
        self._commands = 0
        self._done: list[Step] = []
        self._runs: list[Step] = []
        self._changed: set[str] = set()
        self._unwritten = False
        self._untidy = False
        self._doubtful = False
        self._broken = False
        self._pending: tuple[Asked, tuple[str, ...], dict[str, str]] | None = None
        self._locked: Locked | None = None
        self._looked_for_lock = False
        self._take(self._read())

    def _read(self) -> State:
        state = read_state(self._directory)
        if state is None:
            raise SessionError("the environment was taken apart", hint=f"run {self._session.name} again")
        return state

    def _take(self, state: State) -> None:
        """Let what is recorded be what the coming steps are compared with."""
        self._state = state
        self._contents = state.contents
        steps = steps_of(state.steps)
        self._seeds = next((step.brought for step in steps if step.kind == "seed"), tuple(state.contents.packages))
        self._left = [step for step in steps if step.kind == "install"]
        self._left_runs = [step for step in steps if step.kind == "run"]
        self._known: dict[str, Sequence[str]] = {}
        self._compiled: set[str] = set()
        for step in steps:
            self._known |= step.known
            self._compiled |= set(step.compiled)

    # --- one install ----------------------------------------------------------------------------------------

    def install(self, command: Sequence[str], env: Mapping[str, str | None], cwd: Path) -> dict[str, Any]:
        """Decide about an install that the function asks for.

        Returns:
            ``do`` is ``skip`` (it was done last time), ``run``, or ``replay``: first those from before once more, with
            ``words`` at their ends.

        Raises:
            SetlistError: the environment can't be changed.
        """
        words = _plain(command)
        asked, inputs = self._look_at(words, env, cwd)
        if self._skips(words, inputs):
            return {"do": "skip"}
        if self._changing is None:
            self._begin()
            if self._skips(words, inputs):
                return {"do": "skip"}  # the run that was waited for has done it
        answer: dict[str, Any] = {"do": "run"}
        roots = roots_of(asked)
        if self._install_lock() and self._lock_holds(asked, words, inputs, roots):
            return {"do": "skip"}
        if self._locked is not None and roots is not None and all(root.path for root in roots):
            answer["extra"] = ["--no-deps"]  # which are in the lock
        if self._left and (roots is None or any(step.overrides or step.roots is None for step in self._left)):
            # what is left over couldn't be told from what it brings
            if self._commands == 0:
                answer |= self._made_anew()
            else:
                self._doubtful = True
        forget_state(self._directory)
        self._remove_changed(inputs)
        self._contents = self._look()
        self._pending = (asked, words, inputs)
        self._untidy = True
        return answer

    def _install_lock(self) -> bool:
        """Install all that the session's lock holds, once; whether it has one."""
        from setlist.environment.mend import installer_for

        locks = self._resources.locks
        if locks is None:
            return False
        if not self._looked_for_lock:
            self._looked_for_lock = True
            self._locked = locks.find(self._session)
            if self._locked is not None and self._locked.text and not self._state.steps and not self._done:
                # hash by hash, and nothing else. By uv in any case: pip would want a hash of a directory too
                file = self._directory / RESOLVED
                file.write_text(self._locked.text, encoding="utf-8")
                forget_state(self._directory)
                uv = replace(self._session, environment=replace(self._session.environment, installer="uv"))
                installer = installer_for(self._resources, uv, self._state.interpreter, self._lock)
                installer.install(python_of(self._directory), ["--no-deps", "-r", str(file)])
                self._contents = self._look()
                self._untidy = self._unwritten = True
        return self._locked is not None

    def _lock_holds(
        self, asked: Asked, words: tuple[str, ...], inputs: dict[str, str], roots: tuple[Root, ...] | None
    ) -> bool:
        """Whether an install is done with what the lock holds; one of local directories never is.

        Raises:
            LockOutOfDate: it isn't, and must be.
        """
        from setlist.environment.reach import lacking

        locks = self._resources.locks
        assert locks is not None
        named = [root for root in roots or () if root.name is not None]
        missing: tuple[str, ...] = ("what can't be told",)
        if roots is not None:
            missing = lacking(site_packages(self._directory), named, self._state.interpreter)
        if missing:
            locks.out_of_date(self._session, ", ".join(missing))
            return False
        assert roots is not None
        if len(named) < len(roots):
            return False
        self._note_install(asked, words, inputs, (), ())
        return True

    def installed(self, *, ok: bool) -> tuple[Change, ...]:
        """What was decided to be run has ended.

        Returns:
            the packages that moved.
        """
        assert self._pending is not None
        asked, words, inputs = self._pending
        self._pending = None
        before, now = self._contents, self._look()
        self._contents = now
        moved = tuple(
            name
            for name in sorted(before.packages.keys() | now.packages.keys())
            if before.packages.get(name) != now.packages.get(name)
        )
        self._changed |= set(moved)
        if not ok:
            if not compare(before, now):
                # installers fetch and build everything before they change anything
                self._write([*self._done, *self._left])
            else:
                self._broken = True
            self._end()
            return ()
        self._note_install(asked, words, inputs, moved, tuple(name for name in moved if name in before.packages))
        return tuple(
            Change(name, before.packages.get(name, (None,))[0], now.packages.get(name, (None,))[0]) for name in moved
        )

    def _note_install(
        self,
        asked: Asked,
        words: tuple[str, ...],
        inputs: dict[str, str],
        moved: tuple[str, ...],
        overrides: tuple[str, ...],
    ) -> None:
        compiled = self._compiled_of(asked)
        self._compiled |= set(compiled)
        # a build may have left something among the sources: it isn't to look like a change
        sources = Sources({})
        after = inputs_of(asked, sources, tuple(self._compiled))
        inputs |= {name: value for name, value in after.items() if name.startswith(("local ", "editable "))}
        roots = roots_of(asked)
        self._done.append(
            Step(
                kind="install",
                words=words,
                inputs=inputs,
                roots=None if roots is None else tuple(as_mapping(root) for root in roots),
                brought=moved,
                overrides=overrides,
                after=self._commands,
                known=dict(sources.known),
                compiled=compiled,
            )
        )
        self._left = [step for step in self._left if step.words != words]
        self._unwritten = True

    def _look_at(
        self, words: tuple[str, ...], env: Mapping[str, str | None], cwd: Path
    ) -> tuple[Asked, dict[str, str]]:
        environ = {**self._resources.caller.environ, **{name: value or "" for name, value in env.items()}}
        asked = read_asked(install_words(words) or words, cwd, environ)
        inputs = inputs_of(asked, Sources(self._known), tuple(self._compiled))
        inputs["directory"] = self._resources.project.relative(cwd)
        inputs |= {f"variable {name}": digest(repr(value))[:12] for name, value in env.items()}
        return asked, inputs

    def _skips(self, words: tuple[str, ...], inputs: Mapping[str, str]) -> bool:
        """Whether a step is what is recorded at this place, or further on, and still there."""
        if self._moved():
            return False
        for place, step in enumerate(self._left):
            if step.same_as("install", words, inputs):
                if any(earlier.overrides for earlier in self._left[:place]) or self._touched(step):
                    return False
                self._done.append(replace(step, after=self._commands))
                self._unwritten = self._unwritten or step.after != self._commands
                # those before it aren't asked for any more, or later
                del self._left[place]
                return True
        return False

    def _touched(self, step: Step) -> bool:
        """Whether what hangs by a step may not be what it was any more, after what this run has done."""
        if not self._changed:
            return False
        if step.roots is None or not self._changed <= self._contents.packages.keys():
            return True
        from setlist.environment.reach import reached

        names = reached(site_packages(self._directory), _roots(step), (), self._state.interpreter)
        return not self._changed.isdisjoint(names)

    def _moved(self) -> bool:
        """Whether something else than the recorded steps has changed what is installed."""
        if not drifted(self._directory, self._contents):
            return False
        return bool(compare(self._contents, self._look()))

    def _remove_changed(self, inputs: Mapping[str, str]) -> None:
        """Take out what was built from local files that have changed: installers see the same version, and leave it."""
        before = {name: value for step in self._left for name, value in step.inputs.items()}
        changed = {
            str(Path(name.partition(" ")[2]).resolve())
            for name, value in inputs.items()
            if name.startswith("local ") and before.get(name, value) != value
        }
        if changed:
            self._uninstall(
                [
                    normalised(item.name)
                    for item in installed(site_packages(self._directory))
                    if item.path is not None and str(item.path.resolve()) in changed
                ]
            )

    def _compiled_of(self, asked: Asked) -> tuple[str, ...]:
        """The editable projects that aren't Python alone: their sources are as good as their metadata."""
        paths = {
            str(target[0]): target[0].resolve()
            for word, cwd in asked.editables
            if (target := local_target(word, cwd)) is not None
        }
        if not paths:
            return ()
        found = []
        for item in installed(site_packages(self._directory)):
            if item.editable and item.path is not None:
                for name, path in paths.items():
                    if item.path.resolve() == path and not self._is_pure(item.name):
                        found.append(name)
        return tuple(found)

    def _is_pure(self, name: str) -> bool:
        for folder in site_packages(self._directory):
            for info in folder.glob("*.dist-info"):
                stem = info.name.removesuffix(".dist-info").partition("-")[0]
                if normalised(stem) == normalised(name) and (info / "WHEEL").is_file():
                    return "root-is-purelib: true" in (info / "WHEEL").read_text(errors="replace").lower()
        return True

    # --- other commands -------------------------------------------------------------------------------------

    def settle(self) -> tuple[Change, ...]:
        """A command is about to run: the environment is to hold what was asked for so far, and nothing else.

        Returns:
            the packages that moved.
        """
        changes = self._settled(all_of_it=False)
        self._commands += 1
        return changes

    def ran(self, command: Sequence[str], env: Mapping[str, str | None], cwd: Path) -> None:
        """A command has run: see what it has changed."""
        words = _plain(command)
        known = next((step for step in self._left_runs if step.words == words), None)
        moved: tuple[str, ...] = ()
        if drifted(self._directory, self._contents):
            now = self._look()
            drift = compare(self._contents, now)
            if drift:
                moved = drift.packages
                self._changed |= set(moved)
            self._contents = now
            self._unwritten = True
        if known is None and not moved and install_words(words) is None:
            return
        if known is not None:
            self._left_runs.remove(known)
        self._note_run(words, env, cwd, moved, known)

    def _note_run(
        self,
        words: tuple[str, ...],
        env: Mapping[str, str | None],
        cwd: Path,
        moved: tuple[str, ...],
        known: Step | None,
    ) -> None:
        readable = install_words(words) is not None
        roots: tuple[Root, ...] | None = None
        inputs: dict[str, str] = {}
        if readable:
            asked, inputs = self._look_at(words, env, cwd)
            roots = roots_of(asked)
        brought = tuple(
            sorted({*moved, *(known.brought if known is not None else ())} & self._contents.packages.keys())
        )
        step = Step(
            kind="run",
            words=words,
            inputs=inputs,
            roots=None if roots is None else tuple(as_mapping(root) for root in roots),
            brought=brought,
            after=self._commands,
            sources="" if roots is None and not _is_exact(words) else None,
        )
        self._runs.append(step)
        if known is not None and step.inputs != known.inputs:
            self._untidy = True
        if known is None or moved or self._untidy:
            self._write([*self._done, *self._left])

    def finish(self, *, ok: bool) -> tuple[Change, ...]:
        """The function has ended.

        Returns:
            the packages that moved.
        """
        changes: tuple[Change, ...] = ()
        try:
            if ok:
                changes = self._settled(all_of_it=True)
            elif self._unwritten and self._pending is None:
                self._write([*self._done, *self._left])
        finally:
            self._end()
        return changes

    # --- changing -------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Have the environment to ourselves."""
        self._hold.close()
        self._changing = ExitStack()
        name = self._session.name
        try:
            self._lock = self._changing.enter_context(
                guard.exclusive(self._resources.project, name, self._resources.waiting(name))
            )
        except BaseException:
            self._changing = None
            raise
        state = read_state(self._directory)
        if (
            state is None
            or state.steps != self._state.steps
            or state.contents.packages != self._state.contents.packages
        ):
            done, self._done = self._done, []
            if state is None:
                raise SessionError("the environment was taken apart by another run", hint=f"run {name} again")
            self._take(state)
            # another run was here. What we have passed must still be there, in this order
            for step in done:
                if not self._skips(step.words, step.inputs):
                    raise SessionError("another run has changed the environment", hint=f"run {name} again")

    def _end(self) -> None:
        """Let others use the environment again."""
        if self._changing is None:
            return
        self._changing.close()
        self._changing = None
        name = self._session.name
        self._hold.enter_context(guard.shared(self._resources.project, name, self._resources.waiting(name)))

    def _settled(self, *, all_of_it: bool) -> tuple[Change, ...]:
        dropped = [step for step in self._left if all_of_it or step.after <= self._commands]
        gone_runs = self._left_runs if all_of_it else []
        changes: tuple[Change, ...] = ()
        if dropped or gone_runs or self._untidy:
            if self._changing is None:
                self._begin()
                dropped = [step for step in self._left if all_of_it or step.after <= self._commands]
            self._left = [step for step in self._left if step not in dropped]
            if any(step.overrides for step in dropped):
                self._doubtful = True
            if all_of_it:
                self._left_runs = []
            changes = self._remove_left_over()
            self._untidy = False
            self._unwritten = True
        if self._unwritten:
            self._write([*self._done, *self._left])
        self._end()
        return changes

    def _remove_left_over(self) -> tuple[Change, ...]:
        from setlist.environment.reach import left_over

        steps = [*self._done, *self._left, *self._runs, *self._left_runs]
        kept = set(self._seeds)
        roots: list[Root] = []
        for step in steps:
            if step.roots is None:
                kept |= set(step.brought)
            else:
                roots += _roots(step)
        names = left_over(site_packages(self._directory), roots, kept, self._state.interpreter)
        if not names:
            return ()
        forget_state(self._directory)
        before = self._contents.packages
        self._uninstall(names)
        self._contents = self._look()
        self._changed -= set(names)  # by which nothing hangs
        return tuple(Change(name, before[name][0], None) for name in names if name in before)

    def _uninstall(self, names: Sequence[str]) -> None:
        from setlist.environment.mend import installer_for

        if names:
            installer_for(self._resources, self._session, self._state.interpreter, self._lock).uninstall(
                python_of(self._directory), names
            )

    def _made_anew(self) -> dict[str, Any]:
        """Make the environment anew; the installs so far are to be done again, in the versions that there were."""
        from setlist.environment.mend import make_bare

        # what a step has changed was another version before it
        changed = {name for step in (*self._done, *self._left) for name in step.overrides}
        lines = [
            f"{item.name}=={item.version}\n"
            for item in installed(site_packages(self._directory))
            if item.url is None and normalised(item.name) not in changed
        ]
        forget_state(self._directory)
        make_bare(self._resources, self._session, self._directory, self._state.interpreter)
        constraints = self._directory / CONSTRAINTS
        constraints.write_text("".join(lines), encoding="utf-8")
        self._left, self._left_runs = [], []
        self._contents = self._look()
        if not self._done:
            return {"do": "run"}
        return {"do": "replay", "words": ["-c", str(constraints)]}

    def _look(self) -> Any:
        return look(self._directory, site_packages(self._directory))

    def _write(self, installs: Sequence[Step]) -> None:
        from setlist.environment.mend import record_steps
        from setlist.environment.sources import sign_sources

        if self._doubtful or self._broken:
            # nobody can say that it is what a new one would be: the next run makes a new one
            forget_state(self._directory)
            return
        runs = [*self._runs, *self._left_runs]
        if any(step.sources == "" for step in runs):
            signature = sign_sources(self._resources.project.root)
            runs = [replace(step, sources=signature) if step.sources == "" else step for step in runs]
        seed = Step(kind="seed", words=(), inputs={}, brought=self._seeds)
        direct = {root["name"] for step in (*installs, *runs) for root in step.roots or () if root["name"] is not None}
        self._state = record_steps(
            self._resources,
            self._session,
            self._directory,
            replace(self._state, direct=tuple(sorted(direct))),
            data_of([seed, *installs, *runs]),
        )
        self._contents = self._state.contents
        self._unwritten = False


def stale_by_commands(state: State, root: Path) -> str | None:
    """The command that installed something nobody can read, where files of the project have changed since.

    It will run again, but what it no longer brings would stay: the environment is to be made anew.
    """
    from setlist.environment.sources import sign_sources

    for step in steps_of(state.steps):
        if step.sources and step.brought and step.sources != sign_sources(root):
            return " ".join(step.words)
    return None


def installs_then_and_now(resources: Resources, state: State) -> tuple[InputChange, ...]:
    """What a noxfile's function installed last time, and whether what is behind it is still the same.

    Whether it would install the same again only it knows.
    """
    found = []
    for step in steps_of(state.steps):
        words = install_words(step.words)
        if step.kind == "seed" or words is None:
            continue
        cwd = resources.project.root / step.inputs.get("directory", "")
        asked = read_asked(words, cwd, resources.caller.environ)
        now = inputs_of(asked, Sources(step.known), step.compiled)
        then = {name: value for name, value in step.inputs.items() if name in now or not name.startswith("variable ")}
        then.pop("directory", None)
        changed = [name for name in sorted(then.keys() | now.keys()) if then.get(name) != now.get(name)]
        told = ", ".join(resources.project.relative(name.rpartition(" ")[2]) for name in changed)
        new = f"{told} changed" if changed else "as recorded"
        found.append(InputChange(" ".join(step.words), "as recorded", new, bool(changed)))
    return tuple(found)


def _roots(step: Step) -> list[Root]:
    return [Root(**{**root, "extras": tuple(root["extras"])}) for root in step.roots or ()]


def _plain(command: Sequence[str]) -> tuple[str, ...]:
    """A command with its program's name: uv may be named by its path."""
    name = os.path.basename(command[0])
    return ("uv" if name in ("uv", "uv.exe") else command[0], *command[1:])


def _is_exact(words: Sequence[str]) -> bool:
    """Whether a command leaves nothing behind of what it once brought."""
    if tuple(words[:3]) == ("uv", "pip", "sync"):
        return True
    return tuple(words[:2]) == ("uv", "sync") and "--inexact" not in words
