"""The two engines: the trace store, which knows what a value was made from, and the executor, which carries a plan out.

It may import :mod:`setlist.core` and :mod:`setlist.process`. The doors are :class:`setlist.engine.trace.Store` and
:func:`setlist.engine.execute.execute`.
"""
