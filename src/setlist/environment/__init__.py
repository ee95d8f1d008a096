"""Create, synchronize and freeze the virtual environment of a session.

Whether an environment is out of date, and why, is decided in :mod:`setlist.environment.decision`. It compares the
inputs that :mod:`setlist.environment.inputs` reads with the recorded ones. The package may import
:mod:`setlist.scheduling` and what lies below it. The door is :class:`setlist.environment.prepare.Environments`.
"""
