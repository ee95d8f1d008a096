"""Direct output of a run, and its summary.

The console is a reader of events that writes lines. It knows only what events contain, and buffers nothing: each line
is written before the next command starts. A warm run imports this module, so it imports next to nothing itself.
"""

from __future__ import annotations

from setlist.core.events import (
    ALLOWED,
    CommandFinished,
    CommandStarted,
    EnvironmentProgress,
    EnvironmentReady,
    Event,
    Message,
    Output,
    RunFinished,
    RunStarted,
    SessionFinished,
    SessionRetried,
    SessionsAdded,
    SessionStarted,
)
from setlist.core.system import WINDOWS
from setlist.reports.terminal import escaped_line

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Protocol

    from setlist.core.model import Change, SessionStatus
    from setlist.reports.terminal import Style, Terminal

    class ProgressDisplay(Protocol):
        """Says what takes long while it does (:mod:`setlist.reports.progress`). It writes nothing after ``close``."""

        def __call__(self, event: Event) -> None: ...

        def close(self) -> None: ...


SHOWN_CHANGES = 6
"""The number of packages in the line of an environment, before "and 14 more"."""

_WIDEST = 32
"""The greatest width of the column of names. Longer names don't widen it."""

_STATUS: dict[SessionStatus, tuple[str, tuple[Style, ...]]] = {
    "ok": ("ok", ("green",)),
    "flaky": ("flaky", ("yellow",)),
    "failed": ("failed", ("red", "bold")),
    "aborted": ("aborted", ("red", "bold")),
    "skipped": ("skipped", ("yellow",)),
    "interrupted": ("interrupted", ("yellow",)),
    "not-run": ("not run", ("dim",)),
}

_LATE: tuple[SessionStatus, ...] = ("interrupted", "aborted", "failed")
"""The statuses that the summary lists last, in this order."""

_LEVEL: dict[str, tuple[Style, ...]] = {"info": (), "warning": ("yellow",), "error": ("red",)}


def _word(finished: SessionFinished) -> tuple[str, tuple[Style, ...]]:
    """The result of a session in a word or two, and its style."""
    if finished.is_allowed:
        return ALLOWED, ("yellow",)
    return _STATUS[finished.status]


def _lateness(finished: SessionFinished) -> int:
    return -1 if finished.is_allowed or finished.status not in _LATE else _LATE.index(finished.status)


def duration_text(seconds: float) -> str:
    """A duration for people: ``0.4s``, ``1m 04s``, ``2h 03m``."""
    if seconds < 59.95:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m {rest:02d}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02d}m"


def size_text(size: float) -> str:
    """A size in bytes for people: ``80 kB``, ``1.2 GB``."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 10 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def command_text(words: Sequence[str], *, windows: bool = WINDOWS) -> str:
    """A command as it is typed in a shell."""
    if windows:
        from subprocess import list2cmdline

        return list2cmdline(words)
    return " ".join(map(_quoted, words))


_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-")
"""The characters that mean nothing to a shell."""


def _quoted(word: str) -> str:
    """A word as a shell takes it: what ``shlex.quote`` returns, without the regular expressions that it imports."""
    if word and _PLAIN.issuperset(word):
        return word
    return "'" + word.replace("'", "'\"'\"'") + "'"


def end_text(code: int, *, timed_out: bool = False, duration: float = 0.0) -> str:
    """The end of a command: ``exit code 2``, ``killed by SIGSEGV``, ``timed out after 10s``."""
    if timed_out:
        return f"timed out after {duration_text(duration)}"
    if code >= 0:
        return f"exit code {code}"
    import signal

    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


def action_text(event: EnvironmentReady, *, verbose: bool = False) -> str:
    """What happened to an environment, in one line: ``reused``, ``synced: + rich 14.0``."""
    action, changes = event.action, event.changes
    if action == "none":
        return "no environment of its own"
    text: str = action
    # The changed packages show that a definition was edited; other reasons are shown too
    reasons = [
        reason for reason in event.reasons if verbose or not changes or not reason.startswith(("deps ", "group "))
    ]
    if reasons:
        text += f" ({', '.join(reasons)})"
    if not changes:
        return text
    added = [change for change in changes if change.old is None]
    if action != "synced" and len(added) == len(changes) and not verbose:
        return f"{text}: {len(changes)} package{'s' if len(changes) != 1 else ''}"
    return f"{text}: {changes_text(changes, None if verbose else SHOWN_CHANGES)}"


def changes_text(changes: Sequence[Change], shown: int | None = None) -> str:
    """The packages that changed, ``shown`` of them by name."""
    # One more name is no longer than "and 1 more"
    if shown is None or len(changes) <= shown + 1:
        return ", ".join(map(str, changes))
    return ", ".join(map(str, changes[:shown])) + f" and {len(changes) - shown} more"


def one_line(text: str) -> str:
    """The first line of a text, escaped, with an ellipsis if there is more."""
    first, newline, rest = text.strip().partition("\n")
    first = escaped_line(first.rstrip())
    return f"{first} …" if newline and rest else first


class Console:
    """Writes the events of a run as they occur.

    Args:
        terminal: the terminal to write to.
        verbosity: below 0, only failures; 0, the default; 1 and more, also reasons, every change, and durations.
        named: whether lines name their session; not if each line has a prefix that does.
        log_of: gives the name of a session's log, None if it has none.
        progress: returns what shows the progress of an installer, for a terminal, the beginning of the line, and the
            start of what takes long. None: nothing is shown of it.
    """

    def __init__(
        self,
        terminal: Terminal,
        *,
        verbosity: int = 0,
        named: bool = True,
        log_of: Callable[[str], str | None] | None = None,
        progress: Callable[[Terminal, str, SessionStarted], ProgressDisplay] | None = None,
    ) -> None:
        self._terminal = terminal
        self._verbosity = verbosity
        self._named = named
        self._log_of = log_of
        self._sessions: tuple[str, ...] = ()
        self._jobs = 1
        self._width = 0
        self._finished: list[SessionFinished] = []
        self._command: CommandStarted | None = None
        self._headed: str | None = None
        self._new_progress = progress if verbosity >= 0 else None
        self._started: SessionStarted | None = None
        self._preparing = False
        self._progress: ProgressDisplay | None = None

    def __call__(self, event: Event) -> None:
        if isinstance(event, EnvironmentProgress):
            self._show_progress(event)
            return
        self.close()
        self._started = None
        if isinstance(event, CommandStarted):
            self._command = event
            if self._verbosity >= 0:
                self._show_command(event)
        elif isinstance(event, CommandFinished):
            self._command_finished(event)
        elif isinstance(event, EnvironmentReady):
            self._environment_ready(event)
        elif isinstance(event, Output):
            self._terminal.pass_on(event.data)
        elif isinstance(event, Message):
            self._message(event)
        elif isinstance(event, SessionRetried):
            if self._verbosity >= 0:
                self._note(f"try {event.attempt} of {event.attempts}: {one_line(event.reason)}", "yellow")
        elif isinstance(event, SessionFinished):
            self._finished.append(event)
        elif isinstance(event, RunStarted):
            self._sessions, self._jobs = event.sessions, event.jobs
            self._width = column_of(event.sessions)
        elif isinstance(event, SessionsAdded):
            self._sessions += event.sessions
            self._width = column_of(self._sessions)
        elif isinstance(event, RunFinished):
            self._summary(event)
        elif isinstance(event, SessionStarted):
            self._session_started(event)

    def close(self) -> None:
        """Erase the temporary line."""
        if self._progress is not None:
            self._progress.close()
            self._progress = None
        if self._preparing:
            self._preparing = False
            self._terminal.put("\r\x1b[K")

    def _session_started(self, event: SessionStarted) -> None:
        self._command = None
        self._started = event
        if self._new_progress is not None and self._terminal.color and self._terminal.interactive:
            # The next line overwrites it, so it is visible only if preparing takes long
            self._preparing = True
            self._terminal.write(f"{event.session.ljust(self._width)}  preparing…")

    def _show_progress(self, event: EnvironmentProgress) -> None:
        """Show what an installer does: of a session that has just started, or of one whose function installs."""
        if self._new_progress is None:
            return
        if self._progress is None:
            if event.step == "done":
                return
            began = self._started or SessionStarted(time=event.time, session=event.session)
            self._progress = self._new_progress(self._terminal, event.session.ljust(self._width), began)
        self._progress(event)
        if event.step == "done" and self._started is None:
            # the function writes to the terminal next
            self.close()

    def _environment_ready(self, event: EnvironmentReady) -> None:
        self._headed = event.session
        if self._verbosity < 0:
            return
        verbose = self._verbosity > 0
        terminal = self._terminal
        text = action_text(event, verbose=verbose)
        if verbose and event.action != "none":
            text += f" [{duration_text(event.duration)}]"
        name = terminal.styled(event.session, "bold") + " " * (self._width - len(event.session)) + "  "
        terminal.line(f"{name if self._named else ''}{event.interpreter} {terminal.styled('·', 'dim')} {text}")

    def _show_command(self, event: CommandStarted) -> None:
        # One word with spaces is a line for the system's shell
        is_line = len(event.command) == 1 and " " in event.command[0]
        text = event.command[0] if is_line else command_text(event.command)
        if self._verbosity <= 0:
            text = one_line(text)
        self._terminal.lines(f"  {self._terminal.styled('$', 'dim')} {self._terminal.styled(text, 'cyan')}")

    def _command_finished(self, event: CommandFinished) -> None:
        ended = end_text(event.code, timed_out=event.timed_out, duration=event.duration)
        if not event.ok:
            if self._verbosity < 0 and self._command is not None:
                if self._named:
                    self._terminal.line(self._terminal.styled(event.session, "bold"))
                self._show_command(self._command)
            self._note(f"✗ {ended}", "red")
        elif self._verbosity < 0:
            pass
        elif event.code != 0 or event.timed_out:
            self._note(f"{ended}, which is allowed", "yellow")
        elif self._verbosity > 0:
            self._note(duration_text(event.duration), "dim")

    def _message(self, event: Message) -> None:
        quiet = self._verbosity < 0
        if quiet and event.level == "info":
            return
        label = "" if event.level == "info" else f"{event.level}: "
        indent = "" if event.session is None else "  "
        if quiet and event.session is not None and self._named:
            # No line above names the session
            label, indent = f"{event.session}: {label}", ""
        elif event.session not in (None, self._headed) and self._named:
            # The line of its environment is still to come, or never does
            self._headed = event.session
            self._terminal.line(self._terminal.styled(event.session or "", "bold"))
        first, *others = event.text.splitlines() or [""]
        self._terminal.line(indent + self._terminal.styled(label + first, *_LEVEL[event.level]))
        for line in others:
            self._terminal.line(f"{indent}{line}".rstrip())

    def _note(self, text: str, style: Style) -> None:
        self._terminal.line("  " + self._terminal.styled(text, style))

    def start_text(self, session: str) -> str:
        """The line for the start of a session."""
        return f"{session}  {self._terminal.styled('started', 'dim')}"

    def ending(self, finished: SessionFinished) -> str:
        """The line for the end of a session."""
        return self._summary_line(finished, 0, 0)

    def _summary(self, event: RunFinished) -> None:
        place = {name: position for position, name in enumerate(self._sessions)}
        finished = sorted(self._finished, key=lambda one: place.get(one.session, len(place)))
        # Failures last, next to the prompt
        finished.sort(key=_lateness)
        shown = [one for one in finished if self._verbosity >= 0 or one.status != "ok"]
        width = column_of([one.session for one in shown])
        words = max((len(_word(one)[0]) for one in shown), default=0)
        for one in shown:
            self._terminal.line(self._summary_line(one, width, words))
            log = self._log_of(one.session) if self._log_of is not None and one.status in _LATE else None
            if log is not None:
                self._terminal.line(f"  {self._terminal.styled('log:', 'dim')} {log}")
        if self._jobs > 1 and len(finished) > 1 and self._verbosity >= 0:
            from setlist.reports.results import counted

            counts = counted([_word(one)[0] for one in finished], _STATUS)
            self._terminal.line(self._terminal.styled(f"{counts} in {duration_text(event.duration)}", "dim"))
        elif self._verbosity > 0 and len(shown) > 1:
            self._terminal.line(self._terminal.styled(f"{len(shown)} sessions, {duration_text(event.duration)}", "dim"))
        self._finished.clear()

    def _summary_line(self, finished: SessionFinished, width: int, words: int) -> str:
        word, styles = _word(finished)
        reason = None if finished.reason is None else one_line(finished.reason)
        if finished.status == "flaky" and reason is None:
            reason = f"passed at try {finished.attempts}"
        duration = (
            duration_text(finished.duration) if finished.status in ("ok", "flaky", "failed", "interrupted") else None
        )
        if finished.status == "interrupted" and reason is not None:
            duration = None
        details = "  ".join(part for part in (duration, reason) if part is not None)
        name = f"{finished.session.ljust(width)}  " if self._named else ""
        return f"{name}{self._terminal.styled(word, *styles)}{' ' * (words - len(word))}  {details}".rstrip()


def column_of(names: Sequence[str]) -> int:
    return max((len(name) for name in names if len(name) <= _WIDEST), default=0)
