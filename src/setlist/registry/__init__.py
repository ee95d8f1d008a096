"""Read and check session definitions, expand families and matrices, and select sessions by name.

Placeholders such as ``{posargs}`` are substituted by :mod:`setlist.registry.substitution`, also those that get their
values when a command starts. It may import :mod:`setlist.core`, :mod:`setlist.process` and :mod:`setlist.engine`. The
door is :func:`setlist.registry.load.load_registry`.
"""
