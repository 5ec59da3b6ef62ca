"""Zone files for tests: real ones, copied into folders of a test's own, and ways to damage them."""

from __future__ import annotations

import zoneinfo
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from scheduler.schedule import zone_data

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PACKAGE = Path(str(resources.files("tzdata"))) / "zoneinfo"
BERLIN = (PACKAGE / "Europe/Berlin").read_bytes()


@contextmanager
def database(folder: Path) -> Iterator[Path]:
    """Let this folder be the machine's zone database, before the package; nothing is in it yet."""
    before, kept = zoneinfo.TZPATH, (dict(zone_data._read), set(zone_data._asked))
    folder.mkdir()
    try:
        zoneinfo.reset_tzpath(to=[str(folder)])
        _forget_all()
        yield folder
    finally:
        zoneinfo.reset_tzpath(to=before)
        _forget_all()
        zone_data._read.update(kept[0])
        zone_data._asked.update(kept[1])


def _forget_all() -> None:
    zone_data._read.clear()
    zone_data._asked.clear()
    zone_data.renew()


def put(folder: Path, name: str, data: bytes | None = None) -> Path:
    """Make a zone file by renaming, as package managers do; the package's own by default."""
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_name(f".{file.name}.new")
    new.write_bytes((PACKAGE / name).read_bytes() if data is None else data)
    return new.replace(file)


def moved(data: bytes, old: bytes = b"CET-1CEST", new: bytes = b"CET-3CEST") -> bytes:
    """Return rules as another version of the database has them, for the times to come."""
    assert old in data
    return data.replace(old, new)


# What a disk, or half an upgrade, may have left of a file.
DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "it is empty": lambda _: b"",
    "it is not a zone file": lambda data: b"#!" + data[2:],
    "it breaks off": lambda data: data[:-1],  # in its last line, which reads on for ever
    "its last line makes no sense": lambda data: data[:-2] + b"\xff\n",
    "its header makes no sense": lambda data: _with_header(data, 36, b"\0\0\0\0"),
    "its clock changes are not in order": lambda data: _with_block(data, 0, b"\x7f"),
    "the rule in its last line makes no sense": lambda data: data.replace(b"M3.5.0", b"M13.5.0"),
}


def _second(data: bytes) -> int:
    return data.index(b"TZif", 4)


def _with_header(data: bytes, at: int, new: bytes) -> bytes:
    at += _second(data)
    return data[:at] + new + data[at + len(new) :]


def _with_block(data: bytes, at: int, new: bytes) -> bytes:
    return _with_header(data, 44 + at, new)
