"""Make an SVG of a terminal: text with colours on standard input, as tmux captures it, to standard output."""

from __future__ import annotations

import io
import re
import sys

from rich.console import Console
from rich.text import Text

title, width = sys.argv[1], int(sys.argv[2])
console = Console(record=True, file=io.StringIO(), width=width, legacy_windows=False)
console.print(Text.from_ansi(sys.stdin.read().rstrip("\n")), soft_wrap=True)
svg = console.export_svg(title=title, unique_id="board")
# the fonts would be loaded from another site; every system has a monospaced one
svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
sys.stdout.write("\n".join(line.rstrip() for line in svg.splitlines()) + "\n")
