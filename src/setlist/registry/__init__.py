"""Where sessions come from, and the registry they end up in."""
