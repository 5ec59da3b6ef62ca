"""A user's name in, why they may have no crontab out: /etc/cron.allow, /etc/cron.deny, crontab(1).

Where there is a cron.allow, only who is listed in it may; else all but who is listed in cron.deny;
else everybody, as on Debian. One name a line, with blanks around it or without. Whoever can't read
such a file, or can't trust it, lets nobody have one. Root always may, which is for the caller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler.errors import SourceRefused
from scheduler.system import crontab_files

if TYPE_CHECKING:
    from pathlib import Path

_ALLOW = "etc/cron.allow"
_DENY = "etc/cron.deny"


def refusal(user: str, root: Path, uid: int) -> str:
    """Return why this user may have no crontab on the machine below `root`; "" where they may.

    `uid` is who has to have the two files, if root has not.
    """
    for name in (_ALLOW, _DENY):
        try:
            names = _names(root / name, uid)
        except SourceRefused as doubt:
            return str(doubt)
        if names is not None:
            is_listed = user in names
            return "" if is_listed == (name == _ALLOW) else f"by /{name}"
    return ""


def _names(file: Path, uid: int) -> frozenset[str] | None:
    """Return the names in a file; None where there is none."""
    try:
        data = crontab_files.read(str(file), named=False, uid=uid).data
    except SourceRefused as refused:
        if refused.code == "missing":
            return None
        raise
    return frozenset(line.strip() for line in data.decode(errors="surrogateescape").splitlines())
