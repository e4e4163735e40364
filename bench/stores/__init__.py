"""What sessions cost, on each kind of store: logins, look-ups, room, and how fast an ending tells.

A part of `make bench`; alone: `make bench ONLY=sessions`.
"""
