"""The verbs of 'setlist VERB', one file each."""
