"""``python -m setlist`` is ``setlist``."""

import sys

from setlist.cli.entry_point import setlist

if __name__ == "__main__":
    sys.exit(setlist())
