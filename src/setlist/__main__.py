"""``python -m setlist`` is ``setlist``."""

import sys

from setlist.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
