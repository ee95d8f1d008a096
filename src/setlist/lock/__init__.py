"""Lock files: resolved, written, checked, compared, and handed to the environments."""
