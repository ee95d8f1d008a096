"""What must not be shown: the values of variables that hold secrets, masked in all that is told.

Each stretch of text that a secret covers becomes ``***``, overlapping ones together become one. A value is looked
for as it is and in the forms in which it commonly travels, see :func:`secret_values`. What a program makes of
a value beyond these (its hash, one half of it) isn't recognised.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import AnyStr

from setlist.core import system
from setlist.core.errors import SessionError, SubstitutionError
from setlist.core.events import Event, with_texts
from setlist.core.model import Pairs, SessionSpec
from setlist.registry.substitution import Values, expand_text

SHORTEST = 4
"""How many characters a value needs to be masked: shorter ones would blot out everything."""

_SHORTEST_ENCODED = 8
"""How many bytes a value needs for its base64 forms to be looked for."""


def secret_values(
    environ: Mapping[str, str], patterns: Iterable[str], *, windows: bool = system.WINDOWS
) -> tuple[str, ...]:
    """All that has to be masked: the values of the variables that ``patterns`` name, in the forms they travel in.

    These are, of each value with 4 characters or more: the value; without the white space around it; of several
    lines each line of 4 characters or more, without the white space around it; quoted for a URL; escaped as in
    JSON, in Python's ``repr``, in XML and HTML, and within the quotes of a shell; and, from 8 bytes on, what base64
    makes of it, standard and URL-safe, also where it is a part of what was encoded (``Basic`` authorisation).

    Args:
        environ: the variables that programs see.
        patterns: names of variables, as globs. Case counts, except on Windows.

    Returns:
        the values, the longest first, each once.
    """
    found: dict[str, None] = {}
    for value in secrets_in(environ, patterns, windows=windows).values():
        if len(value) >= SHORTEST:
            found.update(dict.fromkeys(form for form in _forms(value) if len(form) >= SHORTEST))
    return tuple(sorted(found, key=lambda form: (-len(form), form)))


def secrets_in(
    environ: Mapping[str, str], patterns: Iterable[str], *, windows: bool = system.WINDOWS
) -> dict[str, str]:
    """The variables that ``patterns`` name, as :func:`secret_values` has them."""
    wanted = tuple(pattern.upper() if windows else pattern for pattern in patterns)
    return {
        name: value
        for name, value in environ.items()
        if any(fnmatchcase(name.upper() if windows else name, pattern) for pattern in wanted)
    }


def unmasked_names(
    environ: Mapping[str, str], patterns: Iterable[str], *, windows: bool = system.WINDOWS
) -> tuple[str, ...]:
    """The variables that ``patterns`` name and whose values are too short to be masked, for a warning."""
    secrets = secrets_in(environ, patterns, windows=windows)
    return tuple(name for name, value in secrets.items() if 0 < len(value) < SHORTEST)


def masker_of(
    sessions: Iterable[SessionSpec], environ: Mapping[str, str], root: Path
) -> tuple[Masker | None, tuple[str, ...]]:
    """What masks the secrets of these sessions, as far as they are known before anything runs.

    The values of ``env`` tables, those of commands included, are masked as programs see them: expanded. What only a
    run can tell (``{envdir}``, a variable that a session's function sets) is added to the masker while it runs
    (:meth:`setlist.runner.output.SessionOutput.hide`).

    Args:
        sessions: all that run.
        environ: the caller's variables; those of the sessions' ``env`` come on top.
        root: the project's root, which the paths of ``env-file`` are relative to.

    Returns:
        it, None where there is nothing to mask and nothing will be; and the names of variables that are too short to be
        masked.
    """
    masker = Masker()
    unmasked: dict[str, None] = {}
    wanted = False
    for session in sessions:
        # a function may give its commands variables of which nobody knows yet, and a file may be written meanwhile
        wanted = wanted or bool(session.env_file) or (bool(session.secrets) and session.function is not None)
        from_files = _from_files(session, root) if session.env_file else {}
        if not session.secrets:
            masker.add(secret_values(from_files, ("*",)))
        else:
            for seen in _seen_by(session, {**from_files, **environ}):
                masker.add(secret_values(seen, session.secrets))
                unmasked.update(dict.fromkeys(unmasked_names(seen, session.secrets)))
    return (masker if masker or wanted else None), tuple(unmasked)


def _seen_by(session: SessionSpec, environ: Mapping[str, str]) -> Iterator[Mapping[str, str]]:
    """The variables that setlist and a session's commands see, as far as they are known before it runs."""
    yield environ
    shared = _expanded(session.env, session, environ)
    yield shared
    for command in session.commands:
        if command.env:
            yield _expanded(command.env, session, shared)


def _from_files(session: SessionSpec, root: Path) -> Mapping[str, str]:
    from setlist.runner.env_file import read_env_files

    with suppress(SessionError):  # the session will fail of that
        return read_env_files(session, root)
    return {}


def _expanded(pairs: Pairs, session: SessionSpec, environ: Mapping[str, str]) -> Mapping[str, str]:
    seen = dict(environ)
    for name, template in pairs:
        values = Values(
            session=session.name,
            python="{python}",
            project="{project}",
            envdir="{envdir}",
            tmp="{tmp}",
            environ=seen,
            axes=dict(session.axes),
        )
        try:
            seen[name] = expand_text(template, values)
        except SubstitutionError:
            # it isn't set, and the session will fail of that
            seen.pop(name, None)
    return seen


def _forms(value: str) -> Iterator[str]:
    import json
    from urllib.parse import quote, quote_plus

    yield value
    yield value.strip()
    yield from (line.strip() for line in value.splitlines())
    for text in {value, value.strip()}:
        data = _bytes(text)
        yield quote(data, safe="")
        yield quote(data)
        yield quote_plus(data)
        yield json.dumps(text)[1:-1]
        yield json.dumps(text, ensure_ascii=False)[1:-1]
        yield repr(text)[1:-1]
        # Python shows text that has an apostrophe and no quotation mark in quotation marks, bytes and tuples likewise
        yield text.replace("\\", "\\\\").replace("'", "\\'")
        for apostrophe in ("'\"'\"'", "'\\''"):  # shlex.quote, and what shells print with set -x
            yield text.replace("'", apostrophe)
        yield from _escaped_in_markup(text)
        yield from _base64_forms(data)


def _escaped_in_markup(text: str) -> Iterator[str]:
    """As in the text of an element, and in an attribute: each with the spellings of the quotation marks."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    yield text
    text = text.replace('"', "&quot;")
    yield text
    for apostrophe in ("&#x27;", "&#39;", "&apos;"):
        yield text.replace("'", apostrophe)


def _base64_forms(data: bytes) -> Iterator[str]:
    """What is sure to stand in the base64 form of anything that holds ``data``.

    Three bytes become four characters, so that depends on where in a group of three it begins. The characters at
    either end that its neighbours have a part in are left out.
    """
    from base64 import b64encode, urlsafe_b64encode

    if len(data) < _SHORTEST_ENCODED:
        return
    for before in range(3):
        first, end = -(-8 * before // 6), 8 * (before + len(data)) // 6
        for encode in (b64encode, urlsafe_b64encode):
            yield encode(bytes(before) + data).decode()[first:end]


def _bytes(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half a surrogate pair, which Windows lets into a variable
        return text.encode("utf-8", "surrogatepass")


class _Values:
    """What is looked for, ready to be used. Never changed, so that threads may share it."""

    __slots__ = ("begins", "data", "longest", "sorted", "texts")

    def __init__(self, texts: Iterable[str]) -> None:
        self.texts = tuple(sorted({text for text in texts if text}))
        self.data = tuple(map(_bytes, self.texts))
        self.sorted = sorted(self.data)
        self.begins = frozenset(value[0] for value in self.data)
        self.longest = max(map(len, self.data), default=0)


class Masker:
    """Masks values in what is told. Threads may share it.

    Args:
        values: what to mask, as :func:`secret_values` returns it.
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._lock = threading.Lock()
        self._values = _Values(values)

    def __bool__(self) -> bool:
        """Whether there is anything to mask."""
        return bool(self._values.texts)

    @property
    def values(self) -> _Values:
        """What is looked for at this moment."""
        return self._values

    def add(self, values: Iterable[str]) -> None:
        """Mask these as well, from now on, also in streams that are under way."""
        with self._lock:
            wanted = {*self._values.texts, *values}
            if len(wanted) > len(self._values.texts):
                self._values = _Values(wanted)

    def text(self, text: str) -> str:
        """The text with each stretch that secrets cover replaced by ``***``."""
        spans = _spans(text, self._values.texts)
        return _shown(text, spans, len(text), "***") if spans else text

    def stream(self) -> MaskedStream:
        """A way to mask bytes that come in pieces. One for each stream."""
        return MaskedStream(self)

    def event(self, event: Event) -> Event:
        """The event with its texts masked.

        Names of sessions and setlist's own words (a status, an action) stay what they are. ``Output`` is masked
        as well, but a secret that is split across two of them is seen by :meth:`stream` alone.
        """
        return with_texts(event, self.text) if self else event


class MaskedStream:
    """Masks bytes that come in pieces, wherever a secret is split.

    What :meth:`feed` and a last :meth:`flush` return is together what :meth:`Masker.text` makes of the whole. Held
    back is the longest end of what came that a secret could begin with, and nothing else.
    """

    __slots__ = ("_held", "_masker", "_told")

    def __init__(self, masker: Masker) -> None:
        self._masker = masker
        self._held = b""
        # how many of the first bytes held back are covered by a secret whose *** is out already
        self._told = 0

    def feed(self, data: bytes) -> bytes:
        """What can be shown now that ``data`` has come."""
        values = self._masker.values
        if not values.data:
            return data
        if self._held:
            data = self._held + data
        return self._shown(data, values, _sure(data, values))

    def flush(self) -> bytes:
        """What was held back: nothing more will come, or a while has passed."""
        return self._shown(self._held, self._masker.values, len(self._held))

    def _shown(self, data: bytes, values: _Values, end: int) -> bytes:
        """What there is to show of ``data`` up to ``end``; the rest is held back."""
        spans = _spans(data, values.data, self._told)
        told = self._told > 0
        shown = _shown(data, spans, end, b"***", told=told)
        self._held = data[end:]
        begun = (stop for begin, stop in spans if begin < end or (told and begin == 0))
        self._told = next((stop - end for stop in begun if stop > end), 0)
        return shown


def _spans(text: AnyStr, values: Sequence[AnyStr], told: int = 0) -> list[tuple[int, int]]:
    """Where secrets stand, in order: what overlaps is one. The first ``told`` places are covered anyway.

    Looking for one value after the other is ten times faster than one regular expression for all.
    """
    found = [(0, told)] if told else []
    for value in values:
        begin = text.find(value)
        while begin >= 0:
            found.append((begin, begin + len(value)))
            begin = text.find(value, begin + 1)
    if len(found) < 2:
        return found
    found.sort()
    spans = [found[0]]
    for begin, stop in found[1:]:
        last_begin, last_stop = spans[-1]
        if begin < last_stop:
            spans[-1] = (last_begin, max(last_stop, stop))
        else:
            spans.append((begin, stop))
    return spans


def _shown(text: AnyStr, spans: Sequence[tuple[int, int]], end: int, mask: AnyStr, *, told: bool = False) -> AnyStr:
    """``text`` up to ``end``, with ``mask`` for each span; not for the first where that was ``told``."""
    at = 0
    shown: list[AnyStr] = []
    for begin, stop in spans:
        if begin >= end:
            break
        if not (told and begin == 0):
            shown += (text[at:begin], mask)
        at = min(stop, end)
    if not shown and at == 0:
        return text[:end]
    shown.append(text[at:end])
    return text[:0].join(shown)


def _sure(data: bytes, values: _Values) -> int:
    """Up to where no secret begins that may go on in what comes next."""
    for place in range(max(0, len(data) - values.longest + 1), len(data)):
        if data[place] in values.begins:
            end = data[place:]
            # those that begin with it stand together, after it
            index = bisect_left(values.sorted, end)
            if index < len(values.sorted) and values.sorted[index] == end:
                index += 1
            if index < len(values.sorted) and values.sorted[index].startswith(end):
                return place
    return len(data)
