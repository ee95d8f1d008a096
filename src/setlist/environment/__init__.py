"""One session's environment: found, made, kept right, frozen."""
