"""The folder that this process works in, opened once: paths in it in, what is there out.

A path in it is resolved from its descriptor, name by name and through no link: so nobody who
renames a folder above it, or puts a link into it, leads anything elsewhere, and a FIFO in a file's
place blocks nobody. Any other path begins at the folder that it is in.

The module owns the descriptors of the folders that are kept open; `paths.entered` has the state
folder kept for as long as a daemon or a command works. Invariant: each is closed when its block
ends, and no path in such a folder is looked for in another one meanwhile.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_STATE_FILE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE_KINDS = (
    (stat.S_ISREG, "a file"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISLNK, "a link"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
)

_kept: dict[str, int] = {}


@contextmanager
def kept(folder: Path, descriptor: int) -> Iterator[None]:
    """Go by this descriptor for every path in the folder, until the block ends and closes it."""
    before = _kept.get(str(folder))
    _kept[str(folder)] = descriptor
    try:
        yield
    finally:
        del _kept[str(folder)]
        if before is not None:
            _kept[str(folder)] = before
        os.close(descriptor)


@contextmanager
def looked_into(folder: Path) -> Iterator[None]:
    """Keep a folder open that is only read, whoever could put another in its place; OSError."""
    with kept(folder, os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)):
        yield


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep a folder open of which many files are looked at; OSError."""
    with _entered(folder) as at:
        descriptor = os.dup(at)
    with kept(folder, descriptor):
        yield


def opened(path: Path, flags: int, mode: int = 0o600) -> int:
    """Open a regular file; OSError for anything else in its place, with a word for what it is."""
    with _folder(path) as at:
        try:
            descriptor = os.open(path.name, flags | _STATE_FILE, mode, dir_fd=at)
        except OSError as error:
            raise _other(path.name, at, stat.S_ISREG) or error from error
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    raise in_place(mode)


@contextmanager
def open_for(path: Path, flags: int) -> Iterator[int]:
    """Open a regular file for as long as a block takes; see `opened`."""
    descriptor = opened(path, flags)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def own_for(path: Path) -> Iterator[int]:
    """Open a file that only its user can open, so that nobody else locks it; made if need be."""
    descriptor = opened(path, os.O_RDWR | os.O_CREAT)
    try:
        os.fchmod(descriptor, 0o600)
        yield descriptor
    finally:
        os.close(descriptor)


def make_own(path: Path) -> None:
    """Let a file be its user's alone, though nobody opens it; OSError."""
    with _folder(path) as at:
        os.chmod(path.name, 0o600, dir_fd=at)


def status(path: Path) -> os.stat_result:
    """Return what the system says of whatever stands there; OSError if nothing does."""
    with _folder(path) as at:
        return os.stat(path.name, dir_fd=at, follow_symlinks=False)


def is_there(path: Path) -> bool:
    """Say whether anything stands there."""
    try:
        status(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def remove(path: Path) -> None:
    """Remove a file, which need not be there; OSError if it can't be."""
    try:
        with _folder(path) as at:
            os.unlink(path.name, dir_fd=at)
    except FileNotFoundError:
        return


def rename(path: Path, other: Path) -> None:
    """Give what stands there another name in the same folder; OSError."""
    with _folder(path) as at:
        os.rename(path.name, other.name, src_dir_fd=at, dst_dir_fd=at)


def make_folder(path: Path) -> None:
    """Make a folder that is its user's alone, where there is none; OSError if there can be none."""
    with _folder(path) as at:
        try:
            os.mkdir(path.name, 0o700, dir_fd=at)
        except FileExistsError:
            if other := _other(path.name, at, stat.S_ISDIR):
                raise other from None


def remove_folder(path: Path) -> None:
    """Remove an empty folder; OSError if it can't be."""
    with _folder(path) as at:
        os.rmdir(path.name, dir_fd=at)


def listed(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Yield what is in a folder; OSError."""
    with _entered(folder) as at, os.scandir(at) as found:
        yield from found


def kind(mode: int) -> str:
    """Return a word for what bears this mode."""
    return next((word for test, word in _FILE_KINDS if test(mode)), "a device")


@contextmanager
def _folder(path: Path) -> Iterator[int]:
    """Open the folder that a path is in."""
    with _entered(path.parent) as at:
        yield at


@contextmanager
def _entered(folder: Path) -> Iterator[int]:
    at, names = _begin(str(folder))
    try:
        for name in names:
            above, at = at, _below(name, at)
            os.close(above)
        yield at
    finally:
        os.close(at)


def _begin(folder: str) -> tuple[int, list[str]]:
    """Return an open folder, and the names from there to this one."""
    for root, descriptor in reversed(_kept.items()):  # a folder within another comes first
        if folder == root:
            return os.dup(descriptor), []
        if folder.startswith(f"{root}/"):
            names = folder[len(root) + 1 :].split("/")
            if ".." in names:
                raise OSError(errno.EINVAL, "it leads out of its folder")
            return os.dup(descriptor), names
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), []


def _below(name: str, at: int) -> int:
    try:
        return os.open(name, _FOLDER, dir_fd=at)
    except NotADirectoryError as error:
        raise _other(name, at, stat.S_ISDIR) or error from error


def _other(name: str, at: int, is_wanted: Callable[[int], bool]) -> OSError | None:
    """Return the error for what stands in a file's or folder's place; None if nothing else does."""
    try:
        mode = os.stat(name, dir_fd=at, follow_symlinks=False).st_mode
    except OSError:
        return None
    return None if is_wanted(mode) else in_place(mode)


def in_place(mode: int) -> OSError:
    """Return the error for what bears this mode and stands where a file or folder should."""
    return OSError(errno.EEXIST, f"{kind(mode)} is in its place")
