"""Start processes, serve their pipes, and end everything that they started.

It may import :mod:`setlist.core`. The door is :func:`setlist.process.spawn.run_process`.
"""
