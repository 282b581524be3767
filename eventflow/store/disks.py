"""On what kind of disk a file lies, where the system tells.

SQLite's WAL is shared memory beside the file: it holds among the processes of one machine. On a
disk that several machines write, one of them would write over what another has committed.
"""

import re
from pathlib import Path
from typing import NamedTuple

MOUNTS = Path("/proc/self/mountinfo")

_OF_A_NETWORK = frozenset(
    {"afs", "beegfs", "ceph", "cifs", "davfs", "gfs2", "glusterfs", "gpfs", "lustre", "nfs", "nfs4"}
    | {"ocfs2", "orangefs", "smb3", "smbfs", "fuse.ceph", "fuse.davfs2", "fuse.gcsfuse"}
    | {"fuse.glusterfs", "fuse.juicefs", "fuse.rclone", "fuse.s3fs", "fuse.sshfs"}
)
_OCTAL = re.compile(r"\\([0-7]{3})")


class Mount(NamedTuple):
    """A place in the tree of folders, and the kind of file system that begins there."""

    place: Path
    kind: str


def network_disk(path: Path) -> Mount | None:
    """The disk on which `path` lies, when it is one of a network; `None` too when nobody tells."""
    try:
        told = MOUNTS.read_text("utf-8", "surrogateescape")
    except OSError:
        return None
    found = _mount_of(path.resolve(), told)
    return found if found is not None and found.kind in _OF_A_NETWORK else None


def _mount_of(path: Path, told: str) -> Mount | None:
    """The last and innermost mount that `path` lies below.

    Args:
        told: Lines of `ID PARENT DEVICE ROOT PLACE OPTIONS [TAGS] - KIND SOURCE OPTIONS`.
    """
    found: Mount | None = None
    for line in told.splitlines():
        before, dash, after = line.partition(" - ")
        fields = before.split(" ")
        if not dash or len(fields) < 6:
            continue
        place = Path(_OCTAL.sub(lambda octal: chr(int(octal[1], 8)), fields[4]))
        if path.is_relative_to(place) and (found is None or place.is_relative_to(found.place)):
            found = Mount(place, after.split(" ")[0])
    return found
