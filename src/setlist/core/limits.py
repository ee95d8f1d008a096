"""The limits of what a project may hold, in one place. ``docs/sessions.md`` lists them.

Each is far above what a person writes, and low enough that a mistake is an error at once, not when memory is full.
"""

from __future__ import annotations

LARGEST_FILE = 64 << 20
"""Bytes of a file that is read as a whole: definitions, requirements, locks, settings."""

MOST_SESSIONS = 20_000
"""Sessions of a project."""

MOST_COMBINATIONS = 100_000
"""Combinations of one definition's axes, before ``exclude`` removes some."""

DEEPEST_PLACEHOLDERS = 50
"""Placeholders in the default of a placeholder in the default of a placeholder …"""

DEEPEST_INCLUDES = 100
"""Requirements files that include each other by ``-r`` and ``-c``."""

LONGEST_NAME = 100
"""Characters of a session's name, which is also the name of a file."""

LARGEST_NUMBER = 10**9
"""The largest number in a definition: seconds, retries, resources, exit codes."""
