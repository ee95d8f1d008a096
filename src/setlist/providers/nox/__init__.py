"""Noxfiles: load them by nox itself, describe their sessions, and run these in environments of ours.

nox is imported in processes of its own (``describe``, ``dry_run``, ``nox_worker``, ``command_line``) and nowhere else.
"""
