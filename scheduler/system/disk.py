"""A folder in, the disk under it out: its room, its kind of file system.

statvfs(3); proc_pid_mounts(5). A file system behind a network may keep whoever asks waiting.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

MOUNTS = Path("/proc/self/mounts")
# Where several machines may write at once, and a lock or shared memory is not what it is elsewhere.
NETWORKED = frozenset(
    "nfs nfs4 cifs smb3 smbfs afs ceph glusterfs lustre 9p beegfs gpfs ocfs2 fuse.sshfs"
    " fuse.glusterfs fuse.s3fs fuse.rclone fuse.ceph virtiofs".split()
)
TRANSIENT = frozenset({"tmpfs", "ramfs", "overlay", "aufs"})  # gone with the boot, or the container

_OCTAL = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Disk:
    """What is free for this user, in bytes and files (None: it has no fixed number), and its kind.

    `kind` is "" where the system does not tell.
    """

    free: int
    size: int
    free_files: int | None
    is_readonly: bool
    kind: str


def under(folder: Path, mounts: Path = MOUNTS) -> Disk:
    """Return the disk under a folder that is there; OSError where it can't be asked."""
    found = os.statvfs(folder)
    return Disk(
        free=found.f_bavail * found.f_frsize,
        size=found.f_blocks * found.f_frsize,
        free_files=found.f_favail if found.f_files else None,
        is_readonly=bool(found.f_flag & os.ST_RDONLY),
        kind=_kind(folder.resolve(), mounts),
    )


def nearest(folder: Path) -> Path:
    """Return the folder, or the nearest above it that is there."""
    return next(each for each in (folder, *folder.parents) if each.exists())


def _kind(folder: Path, mounts: Path) -> str:
    """Return the kind of the file system on which a folder is: of those above it the nearest."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    rows = [line.split(" ") for line in lines if line.count(" ") >= 2]
    points = [(Path(_OCTAL.sub(_letter, row[1])), row[2]) for row in rows]
    above = [
        (len(point.parts), at, kind)
        for at, (point, kind) in enumerate(points)
        if folder.is_relative_to(point)
    ]
    return max(above)[2] if above else ""  # of two at one place the later lies on top


def _letter(found: re.Match[str]) -> str:
    return chr(int(found[1], 8))
