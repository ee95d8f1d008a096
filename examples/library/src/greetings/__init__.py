"""Greetings."""

from __future__ import annotations

import sys


def greeting(name: str) -> str:
    """A greeting for somebody."""
    return f"hello, {name}"


def main() -> None:
    """Greet those named on the command line."""
    print(greeting(" and ".join(sys.argv[1:]) or "world"))
