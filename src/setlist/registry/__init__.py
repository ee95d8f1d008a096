"""Read session definitions, expand families and matrices, and select sessions by name.

It may import :mod:`setlist.core`, :mod:`setlist.process` and :mod:`setlist.engine`. The door is
:func:`setlist.registry.load.load_registry`.
"""
