"""eventflow beside DBOS on the same work, turn by turn in one go.

Run as `make bench-peers`, which gives DBOS an environment of its own.
"""
