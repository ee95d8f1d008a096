"""Download what lock files name into a directory, for machines without a network.

It may import :mod:`setlist.lock` and what lies below it. The door is :func:`setlist.lock.wheelhouse.fetch.fetch`.
"""
