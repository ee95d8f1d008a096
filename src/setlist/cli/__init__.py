"""The command lines ``run`` and ``setlist``: argv in, exit code out.

The only package that reads ``os.environ``, the current directory and the terminal. It may import everything. The
doors are in :mod:`setlist.cli.entry_point`.
"""
