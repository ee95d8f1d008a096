"""The files behind what a noxfile's function installs: as long as none is touched, its installs are the same.

A warm run (:mod:`setlist.engine.warm`) looks at nothing but signatures. They are taken before and after the files are
seen to be what they were when they were installed from, so that one that changes meanwhile isn't taken for that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from setlist.core.files import stat_signature
from setlist.environment.build_inputs import places
from setlist.environment.context import EnvironmentContext
from setlist.environment.install_args import InstallArgs, Sources, inputs_of, install_words, local_target, read_asked
from setlist.environment.install_steps import Step
from setlist.environment.state import State

MOST = 1000
"""With more files, looking at each of them is no longer what a warm run has the time for."""


def files_behind(context: EnvironmentContext, state: State) -> Mapping[str, str | None] | None:
    """The signatures of the files behind the recorded installs, by path.

    Returns:
        None where one isn't what it was, where there are too many, or where a command installs something that only
        it knows.
    """
    steps = [step for step in state.steps if step.kind != "seed"]
    if any(step.kind != "install" or step.after or not step.there for step in steps):
        return None
    known = {name: value for step in steps for name, value in step.known.items()}
    compiled = tuple(dict.fromkeys(path for step in steps for path in step.compiled))
    asked = [_asked(context, step) for step in steps]
    files = list(dict.fromkeys(path for one in asked for path in _files(one, known, compiled)))
    if len(files) > MOST:
        return None
    signed = {path: stat_signature(path) for path in files}
    sources = Sources(known, context.environ)
    for one, step in zip(asked, steps, strict=True):
        if inputs_of(one, sources, compiled) != _of_files(step):
            return None
    return signed if all(stat_signature(path) == value for path, value in signed.items()) else None


def _asked(context: EnvironmentContext, step: Step) -> InstallArgs:
    cwd = context.project.root / step.inputs.get("directory", "")
    return read_asked(install_words(step.words) or step.words, cwd, context.caller.environ)


def _of_files(step: Step) -> Mapping[str, str]:
    return {
        name: value for name, value in step.inputs.items() if name != "directory" and not name.startswith("variable ")
    }


def _files(asked: InstallArgs, known: Mapping[str, Sequence[str]], compiled: Sequence[str]) -> Iterator[str]:
    yield from map(str, (*asked.files, *asked.unread, *(file for file, _ in asked.groups)))
    for word, cwd in asked.requirements:
        target = local_target(word, cwd)
        if target is not None:
            yield from _in(target[0])
    for word, cwd in asked.editables:
        target = local_target(word, cwd) or local_target(f"./{word}", cwd)
        if target is not None:
            path = str(target[0])
            yield from _in(target[0]) if path in compiled else known.get(f"metadata {path}", ())[2:]


def _in(path: Path) -> Iterator[str]:
    if path.is_dir():
        yield from places(path)
    else:
        yield str(path)
