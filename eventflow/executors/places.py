"""Folders that only their owner may read."""

from pathlib import Path


def make_private(folder: Path) -> None:
    """Make `folder`, and what is missing above it, for the owner only."""
    for place in (*reversed(folder.parents), folder):
        if not place.is_dir():
            place.mkdir(mode=0o700, exist_ok=True)
