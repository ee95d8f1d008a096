"""Foreign definitions behind one protocol: what a noxfile declares becomes sessions of ours.

A provider may import everything but :mod:`setlist.cli`.
"""
