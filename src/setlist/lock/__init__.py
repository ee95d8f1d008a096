"""Resolve, write, check, compare and export lock files.

It may import :mod:`setlist.environment` and what lies below it. The doors are :mod:`setlist.lock.update` (write locks)
and :mod:`setlist.lock.use` (install from them).
"""
