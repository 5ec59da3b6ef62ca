"""A crontab's new text in, the file replaced as one step and its old text kept out."""

from __future__ import annotations

import contextlib
import fnmatch
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from scheduler.errors import SourceRefused
from scheduler.system import crontab_files, state_files

if TYPE_CHECKING:
    from datetime import datetime

MOST_VERSIONS = 50

_PRIVATE_FOLDER, _OPEN_FOLDER = 0o700, 0o755


def save(path: Path, data: bytes) -> None:
    """Replace (or create) the file: after a crash it holds the old text or the new, never a mix.

    Readable and writable by its owner alone. A link stays one: the file that it leads to is
    replaced. Raises SourceRefused, the file untouched.
    """
    try:
        path = path.resolve() if path.is_symlink() else path
        _make_folders(path.parent)
        _replace(path, data)
    except OSError as error:
        raise SourceRefused(
            str(path), "not-saved", f"it can't be saved: {error.strerror}", "it is as it was"
        ) from error


def keep(path: Path, versions: Path, now: datetime) -> Path | None:
    """Copy the file among the old versions, named by the UTC second; None if there is no file.

    Never overwrites an earlier version; only the newest `MOST_VERSIONS` stay. Raises
    SourceRefused.
    """
    try:
        data = crontab_files.own_text(str(path))
    except SourceRefused as refused:
        if refused.code == "missing":
            return None
        raise
    try:
        state_files.make_folder(versions)
        return keep_text(data, versions, path.name, now)
    except OSError as error:
        raise SourceRefused(
            str(path),
            "not-saved",
            f"its old version can't be kept in {versions}: {error.strerror}",
            "it is as it was",
        ) from error


def keep_text(
    data: bytes, versions: Path, name: str, now: datetime, most: int = MOST_VERSIONS
) -> Path:
    """Keep a text among the old versions of this name, of which the newest `most` stay; OSError."""
    kept = _new_version(versions, f"{name}.{now:%Y%m%dT%H%M%SZ}", data)
    _prune(versions, name, kept, most)
    return kept


def remove(path: Path) -> None:
    """Delete the file. Raises SourceRefused."""
    try:
        path.unlink()
        _sync_folder(path.parent)
    except OSError as error:
        raise SourceRefused(
            str(path), "not-removed", f"it can't be removed: {error.strerror}"
        ) from error


def _make_folders(folder: Path) -> None:
    """Make a folder and what is missing above it; nobody else can write them, whatever the umask.

    The last two are Meridian's own, and its user's alone.
    """
    for each in reversed(folder.parents):  # parents=True would go by the umask alone
        mode = _PRIVATE_FOLDER if each == folder.parent else _OPEN_FOLDER
        each.mkdir(mode=mode, exist_ok=True)
    folder.mkdir(mode=_PRIVATE_FOLDER, exist_ok=True)


def _replace(path: Path, data: bytes) -> None:
    descriptor, temporary = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:  # mkstemp made it 0600
            stream.write(data)
            stream.flush()
            os.fsync(descriptor)
        Path(temporary).replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _new_version(versions: Path, name: str, data: bytes) -> Path:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    for number in range(1000):  # versions of one second; sorted by name is sorted by age
        kept = versions / (f"{name}-{number:03}" if number else name)
        with contextlib.suppress(FileExistsError):
            with os.fdopen(state_files.opened(kept, flags), "wb") as stream:
                stream.write(data)
            return kept
    raise FileExistsError(0, "too many versions in one second")


def _prune(versions: Path, name: str, kept: Path, most: int) -> None:
    names = fnmatch.filter((each.name for each in state_files.listed(versions)), f"{name}.*Z*")
    old = sorted({*names} - {kept.name})
    for each in old[: max(0, len(old) + 1 - most)]:
        state_files.remove(versions / each)
