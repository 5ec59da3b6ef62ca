"""A file with a secret in it: its path in, its text out, if nobody but its user can read it."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from scheduler.errors import SourceRefused
from scheduler.system import safe_open
from scheduler.text import of_owner

if TYPE_CHECKING:
    from pathlib import Path

_MOST_PRIVATE_BYTES = 65_536  # bytes; an account or a list of addresses is a page


def read(path: Path, uid: int, *, kept_by_systemd: bool = False) -> str:
    """Return the text of a file that is this user's own, or root's, and nobody else's to read.

    Nobody else may be able to put another in its place, see `safe_open`.
    What systemd gives a service in CREDENTIALS_DIRECTORY has a folder that only the service gets
    into, so its own mode is not asked for: systemd.exec(5). Raises FileNotFoundError where there
    is none, and SourceRefused, by its name, for any other reason.
    """
    file = str(path)
    try:
        descriptor = safe_open.opened(file, named=False, uid=uid)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise SourceRefused(file, "unreadable", f"can't be read: {error.strerror}") from error
    try:
        _judge(file, os.fstat(descriptor), uid, kept_by_systemd=kept_by_systemd)
        data = os.read(descriptor, _MOST_PRIVATE_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(data) > _MOST_PRIVATE_BYTES:
        raise SourceRefused(file, "too-long", f"is longer than {_MOST_PRIVATE_BYTES} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise SourceRefused(f"{file}:{line}", "not-utf-8", "is not written in UTF-8") from error


def _judge(file: str, status: os.stat_result, uid: int, *, kept_by_systemd: bool) -> None:
    safe_open.check_kind(file, status.st_mode)
    if status.st_uid not in (0, uid):
        whose = f"it {of_owner(status.st_uid, uid)}"
        raise SourceRefused(file, "not-trusted", whose, f"chown {uid} {file}")
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO) and not kept_by_systemd:
        why = "others can read it, and it has a secret"
        raise SourceRefused(file, "not-private", why, f"chmod 600 {file}")
