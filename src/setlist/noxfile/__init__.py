"""What runs in a process that loads a noxfile. nox is imported there, and nowhere else."""
