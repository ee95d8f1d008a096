"""Convert a session's lock for other tools.

The formats are a requirements file, pylock.toml (PEP 751) and a CycloneDX 1.6 bill of materials in JSON. The lock must
be current. The output is the same each time, byte for byte.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from setlist.cli.options import COMMON, OFFLINE, Arguments, Option
from setlist.core.errors import StorageError, UsageError

if TYPE_CHECKING:
    from setlist.cli.context import Context
    from setlist.core.model import SessionSpec
    from setlist.lock.document import LockDocument
    from setlist.lock.export import ExportFormat

USAGE = "export SESSION --format FORMAT [-o FILE]"
OPTIONS = (
    Option("format", "requirements, pylock or cyclonedx", None, "FORMAT"),
    Option("output", "write to FILE instead of standard output", "o", "FILE"),
    OFFLINE,
    *COMMON,
)


def run(arguments: Arguments, context: Context) -> int:
    """Print or write the lock in the form that is asked for."""
    from setlist.lock.export import check_format, current_lock

    named = arguments.value("format")
    if named is None:
        raise UsageError("--format is missing", hint="write requirements, pylock or cyclonedx after it")
    wanted = check_format(named)
    session = context.select_one(arguments.words, verb="export")
    document = current_lock(context.project, context.registry.settings, session)
    text = _rendered(wanted, session, document, context, offline=arguments.flag("offline"))
    output = arguments.value("output")
    if output is None or output == "-":
        context.out.write(text)
        return 0
    from setlist.core.files import write_atomically

    try:
        write_atomically(context.caller.cwd / output, text)
    except OSError as error:
        raise StorageError(f"can't write {output}: {error.strerror or error}") from error
    context.err.line(f"wrote {output}")
    return 0


def _rendered(
    wanted: ExportFormat, session: SessionSpec, document: LockDocument, context: Context, *, offline: bool
) -> str:
    if wanted == "requirements":
        from setlist.lock.export import as_requirements

        return as_requirements(document)
    if wanted == "cyclonedx":
        from setlist.lock.cyclonedx import as_cyclonedx

        return as_cyclonedx(session.name, document, context.caller.environ.get("SOURCE_DATE_EPOCH"))
    from setlist.environment.environ import clean
    from setlist.environment.installers import InstallerSettings
    from setlist.lock.export import as_pylock
    from setlist.process.guardian import guarding
    from setlist.process.spawn import Grace, handling_signals

    installer = InstallerSettings(
        environ=clean(context.caller.environ),
        project=context.project,
        offline=offline,
        index_url=session.environment.index_url,
    )
    with guarding(Grace().terminate), handling_signals():
        return as_pylock(context.project, context.registry.settings, session, document, installer)
