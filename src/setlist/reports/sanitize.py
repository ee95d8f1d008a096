"""Text without what only a terminal understands, as files that others read can hold it."""

from __future__ import annotations

import re

from setlist.reports.ansi import Colours, Filter

# XML 1.0, production 2 (Char)
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def plain_text(text: str) -> str:
    """The text without escape sequences and other control characters but tabs and the ends of lines."""
    return Filter(Colours(), keep="nothing").feed(text)


def xml_text(text: str) -> str:
    """The text as an XML file can hold it and a person can read it there.

    Without escape sequences and characters that XML 1.0 has no place for. Of a line that was written over
    (``10%\\r20%\\r``), what was there last.
    """
    text = plain_text(text).replace("\r\n", "\n")
    if "\r" in text:
        text = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    return _NOT_XML.sub("", text)
