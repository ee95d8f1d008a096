"""Run a plan: sessions, their commands and functions, and what becomes of the whole.

It may import :mod:`setlist.lock` and what lies below it. The door is :func:`setlist.runner.execute.run`.
"""
