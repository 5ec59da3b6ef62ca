"""Paths of crontabs in, their bytes out: read with care for who else could have written them.

And which files of a folder are crontabs, and what differs when one of them does.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from scheduler.entry import Problem, Severity
from scheduler.errors import NotRoots, SourceRefused
from scheduler.system import accounts, cron_checks, safe_open

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scheduler.system.accounts import Users
    from scheduler.system.paths import Paths

_MOMENT = 1.0  # seconds
MOST_BYTES = 16 * 1024 * 1024
MOST_USERS_BYTES = 1024 * 1024  # of one user's table, which keeps nobody else waiting

# As Debian's cron and run-parts(8) have it, so that what an editor or a package manager left is no
# crontab; and `.crontab`, which says that it is one.
_CRONTAB_NAME = re.compile(r"[A-Za-z0-9_-]+(?:\.crontab)?")
_PLACEHOLDER = ".placeholder"  # Debian's, which keeps a folder from being removed
_IGNORED = "it is not read, for its name"
_RENAME = "letters, digits, - and _ make a crontab's name, with or without .crontab behind it"

Stamp = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class CrontabText:
    """What a file holds, and what is doubtful about the file (code and sentence)."""

    data: bytes
    warnings: tuple[tuple[str, str], ...] = ()


def within(folder: Path) -> tuple[Path, ...]:
    """Return the crontabs of a folder, sorted: those of its files whose names are a crontab's.

    Links and unreadable files are among them, so that reading names what is wrong; a folder that
    is not there, or not to be read, holds nothing. Raises OSError where nobody can tell.
    """
    return tuple(path for path in files(folder) if _CRONTAB_NAME.fullmatch(path.name))


def own_files(paths: Paths) -> tuple[str, ...]:
    """Return the crontabs at a user's paths, whether they are there or not."""
    found = (paths.crontab,) if paths.folder is None else within(paths.folder)
    return tuple(map(str, found))


def ignored(
    folder: Path, name: re.Pattern[str] = _CRONTAB_NAME, hint: str = _RENAME
) -> tuple[Problem, ...]:
    """Return a warning for each file of a folder that is not read, for it has no such `name`."""
    return tuple(
        Problem(str(path), 0, 0, Severity.WARNING, "ignored-name", _IGNORED, hint)
        for path in files(folder)
        if not name.fullmatch(path.name) and path.name != _PLACEHOLDER
    )


def files(folder: Path) -> list[Path]:
    """Return what is in a folder and is no folder, sorted; nothing where there is no such folder.

    Raises OSError where nobody can tell.
    """
    try:
        return [path for path in sorted(folder.iterdir()) if not path.is_dir()]
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []


def is_there(path: Path) -> bool:
    """Say whether there is such a file, or something that keeps one from finding out."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def is_gone(path: Path, now: float) -> bool:
    """Say whether a file is away for good: nobody has touched its folder for a second.

    An editor that saves by renaming is without it for a moment. `now` is in seconds since 1970.
    """
    try:
        path.lstat()
    except FileNotFoundError:
        with suppress(OSError):
            return now - path.parent.stat().st_mtime > _MOMENT
    except OSError:
        pass
    return False


def stamp(path: Path) -> Stamp | None:
    """Return what differs when a file (or one of a folder's crontabs) does; None if missing."""
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            return tuple((child.name, stamp(child)) for child in within(path))
    except OSError:
        return None
    changes = (status.st_mtime_ns, status.st_ctime_ns)
    return (status.st_dev, status.st_ino, status.st_size, *changes)


def stamp_of_ways(files: Sequence[str]) -> Stamp:
    """Return what differs when others may, or may no longer, write a folder on the way."""
    begun = {file[: file.rfind("/") + 1] for file in files}  # few folders have thousands of files
    folders = {Path(folder).absolute() for folder in begun}
    folders |= {above for folder in folders for above in folder.parents}
    return tuple(_owners(folder) for folder in sorted(folders))


def _owners(folder: Path) -> Stamp | None:
    try:
        status = folder.stat()
    except OSError:
        return None
    return (status.st_mode, status.st_uid, status.st_gid)


def read(file: str, *, named: bool, uid: int, trusts: bool = False) -> CrontabText:
    """Return the bytes of one crontab that this user can trust, or `trusts` though others have it.

    Raises SourceRefused. A FIFO or device can't hang it, a huge file can't fill the memory.
    """
    try:
        try:
            return _read(file, named=named, uid=uid)
        except NotRoots as doubt:
            if not trusts:
                raise
            text = _read(file, named=True, uid=None)
            return replace(text, warnings=(("not-roots", doubt.warning), *text.warnings))
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise _refusal(file, error) from error


def read_systems(file: str) -> CrontabText:
    """Return the bytes of /etc/crontab and its like, which are root's alone. Raises SourceRefused.

    See `cron_checks`.
    """
    try:
        descriptor = safe_open.opened(file, named=False, uid=0)
        try:
            cron_checks.judge_systems(file, descriptor)
            return CrontabText(_bytes(file, descriptor, MOST_BYTES))
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _refusal(file, error) from error


def read_users(file: str, user: str, users: Users = accounts) -> CrontabText:
    """Return the bytes of a user's table in the spool. Raises SourceRefused.

    See `cron_checks`; that of a user who is not there is kept until there is one. `users` tells.
    """
    try:
        descriptor = cron_checks.open_users(file)
        try:
            uid = users.uid_of(user)
            if uid is None:
                hint = "it is read as soon as there is one; or remove it"
                raise SourceRefused(file, "no-user", f"there is no user {user}", hint)
            cron_checks.judge_users(file, descriptor, user, uid)
            return CrontabText(_bytes(file, descriptor, MOST_USERS_BYTES))
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _refusal(file, error) from error


def own_text(file: str) -> bytes:
    """Return the bytes of one's own file, whoever can write it: to keep them, not to run them.

    Raises SourceRefused for what is no file, or too large, or can't be read.
    """
    try:
        descriptor = safe_open.opened(file, named=True, uid=None)
        try:
            safe_open.check_kind(file, os.fstat(descriptor).st_mode)
            with os.fdopen(descriptor, "rb", closefd=False) as stream:
                return read_stream(file, stream)
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:
        raise _refusal(file, error) from error


def check_place(file: str, uid: int) -> None:
    """Raise SourceRefused where others could put another in the place of one that is to come."""
    try:
        os.close(safe_open.opened(file, named=False, uid=uid))
    except OSError:  # it is not there, nor need its folder be
        return


def _read(file: str, *, named: bool, uid: int | None) -> CrontabText:
    """Read a crontab with care for what this user may trust; None: it is trusted whatever it is."""
    descriptor = safe_open.opened(file, named=named, uid=uid)
    try:
        warnings = safe_open.judge(file, descriptor, named=named, uid=uid)
        return CrontabText(_bytes(file, descriptor, MOST_BYTES), warnings)
    finally:
        os.close(descriptor)


def _bytes(file: str, descriptor: int, most: int) -> bytes:
    if os.fstat(descriptor).st_size > most:
        raise _too_large(file, most)
    with os.fdopen(descriptor, "rb", closefd=False) as stream:
        return read_stream(file, stream, most)


def read_stream(file: str, stream: BinaryIO, most: int = MOST_BYTES) -> bytes:
    """Return what a stream holds; SourceRefused if it can't be read, or is more than a crontab."""
    try:
        data = stream.read(most + 1)
    except OSError as error:
        raise _refusal(file, error) from error
    if len(data) > most:
        raise _too_large(file, most)
    return data


def _too_large(file: str, most: int) -> SourceRefused:
    size = f"it is larger than {most // 1024**2} MiB"
    return SourceRefused(file, "too-large", size, "is it a crontab at all?")


def _refusal(file: str, error: OSError | ValueError) -> SourceRefused:
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.ENOENT:
        return SourceRefused(file, "missing", "there is no such file")
    if number == errno.ELOOP:
        return SourceRefused(file, "not-regular", "it is a link that leads in a circle")
    why = error.strerror if isinstance(error, OSError) else str(error)
    return SourceRefused(file, "unreadable", f"it can't be read: {why}")
