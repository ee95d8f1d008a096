"""Start processes, serve their pipes, handle signals, and end everything that was started.

It may import :mod:`setlist.core`. The door is :func:`setlist.process.spawn.run_process`.
"""
