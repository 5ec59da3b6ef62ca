"""A Debian bookworm in a folder, with what Meridian's installation needs: made once, then kept.

It is kept below $XDG_CACHE_HOME, or ~/.cache, by the hash of what it is made of, so a second run
needs no network. What is made is never changed: a machine that boots from it writes elsewhere.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from programs import program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHECKOUT = Path(__file__).parent.parent.parent
LOCKS = tuple(CHECKOUT / ".ci" / name for name in ("install.lock", "build.lock"))
MIRROR = "http://deb.debian.org/debian"
PACKAGES = (
    *("systemd-sysv", "dbus", "libpam-systemd"),  # PID 1, and the managers of users
    *("make", "python3", "python3-venv"),  # what `make install` needs
    *("cron", "anacron"),  # whose tables are taken over; neither is enabled
    *("man-db", "bash-completion", "procps"),
)
CRON_UNITS = ("cron.service", "anacron.service", "anacron.timer")
PREFIX = "/usr/local"
VENV = "/usr/local/share/meridian/venv"  # where `make install PREFIX=/usr/local` puts it
WHEELS = "/opt/wheels"
FROM_WHEELS = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": WHEELS, "PIP_NO_CACHE_DIR": "1"}
ENVIRONMENT = {
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
}


def with_dependencies() -> Path:
    """The folder of a Debian that has Meridian's locked dependencies, but not Meridian."""
    key = _hash(*PACKAGES, *(lock.read_text() for lock in LOCKS), Path(__file__).read_text())
    return _made(f"bookworm-{key}", _add_dependencies)


def _plain() -> Path:
    return _made(f"bookworm-plain-{_hash(*PACKAGES)}", _debootstrap)


def _hash(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def _made(name: str, make: Callable[[Path], None]) -> Path:
    """A folder of this name in the cache, made unless it is there; whole, or not at all."""
    path = _cache() / name
    with _alone(path.with_name(f"{name}.lock")):
        if not path.is_dir():
            unfinished = path.with_name(f"{name}.new")
            shutil.rmtree(unfinished, ignore_errors=True)
            make(unfinished)
            unfinished.rename(path)
            os.utime(path)
            _remove_unused(path)
        os.utime(path)
    return path


def _remove_unused(newest: Path) -> None:
    """Remove what nobody has booted from for a month: each change of a lock makes another one."""
    month_ago = newest.stat().st_mtime - 30 * 86400
    for each in newest.parent.glob("bookworm-*/"):
        if each.stat().st_mtime < month_ago:
            shutil.rmtree(each)


def _cache() -> Path:
    """The folder of its user alone, since what is in it becomes root in a machine."""
    path = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "meridian-tests"
    path.mkdir(0o700, parents=True, exist_ok=True)
    return path


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _debootstrap(root: Path) -> None:
    words = ("--variant=minbase", f"--include={','.join(PACKAGES)}", "bookworm", str(root), MIRROR)
    _run(program("debootstrap"), *words)
    _run("systemctl", f"--root={root}", "disable", *CRON_UNITS)
    _run("chroot", str(root), "apt-get", "clean")


def _add_dependencies(root: Path) -> None:
    _run("cp", "-a", "--reflink=auto", str(_plain()), str(root))
    wheels = root / WHEELS.lstrip("/")
    pip = (sys.executable, "-m", "pip")
    pinned = ("--require-hashes", "--no-deps", "--only-binary=:all:", "--python-version=3.11")
    (root / "opt/locks").mkdir()
    for lock in LOCKS:
        _run(*pip, "download", "-q", *pinned, "-r", str(lock), "-d", str(wheels))
        shutil.copy(lock, root / "opt/locks")
    _run("chroot", str(root), "python3", "-m", "venv", VENV)
    install = (
        "install",
        "-q",
        "--require-hashes",
        "--no-deps",
        "-r",
        f"/opt/locks/{LOCKS[0].name}",
    )
    _run("chroot", str(root), f"{VENV}/bin/python", "-m", "pip", *install, **FROM_WHEELS)


def _run(*words: str, **variables: str) -> None:
    """Run a command, and show what it wrote if it fails."""
    environ = {**os.environ, "LC_ALL": "C.UTF-8", **variables}
    if words[0] == "chroot":
        environ = ENVIRONMENT | variables
    done = subprocess.run(words, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
