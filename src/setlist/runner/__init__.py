"""Run a plan: sessions, their commands and functions. The result is the exit code.

The rules of a run, among them how the exit code is computed, are in :mod:`setlist.runner.run_policy`. It may import
:mod:`setlist.lock` and what lies below it. The door is :func:`setlist.runner.execute.run`.
"""
