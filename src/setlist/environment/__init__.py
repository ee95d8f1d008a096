"""Create, synchronize and freeze the virtual environment of a session.

It may import :mod:`setlist.scheduling` and what lies below it. The door is
:class:`setlist.environment.prepare.Environments`.
"""
