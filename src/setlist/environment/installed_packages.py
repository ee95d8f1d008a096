"""The packages of one environment, while the function of its session installs and removes some."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from setlist.core.errors import SyncFailed
from setlist.core.files import write_atomically
from setlist.core.logins import refers_to_login
from setlist.core.model import SessionSpec
from setlist.core.records import replace
from setlist.core.system import python_of
from setlist.environment.context import EnvironmentContext
from setlist.environment.freeze import installed
from setlist.environment.install_args import RequestedDistribution
from setlist.environment.requirement_lines import RequirementLine, normalised
from setlist.environment.snapshot import compare, drifted, look
from setlist.environment.state import Contents, State, forget_state
from setlist.environment.virtualenv import site_packages


class InstalledPackages:
    """What an environment holds, and the changes to it that aren't the function's own.

    Args:
        context: what the environments of a run share.
        session: whose environment it is.
        directory: the environment.
        state: its record.

    Attributes:
        contents: what it held when it was last looked at.
        interpreter: the environment's.
        lock: the descriptor of the environment's exclusive lock, while something is changed.
    """

    def __init__(self, context: EnvironmentContext, session: SessionSpec, directory: Path, state: State) -> None:
        self._context = context
        self._session = session
        self._directory = directory
        self.contents = state.contents
        self.interpreter = state.interpreter
        self.lock = -1

    @property
    def versions(self) -> dict[str, str]:
        """Name to version."""
        return {name: version for name, (version, _) in self.contents.packages.items()}

    def versions_with_origins(self) -> dict[str, str]:
        """Name to version, with the origin of what didn't come from an index."""
        origins = {
            normalised(item.name): f" @ {item.url}{f'@{item.revision}' if item.revision else ''}"
            for item in installed(self._sites())
            if item.url is not None
        }
        return {name: version + origins.get(name, "") for name, version in self.versions.items()}

    def refresh(self) -> Contents:
        """Look at what is installed now."""
        self.contents = look(self._directory, self._sites())
        return self.contents

    def may_have_changed(self) -> bool:
        """Whether a directory has changed since it was last looked at; a cheap check."""
        return drifted(self._directory, self.contents)

    def has_changed(self) -> bool:
        """Whether something has changed what is installed since it was last looked at."""
        return self.may_have_changed() and bool(compare(self.contents, look(self._directory, self._sites())))

    # --- metadata of the distributions ------------------------------------------------------------------------

    def missing(self, roots: Sequence[RequestedDistribution]) -> tuple[str, ...]:
        """The requirements, of ``roots`` and their dependencies, that aren't met."""
        from setlist.environment.dependency_closure import missing

        return missing(self._sites(), roots, self.interpreter)

    def closure(self, roots: Iterable[RequestedDistribution]) -> set[str]:
        """The names of requested distributions and of their dependencies."""
        from setlist.environment.dependency_closure import closure

        return closure(self._sites(), roots, (), self.interpreter)

    def orphaned(self, roots: Iterable[RequestedDistribution], kept: Collection[str]) -> tuple[str, ...]:
        """The names of what neither ``roots`` nor the packages ``kept`` depend on."""
        from setlist.environment.dependency_closure import orphaned

        return orphaned(self._sites(), roots, kept, self.interpreter)

    def from_paths(self, paths: Collection[Path]) -> list[str]:
        """The names of what was installed from local files or directories."""
        return [
            normalised(item.name)
            for item in installed(self._sites())
            if item.path is not None and item.path.resolve() in paths
        ]

    def compiled(self, requirements: Iterable[RequirementLine]) -> tuple[str, ...]:
        """The paths of the editable projects with compiled parts: their sources count as much as their metadata."""
        paths = {
            str(requirement.path): requirement.path.resolve()
            for requirement in requirements
            if requirement.editable and requirement.path is not None
        }
        return tuple(
            path
            for item in (installed(self._sites()) if paths else ())
            if item.editable and item.path is not None
            for path, resolved in paths.items()
            if item.path.resolve() == resolved and not self._is_pure(item.name)
        )

    def _is_pure(self, name: str) -> bool:
        for folder in self._sites():
            for info in folder.glob("*.dist-info"):
                stem = info.name.removesuffix(".dist-info").partition("-")[0]
                if normalised(stem) == normalised(name) and (info / "WHEEL").is_file():
                    return "root-is-purelib: true" in (info / "WHEEL").read_text(errors="replace").lower()
        return True

    # --- changes ----------------------------------------------------------------------------------------------

    def install_lock(self, text: str, options: Sequence[str]) -> None:
        """Install all that the session's lock holds: hash by hash, and nothing else."""
        from setlist.environment.requirements import logins_of
        from setlist.environment.sync import RESOLVED, installer_for

        file = self._directory / RESOLVED
        write_atomically(file, text, private=refers_to_login(text))
        forget_state(self._directory)
        # by uv in any case: pip would want a hash of a directory too
        uv = replace(self._session, environment=replace(self._session.environment, installer="uv"))
        logins = logins_of(self._context.project, self._session, text, self._context.caller.environ)
        installer = installer_for(self._context, uv, self.interpreter, self.lock, logins)
        installer.install(python_of(self._directory), ["--no-deps", *options, "-r", str(file)])
        self.refresh()

    def remove(self, names: Sequence[str]) -> bool:
        """Uninstall packages. False where that isn't possible, or would change another package too."""
        from setlist.environment.dependency_closure import share_files

        if not names:
            return True
        if share_files(self._sites(), names):
            return False
        others = {name: value for name, value in self.contents.packages.items() if name not in names}
        forget_state(self._directory)
        try:
            self.uninstall(names)
        except SyncFailed:
            return False
        return self.refresh().packages == others

    def uninstall(self, names: Sequence[str]) -> None:
        """Run the installer to uninstall packages.

        Raises:
            SyncFailed: it failed.
        """
        from setlist.environment.sync import installer_for

        if names:
            installer_for(self._context, self._session, self.interpreter, self.lock).uninstall(
                python_of(self._directory), names
            )

    def reset(self) -> None:
        """Restore what the environment held before the function did anything."""
        from setlist.environment.sync import back_to_base

        forget_state(self._directory)
        back_to_base(self._context, self._session, self._directory, self.interpreter, self.lock)
        self.refresh()

    def _sites(self) -> tuple[Path, ...]:
        return site_packages(self._directory)


def moved_packages(before: Contents, after: Contents) -> list[str]:
    """The names of the packages that were added, removed or installed again, sorted."""
    names: Mapping[str, object] = {**before.packages, **after.packages}
    return sorted(name for name in names if before.packages.get(name) != after.packages.get(name))
