"""Many may use an environment, one may change it, and a dead holder holds nothing."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from setlist.core.errors import StorageError
from setlist.core.files import remove_tree
from setlist.core.project import Project
from setlist.core.system import lock_shared
from setlist.environment.locking import EVERYTHING, everything, exclusive, if_free, in_use, shared

HOLD = """
import sys, time
from pathlib import Path
from setlist.environment.locking import {mode}
from setlist.core.project import Project
with {mode}(Project(Path(sys.argv[1])), "lint"):
    print("held", flush=True)
    time.sleep(60)
"""


class Holder:
    def __init__(self, root: Path, mode: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLD.format(mode=mode), str(root)], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "held\n"

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


def _acquired(project: Project, mode: object, seconds: float) -> bool:
    got = threading.Event()

    def work() -> None:
        with mode(project, "lint"):  # type: ignore[operator]
            got.set()

    threading.Thread(target=work, daemon=True).start()
    return got.wait(seconds)


def test_users_share(tmp_path: Path) -> None:
    holder = Holder(tmp_path, "shared")
    try:
        assert _acquired(Project(tmp_path), shared, 5)
    finally:
        holder.kill()


@pytest.mark.parametrize(("theirs", "ours"), [("shared", exclusive), ("exclusive", shared), ("exclusive", exclusive)])
def test_a_changer_is_alone_and_the_lock_ends_with_its_holder(tmp_path: Path, theirs: str, ours: object) -> None:
    holder = Holder(tmp_path, theirs)
    try:
        assert not _acquired(Project(tmp_path), ours, 0.3)
    finally:
        holder.kill()
    assert _acquired(Project(tmp_path), ours, 5)


def test_waiting_is_told_once(tmp_path: Path) -> None:
    holder = Holder(tmp_path, "exclusive")
    told: list[float] = []
    threading.Timer(1.0, holder.kill).start()
    started = time.monotonic()
    with shared(Project(tmp_path), "lint", lambda: told.append(time.monotonic() - started)):
        pass
    assert len(told) == 1
    assert told[0] >= 0.5


def test_another_name_is_another_lock(tmp_path: Path) -> None:
    with exclusive(Project(tmp_path), "lint"), exclusive(Project(tmp_path), "test"):
        pass


def test_a_place_that_cannot_be_locked_is_told(tmp_path: Path) -> None:
    (tmp_path / ".setlist").write_text("a file")
    with pytest.raises(StorageError, match="can't use the lock"), shared(Project(tmp_path), "lint"):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="a lock is inherited on POSIX")
def test_a_lock_lasts_as_long_as_the_process_that_works_under_it(tmp_path: Path) -> None:
    script = (
        "import os, subprocess, sys\n"
        "from pathlib import Path\n"
        "from setlist.environment.locking import exclusive\n"
        "from setlist.core.project import Project\n"
        "with exclusive(Project(Path(sys.argv[1])), 'lint') as lock:\n"
        "    subprocess.Popen(['sleep', '1.5'], pass_fds=(lock,), stdout=subprocess.DEVNULL)\n"
        "    print('started', flush=True)\n"
        "    os._exit(9)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.DEVNULL)
    assert not _acquired(Project(tmp_path), exclusive, 0.3)
    assert _acquired(Project(tmp_path), exclusive, 10)


def test_a_state_directory_in_use_is_not_removed(tmp_path: Path) -> None:
    project = Project(tmp_path)
    got = threading.Event()

    def remove() -> None:
        with everything(project):
            got.set()

    with in_use(project):
        threading.Thread(target=remove, daemon=True).start()
        assert not got.wait(0.3)
    assert got.wait(5)


@pytest.mark.parametrize("name", ["lint", EVERYTHING])
def test_a_lock_whose_file_is_there_keeps_the_state_directory(tmp_path: Path, name: str) -> None:
    # a run that is repeated by its record holds the lock of its environment only
    project = Project(tmp_path)
    with shared(project, name):
        pass
    descriptor = os.open(project.guard(name), os.O_RDWR)
    assert lock_shared(descriptor)
    got = threading.Event()

    def remove() -> None:
        with everything(project):
            got.set()

    threading.Thread(target=remove, daemon=True).start()
    assert not got.wait(0.3)
    os.close(descriptor)
    assert got.wait(5)


def test_who_waited_while_the_state_directory_was_removed_locks_a_file_that_is_there(tmp_path: Path) -> None:
    project = Project(tmp_path)
    got, done = threading.Event(), threading.Event()

    def use() -> None:
        with exclusive(project, "lint"):
            got.set()
            done.wait(5)

    with everything(project):
        threading.Thread(target=use, daemon=True).start()
        assert not got.wait(0.3)
        remove_tree(project.state)
    assert got.wait(5)
    try:
        with if_free(project, "lint") as is_free:
            assert not is_free
    finally:
        done.set()


def test_a_lock_that_cant_be_made_is_not_needed_to_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # permissions don't bind root
    real = os.open

    def read_only(path: Path, flags: int, *rest: int) -> int:
        if flags & (os.O_RDWR | os.O_CREAT):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        return real(path, flags, *rest)

    project = Project(tmp_path)
    with shared(project, "lint"):
        pass
    monkeypatch.setattr(os, "open", read_only)
    with shared(project, "lint"):
        assert project.guard("lint").exists()
    with shared(project, "other"):
        assert not project.guard("other").exists()
    with pytest.raises(StorageError, match="has to be made or changed") as caught, exclusive(project, "lint"):
        pass
    assert "read-only checkout" in str(caught.value.hint)
