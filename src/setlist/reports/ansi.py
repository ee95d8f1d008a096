"""Control sequences in the output of commands: track colours, filter sequences, and reduce output to plain text.

The sequences are those of ECMA-48; colours are its SGR (``ESC [ … m``) with the usual additions. Output arrives in
pieces. A sequence that the end of a piece cuts is held back until the rest arrives.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

_CSI = r"\[[0-?]*[ -/]*[@-~]"
_STRING = r"[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)"  # a title, a link, what is meant for a device
_OTHER = r"[ -/]*[0-~]?"
_UNFINISHED = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b]*\x1b?|[ -/]*)\Z")
_COLOR = re.compile(r"\x1b\[([0-9;:]{0,64})m")
_AT_THE_END = re.compile(r"(?:\x1b\[[0-9;:]*[mK])+\Z")

ESCAPE = b"\x1b"

Keep = Literal["all", "line", "colour", "nothing"]


class _Forbidden:
    """Removes control characters and sequences, except the ``allowed`` CSI sequences.

    Args:
        allowed: the final characters of sequences to keep.
        passing: the control characters to keep.
    """

    def __init__(self, allowed: str, passing: str) -> None:
        ascii_ones = bytes((*range(0x20), 0x7F)).translate(None, passing.encode())
        others = f"{re.escape(ascii_ones.replace(ESCAPE, b'').decode())}\x80-\x9f"
        sequence = f"(?:{_CSI}|{_STRING}|{_OTHER})"
        but = rf"(?!\[[0-?]*[ -/]*[{allowed}])" if allowed else ""
        # A character class comes first: the regular expression engine finds it many times faster than alternatives
        self._pattern = re.compile(f"[\x1b{others}](?:(?<!\x1b)[{others}]*|{but}{sequence})")
        self._controls = ascii_ones

    def removed_from(self, text: str) -> str:
        """The text without them. Most texts contain none, which is checked at the speed of copying."""
        data = text.encode("utf-8", "surrogatepass")
        # The first byte of U+0080 to U+009F in UTF-8, and of some letters and signs
        if b"\xc2" not in data and len(data.translate(None, self._controls)) == len(data):
            return text
        return self._pattern.sub("", text)


# From U+0080 on a control character is a whole sequence. Tabs and line ends always pass
_FORBIDDEN: dict[Keep, _Forbidden] = {
    "line": _Forbidden("mK", "\b\t\n\r"),
    "colour": _Forbidden("m", "\t\n\r"),
    "nothing": _Forbidden("", "\t\n\r"),
}

LONGEST = 4096
"""The greatest number of characters of an unfinished sequence that are held back."""

_ON = {
    1: "bold",
    2: "dim",
    3: "italic",
    4: "underline",
    5: "blink",
    6: "blink",
    7: "reverse",
    8: "conceal",
    9: "strike",
    21: "underline",
    53: "overline",
}
_OFF = {
    22: ("bold", "dim"),
    23: ("italic",),
    24: ("underline",),
    25: ("blink",),
    27: ("reverse",),
    28: ("conceal",),
    29: ("strike",),
    39: ("foreground",),
    49: ("background",),
    55: ("overline",),
    59: ("line",),
}
_EXTENDED = {38: "foreground", 48: "background", 58: "line"}

RESET = "\x1b[0m"


class Colours:
    """Which colours and styles are on after what was written so far."""

    def __init__(self) -> None:
        self._on: dict[str, str] = {}

    def __bool__(self) -> bool:
        return bool(self._on)

    @property
    def sequence(self) -> str:
        """What switches them on again; empty when there are none."""
        return f"\x1b[{';'.join(self._on.values())}m" if self._on else ""

    def reset(self) -> None:
        """Nothing is on."""
        self._on.clear()

    def take(self, text: str) -> None:
        """Look at what is written next."""
        # what came before the last reset has no part in it
        begin = max(text.rfind(RESET), text.rfind("\x1b[m"))
        if begin >= 0:
            self._on.clear()
            text = text[begin:]
        for found in _COLOR.finditer(text):
            self._parameters(found[1])

    def _parameters(self, text: str) -> None:
        words = iter(text.split(";"))
        for word in words:
            first = word.partition(":")[0]
            code = int(first) if first else 0
            if code == 0:
                self._on.clear()
            elif code in _EXTENDED:
                self._on[_EXTENDED[code]] = word if ":" in word else ";".join([word, *_arguments(words)])
            elif word == "4:0":
                self._on.pop("underline", None)
            elif code in _ON:
                self._on[_ON[code]] = word
            elif code in _OFF:
                for name in _OFF[code]:
                    self._on.pop(name, None)
            elif 30 <= code <= 37 or 90 <= code <= 97:
                self._on["foreground"] = word
            elif 40 <= code <= 47 or 100 <= code <= 107:
                self._on["background"] = word


def _arguments(words: Iterator[str]) -> list[str]:
    """What follows 38, 48 and 58: ``5;N``, or ``2;R;G;B``."""
    form = next(words, "")
    count = {"5": 1, "2": 3}.get(form, 0)
    return [form, *(next(words, "") for _ in range(count))]


class Filter:
    """Filters one stream of output.

    Args:
        colours: tracks the colours that are on; streams with the same destination share it.
        keep: which sequences pass. ``all``: all of them, for files and pipes.
            ``line``: those that colour or erase within a line, for a terminal on which others write as well: whatever
            moves the cursor elsewhere, hides it or sets the terminal's modes is taken out. ``colour``: only colours.
            ``nothing``: the bare text.
    """

    def __init__(self, colours: Colours, *, keep: Keep = "all") -> None:
        self.colours = colours
        self._forbidden = _FORBIDDEN.get(keep)
        self._held = ""

    def feed(self, text: str) -> str:
        """Filter the next piece."""
        if self._held:
            text, self._held = self._held + text, ""
        if "\x1b" in text:
            unfinished = _UNFINISHED.search(text, max(0, len(text) - LONGEST))
            if unfinished is not None:
                self._held, text = text[unfinished.start() :], text[: unfinished.start()]
            self.colours.take(text)
        return text if self._forbidden is None else self._forbidden.removed_from(text)

    def close(self) -> str:
        """End the stream: an unfinished sequence is dropped, unless all pass."""
        held, self._held = self._held, ""
        return held if self._forbidden is None else ""


def ends_line(text: str, before: bool) -> bool:
    """Whether a line has ended after ``text``, colours that follow its end aside.

    Args:
        text: what was written last.
        before: the answer before that.
    """
    if text.endswith(("m", "K")):
        text = _AT_THE_END.sub("", text[-LONGEST:])
    return text.endswith("\n") if text else before


# XML 1.0, production 2 (Char)
_NOT_XML = "[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"


def plain_text(text: str) -> str:
    """The text without escape sequences and control characters, except tabs and line ends."""
    return Filter(Colours(), keep="nothing").feed(text)


def xml_text(text: str) -> str:
    """The text for an XML file.

    Escape sequences and characters that XML 1.0 doesn't allow are removed. Of a line that was overwritten
    (``10%\\r20%\\r``), the last state remains.
    """
    text = plain_text(text).replace("\r\n", "\n")
    if "\r" in text:
        text = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    return re.sub(_NOT_XML, "", text)
