"""Foreign definitions behind one protocol: what a noxfile declares becomes sessions of ours.

A provider may import everything but :mod:`setlist.cli`. Nothing else imports a provider: :mod:`setlist.core.plugins`
finds it by its name. The door is :class:`setlist.providers.protocol.Provider`.
"""

from __future__ import annotations

from collections.abc import Mapping

FILES: Mapping[str, str] = {"noxfile.py": "nox"}
"""The files in a project's root that hold foreign definitions, and the package here that is their provider."""

WORKERS: Mapping[str, str] = {"nox": "setlist.providers.nox.nox_worker"}
"""The programs of providers that a run may start before everything else (:mod:`setlist.process.prestart`)."""
