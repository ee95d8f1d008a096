"""The command lines: argv in, exit code out. The only layer that knows a console."""
