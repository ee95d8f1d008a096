"""setlist's own sessions, for people who type nox: the same commands in the same environments."""

import setlist.nox

setlist.nox.register()
