"""The control groups below the daemon's own: an attempt's limit in, a folder that it joins out.

It goes by cgroups(7), version 2, and by systemd's rules for delegation (Delegate= of
systemd.resource-control(5)): a group that has not been delegated is left alone, and so is one that
nobody needs.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MOUNT = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")
_DAEMON = "daemon"
_ATTEMPT_PREFIX = "attempt-"
_UNDELEGATED = "no cgroup has been delegated to this daemon"
_SWEPT = 4  # groups that are tried at a time: more than come, so that each of them has its turn
_TRIES = 100  # to move processes that start others meanwhile


class _Unusable(Exception):
    """Why there is no group to limit attempts in."""


class Groups:
    """Owns the cgroups of attempts below the daemon's own, and those in which something lives on.

    The limiter of attempts calls it. Invariant: nothing outside a delegated group is changed, and
    each group that was made is removed, at once or when what lives on in it has ended.

    `tell` hears once how memory is limited. That its group has been delegated is written on it by a
    system's systemd, and has to be told (`is_delegated`) where a user's does not write it. What has
    groups below it may have no processes itself, so the daemon moves into one too, with all that it
    finds beside itself.
    """

    def __init__(
        self,
        tell: Callable[[str], object],
        *,
        is_delegated: bool = False,
        mount: Path = MOUNT,
        own: Path = OWN,
    ) -> None:
        self._tell = tell
        self._is_told = is_delegated
        self._mount = mount
        self._own = own
        self._is_asked = False
        self._root: Path | None = None
        self._left: deque[Path] = deque()  # groups in which something lives on, or did

    def make(self, name: str, memory: int) -> Path | None:
        """Make a group of at most `memory` bytes, no swap; None where none has been delegated.

        Raises OSError where one has, and yet there can't be another group now.
        """
        root = self._delegated()
        if root is None:
            return None
        self._sweep()
        group = Path(tempfile.mkdtemp(prefix=f"{_ATTEMPT_PREFIX}{name}-", dir=root))
        try:
            _limit(group, memory)
        except OSError:
            self.remove(group)
            raise
        return group

    def ran_out(self, group: Path) -> bool:
        """Say whether the group came to its own limit and something in it was killed for that.

        The kernel counts what it killed in the group for other reasons too: a machine without
        memory, a limit of a group above.
        """
        try:
            text = (group / "memory.events").read_text(encoding="ascii")
        except OSError:
            return False
        events = dict(line.split() for line in text.splitlines())
        return events.get("oom", "0") != "0" and events.get("oom_kill", "0") != "0"

    def remove(self, group: Path) -> None:
        """Remove a group; one in which something lives on goes when that has ended."""
        self._sweep()
        if not _is_removed(group):
            self._left.append(group)

    def living(self, name: str) -> list[int]:
        """Return the pids of what lives on in a group of this name; none where there is none."""
        found: list[int] = []
        for group in self._left:
            if group.name.startswith(f"{_ATTEMPT_PREFIX}{name}-"):
                with suppress(OSError):  # it has just been removed
                    text = (group / "cgroup.procs").read_text(encoding="ascii")
                    found += map(int, text.split())
        return found

    def _sweep(self) -> None:
        """Remove some of the groups in which nothing lives any more.

        Jobs that leave daemons behind leave a group each: never are all of them tried at once.
        """
        for _ in range(min(_SWEPT, len(self._left))):
            group = self._left.popleft()
            if not _is_removed(group):
                self._left.append(group)

    def _delegated(self) -> Path | None:
        if not self._is_asked:
            self._is_asked = True
            try:
                self._root = self._take()
            except (_Unusable, OSError) as error:
                self._tell(f"RLIMIT_DATA, for each process by itself: {_why(error)}")
            else:
                name = self._root.relative_to(self._mount)
                self._tell(f"the cgroup {name}, for each attempt as a whole")
        return self._root

    def _take(self) -> Path:
        """Make the delegated group ready; what an earlier daemon left in it is removed in time."""
        root = self._of_daemon()
        if not (self._is_told or _is_delegated(root)):
            raise _Unusable(_UNDELEGATED)
        if "memory" not in (root / "cgroup.controllers").read_text(encoding="ascii").split():
            raise _Unusable("its cgroup has no memory controller")
        (root / _DAEMON).mkdir(exist_ok=True)
        _enable(root)
        self._left = deque(root.glob(f"{_ATTEMPT_PREFIX}*"))
        return root

    def _of_daemon(self) -> Path:
        for line in os.fsdecode(self._own.read_bytes()).splitlines():
            number, _, name = line.split(":", 2)
            if number == "0" and (self._mount / "cgroup.controllers").exists():
                return self._mount / name.lstrip("/")
        raise _Unusable("this machine has no cgroup v2")


def _is_delegated(group: Path) -> bool:
    try:
        return os.getxattr(group, "user.delegate") == b"1"
    except OSError:
        return False


def _enable(root: Path) -> None:
    """Let the groups below `root` limit memory, once no process is in `root` itself."""
    for chance in reversed(range(_TRIES)):
        for pid in (root / "cgroup.procs").read_text(encoding="ascii").split():
            with suppress(ProcessLookupError):
                _write(root / _DAEMON / "cgroup.procs", pid)
        try:
            _write(root / "cgroup.subtree_control", "+memory")
        except OSError as error:
            if error.errno != errno.EBUSY or not chance:
                raise
        else:
            return


def _limit(group: Path, memory: int) -> None:
    _write(group / "memory.max", f"{min(memory, 2**62)}")
    with suppress(FileNotFoundError):  # a kernel that does not count swap
        _write(group / "memory.swap.max", "0")
    with suppress(FileNotFoundError):  # or one before 4.19: it ends one process, not all
        _write(group / "memory.oom.group", "1")


def _write(file: Path, text: str) -> None:
    """Write to a file of the kernel's, which must be there."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode("ascii"))
    finally:
        os.close(descriptor)


def _is_removed(group: Path) -> bool:
    try:
        group.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _why(error: _Unusable | OSError) -> str:
    return f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else str(error)
