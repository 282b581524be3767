"""A file that does not import."""

raise ValueError("not today")
