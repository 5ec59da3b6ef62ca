"""TZ and /etc/localtime in, the machine's own zone out: the one that libc takes.

See tzset(3). A file without a name is a zone all the same, known by its path; /etc/timezone, which
libc does not read, is asked for a name alone, where several zones have the same rules.
"""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from scheduler.errors import BadValue
from scheduler.schedule import zone_data

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

LOCALTIME = Path("/etc/localtime")

_NAMES = "timezone"  # a file beside it, on some systems: a name that may be stale
_MOST_LINKS = 40  # as many as Linux follows
_COMPARED_FROM_TO = datetime(2020, 1, 1, tzinfo=UTC), datetime(2038, 1, 1, tzinfo=UTC)


def machine_zone(
    environ: Mapping[str, str] = os.environ, localtime: Path | None = None
) -> tuple[ZoneInfo, str | None]:
    """Return the machine's zone, by its IANA name where it has one.

    Where it is not what it seems: what stands for it, and a sentence saying why. TZ that names no
    zone is UTC, as to libc. For a damaged file it is `zone_data.NOBODYS`.
    """
    wanted = environ.get("TZ")
    try:
        return (_of_file(localtime or LOCALTIME) if wanted is None else _of_tz(wanted)), None
    except BadValue as bad:
        if bad.code == "damaged-zone":
            return zone_data.NOBODYS, f"{bad.message}; {bad.hint}"
        if wanted is None:
            return zone_data.UTC_ZONE, f"{LOCALTIME} is no zone file, so UTC is taken; mend it"
        why = f"TZ={wanted} is not the name of a time zone, so UTC is taken"
        return zone_data.UTC_ZONE, f"{why}; set TZ to a name like Europe/Berlin"


def zone_stamp(localtime: Path | None = None) -> tuple[object, ...]:
    """Return what differs when the machine has been given another zone: a link, or a file."""
    path = localtime or LOCALTIME
    return _stamp(path, of_link=True), _stamp(path, of_link=False)


def _of_tz(text: str) -> ZoneInfo:
    name = text.removeprefix(":")
    if not name:
        return zone_data.UTC_ZONE
    if name.startswith("/") and Path(name).exists():
        return _of_file(Path(name))
    return zone_data.named(name)


def _of_file(path: Path) -> ZoneInfo:
    """Return the zone that a file is, or that a link leads to; UTC where there is none.

    A link that leads nowhere names its zone all the same, as TZ would.
    """
    for name in _names_on_the_way(path):
        if _is_alike(path, name):
            return zone_data.named(name)
    if not path.exists():
        return zone_data.UTC_ZONE
    zone = zone_data.named(str(path))  # refuses what is damaged
    likely = _named_beside(path)
    twin = zone_data.twin(zone_data.bytes_of(path), likely)
    if twin is None and zone_data.is_name(likely) and _is_alike(path, likely):
        twin = likely
    return zone if twin is None else zone_data.named(twin)


def _names_on_the_way(path: Path) -> list[str]:
    """Return the names of zones that a chain of links goes by: what stands behind `zoneinfo/`."""
    found: list[str] = []
    for _ in range(_MOST_LINKS):
        _, folder, name = str(path).rpartition("/zoneinfo/")
        if folder and zone_data.is_name(name.removeprefix("posix/")):
            found.append(name.removeprefix("posix/"))
        if not path.is_symlink():
            break
        path = path.parent / path.readlink()
    return found


def _is_alike(path: Path, name: str) -> bool:
    """Say whether the zone of this name has the rules that are in the file, if there is one.

    Two databases may write the same rules in other bytes, so what they show is compared.
    """
    if not path.exists():
        return True
    file = zone_data.file_of(name)
    with suppress(OSError):
        if file is not None and zone_data.bytes_of(file) == zone_data.bytes_of(path):
            return True
    try:
        pair = zone_data.named(str(path)), zone_data.named(name)
    except BadValue:
        return False
    dst = import_module("scheduler.schedule.dst")  # two files are seldom other bytes
    return dst.first_difference(*pair, *_COMPARED_FROM_TO) is None


def _named_beside(path: Path) -> str:
    try:
        return (path.parent / _NAMES).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _stamp(path: Path, *, of_link: bool) -> object:
    try:
        status = path.stat(follow_symlinks=not of_link)
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size
