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
    Option("format", "requirements, pylock or cyclonedx", None, "FORMAT", ("requirements", "pylock", "cyclonedx")),
    Option("output", "write to FILE instead of standard output", "o", "FILE"),
    OFFLINE,
    *COMMON,
)


def run(arguments: Arguments, context: Context) -> int:
    """Print or write the lock in the requested format."""
    from setlist.lock.export import check_format, current_lock

    format_name = arguments.value("format")
    if format_name is None:
        raise UsageError("--format is missing", hint="write requirements, pylock or cyclonedx after it")
    export_format = check_format(format_name)
    session = context.select_one(arguments.words, verb="export")
    document = current_lock(context.project, context.registry.settings, session)
    text = _rendered(export_format, session, document, context, offline=arguments.flag("offline"))
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
    export_format: ExportFormat, session: SessionSpec, document: LockDocument, context: Context, *, offline: bool
) -> str:
    if export_format == "requirements":
        from setlist.lock.export import as_requirements

        return as_requirements(document)
    if export_format == "cyclonedx":
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
