"""Carry the plan out: one command, one session, a whole run."""
