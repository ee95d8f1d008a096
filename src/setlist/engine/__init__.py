"""What a warm run imports, and nothing else: the trace store, the record of a run, and how it is repeated.

It may import :mod:`setlist.core` and :mod:`setlist.process`. The door is :func:`setlist.engine.warm.again`.
"""
