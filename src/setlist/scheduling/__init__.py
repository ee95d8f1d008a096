"""Decide the order of sessions, which of them may start now, and which CI job runs them.

Pure bookkeeping: it starts nothing and prints nothing. It may import :mod:`setlist.core` and
:mod:`setlist.registry`. The door is :func:`setlist.scheduling.order.make_plan`.
"""
