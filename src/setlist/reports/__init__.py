"""Readers of the event stream: console, board, logs, history, JUnit, JSON, GitHub.

It may import :mod:`setlist.core` and :mod:`setlist.process`, and nothing that makes events. The door is
:func:`setlist.reports.report.report_for`.
"""
