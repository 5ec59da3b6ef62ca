"""A zone's name in, its rules out, as its file has them now; and which databases these come from.

Owns what this process has read of them. Whoever reads crontabs or times calls `named`; a process
that lives long asks what is `outdated`, and calls `renew` before it reads them again. What is
handed out is whole (`tzif`), and of the file that every other program of the machine reads.
"""

from __future__ import annotations

import io
import os
import stat
import zoneinfo
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, available_timezones

from scheduler.errors import BadValue
from scheduler.schedule import posix_zone, tzif
from scheduler.text import shortened

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MOST_ZONE_BYTES = 1024 * 1024  # the largest zone file has 4 KiB
PACKAGE = "the tzdata package"

# tz's own source has the first of these (Debian and Fedora ship it), BSD and macOS the second.
_VERSIONS = (("tzdata.zi", "# version "), ("+VERSION", ""))
_UTC = b"TZif" + bytes(16 + 4 * 4) + b"\0\0\0\1\0\0\0\4" + bytes(6) + b"UTC\0"

_Stamp = tuple[object, ...] | None  # None where there is no such file


def _parsed(data: bytes, name: str) -> ZoneInfo:
    """Return the zone that these bytes are; ValueError says what is wrong with them."""
    if damage := tzif.damage(data):
        raise ValueError(damage)
    try:
        return ZoneInfo.from_file(io.BytesIO(data), key=name)
    except ValueError as error:
        raise ValueError(f"the rule in its last line makes no sense ({error})") from error


UTC_ZONE = _parsed(_UTC, "UTC")  # it is there whatever becomes of the machine's files
NOBODYS = _parsed(_UTC, "UTC")  # the machine's zone where that is damaged: no entry may go by it


@dataclass(frozen=True, slots=True)
class _Read:
    """What reading a zone came to, and the file as it was just before."""

    stamp: _Stamp
    zone: ZoneInfo | None
    code: str = ""
    message: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class ZoneDatabase:
    """One source of zones: its folder (or PACKAGE), its version ("" where it names none)."""

    where: str
    version: str
    zones: tuple[str, ...]  # the names, of those asked about, that come from it


_read: dict[str, _Read] = {}
_asked: set[str] = set()  # the names that were asked for since all was renewed


def named(name: str) -> ZoneInfo:
    """Return the zone of this name or POSIX rule, or of the file that an absolute path leads to.

    Raises BadValue: `unknown-zone` where there is none, `bad-zone-rule` for a rule that makes no
    sense, `damaged-zone` for a file that can't be used. The next database is not asked then: its
    rules may be those of another year.
    """
    _asked.add(name)
    found = _read.get(name)
    if found is None:
        found = _read[name] = _look_up(name)
    if found.zone is None:
        raise BadValue(found.code, found.message, hint=found.hint)
    return found.zone


def named_or_utc(name: str) -> ZoneInfo:
    """Return the zone of a name that was journalled, UTC if this machine has it no more."""
    try:
        return named(name)
    except BadValue:
        return UTC_ZONE


def is_name(text: str) -> bool:
    """Say whether a zone has this name, spelt exactly: a disk may ignore case."""
    return text in _packaged() or text in _available()


def names() -> frozenset[str]:
    """Return the names of all zones."""
    return _packaged() | _available()


def file_of(name: str) -> Path | None:
    """Return the file that a zone is read from; None if there is none."""
    if name.startswith("/"):
        return Path(name) if _is_file(Path(name)) else None
    if "\0" in name or not {"", ".", ".."}.isdisjoint(name.split("/")):
        return None
    return next((path for folder in _folders() if _is_file(path := folder / name)), None)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name longer than any file's
        return False


def bytes_of(path: Path) -> bytes:
    """Return what a zone file holds; OSError if it can't be read, or is none."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(None, "it is not a regular file")
        return stream.read(MOST_ZONE_BYTES)


def twin(data: bytes, likely: str = "") -> str | None:
    """Return the name of a zone whose file holds exactly this; of several the `likely` one.

    Else the one that the database lists first. None if there is none.
    """
    return next((name for name in _in_order(likely) if _holds(file_of(name), data)), None)


def outdated() -> frozenset[str]:
    """Return which zones, of those asked for, have other files than when they were read.

    One that was not there is among them when it is.
    """
    return frozenset(name for name in _asked if _stamp(name) != _read[name].stamp)


def renew() -> None:
    """Let zones with other files be read anew, and those that nobody asked for be forgotten.

    The others stay the objects that they are.
    """
    kept = _asked - outdated()
    for name in _read.keys() - kept:
        del _read[name]
    _asked.clear()
    _packaged.cache_clear()
    _available.cache_clear()


def databases(asked: Iterable[str]) -> tuple[ZoneDatabase, ...]:
    """Return the databases that these zones come from, and their versions."""
    found: dict[Path, list[str]] = {}
    for name in sorted(asked):
        path = file_of(name)
        if path is not None:
            folders = (each for each in _folders() if path.is_relative_to(each))
            found.setdefault(next(folders, path), []).append(name)
    return tuple(
        ZoneDatabase(
            PACKAGE if folder == _package() else str(folder), _version(folder), tuple(zones)
        )
        for folder, zones in found.items()
    )


def pair(name: str) -> tuple[ZoneInfo, ZoneInfo] | None:
    """Return a zone as the machine's database has it, and as the package does.

    None where only one of them has it, or both have the same bytes.
    """
    path, package = file_of(name), _package()
    if path is None or package is None or name.startswith("/") or path == package / name:
        return None
    try:
        one, two = bytes_of(path), bytes_of(package / name)
        return None if one == two else (_parsed(one, name), _parsed(two, name))
    except (OSError, ValueError):
        return None


def _look_up(name: str) -> _Read:
    stamp, path = _stamp(name), file_of(name)
    if path is None:
        return _by_rule(name)
    try:
        return _Read(stamp, _parsed(bytes_of(path), name))
    except (OSError, ValueError) as error:
        why = f"it can't be read: {error.strerror}" if isinstance(error, OSError) else str(error)
        package = _package()
        is_packaged = package is not None and path.is_relative_to(package)
        hint = f"install {PACKAGE if is_packaged else 'tzdata'} again"
        return _Read(stamp, None, "damaged-zone", f"the zone file {path} is damaged: {why}", hint)


def _by_rule(text: str) -> _Read:
    """Return the zone of a POSIX rule: as in tzset(3), where there is no file of that name."""
    if not posix_zone.is_rule(text):
        return _Read(None, None, "unknown-zone", f"there is no time zone {shortened(text)}")
    try:
        return _Read(None, posix_zone.zone(text))
    except BadValue as bad:
        return _Read(None, None, bad.code, bad.message, bad.hint)


def _stamp(name: str) -> _Stamp:
    path = file_of(name)
    try:
        status = None if path is None else path.stat()
    except OSError:
        return None
    return status and (path, status.st_ino, status.st_size, status.st_mtime_ns)


def _folders() -> tuple[Path, ...]:
    package = _package()
    system = tuple(map(Path, zoneinfo.TZPATH))
    return system if package is None else (*system, package)


@cache
def _package() -> Path | None:
    found = find_spec("tzdata")  # a distribution that has the system's may leave it out
    return None if found is None or not found.origin else Path(found.origin).parent / "zoneinfo"


@cache
def _packaged() -> frozenset[str]:
    """Return the names that the package lists: quickly, and whatever has become of their files."""
    package = _package()
    if package is None:
        return frozenset()
    return frozenset((package.parent / "zones").read_text(encoding="utf-8").split())


_available = cache(available_timezones)  # it opens every file: 20 ms, so only where it is needed


def _in_order(likely: str) -> Iterator[str]:
    yield from (name for name in (likely, "UTC", *_tabled()) if is_name(name))
    yield from sorted(names())


def _tabled() -> Iterator[str]:
    """Yield the zones that the database lists by country: each clock there is, by one name."""
    for folder in _folders():
        with suppress(OSError):
            table = (folder / "zone1970.tab").read_text(encoding="utf-8")
            rows = (line.split("\t") for line in table.splitlines() if not line.startswith("#"))
            yield from (row[2] for row in rows if len(row) > 2)
            return


def _holds(path: Path | None, data: bytes) -> bool:
    try:
        return path is not None and path.stat().st_size == len(data) and bytes_of(path) == data
    except OSError:
        return False


def _version(folder: Path) -> str:
    """Return what the first line of a file says that names the version; "" where none does."""
    for name, prefix in _VERSIONS:
        with suppress(OSError, UnicodeDecodeError), (folder / name).open(encoding="utf-8") as file:
            line = file.readline(100).strip()
            if line.startswith(prefix):
                return line.removeprefix(prefix)
    return ""
