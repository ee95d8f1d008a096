"""Plain data that every other package speaks: sessions, events, errors, the project, and files read and written whole.

It imports nothing else of setlist. Start with :mod:`setlist.core.model` (what a session is) and
:mod:`setlist.core.errors` (what a user can be told).
"""
