"""Which bytes are a zone file, and that no others reach the library that reads them."""

from __future__ import annotations

import io
import struct
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import TZPATH, ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zonefiles import BERLIN, DAMAGES, PACKAGE

from scheduler.schedule.tzif import damage

YEARS = (1800, 1900, 1950, 2000, 2027, 2040, 3000)


def header(version: bytes, *counts: int) -> bytes:
    """A header: counts of UTC and standard indicators, leap seconds, times, types, characters."""
    return struct.pack(">4s c 15x 6L", b"TZif", version, *counts)


ONE = header(b"\0", 0, 0, 0, 0, 1, 4) + struct.pack(">lBB", 3600, 0, 0) + b"ABC\0"
TWO = header(b"2", 0, 0, 0, 0, 1, 4) + ONE[44:] + header(b"2", 0, 0, 0, 0, 1, 4) + ONE[44:]

FILES = [
    (ONE, "", "the first version has no last line"),
    (TWO + b"\nABC-1\n", "", "the others have one"),
    (TWO + b"\n\n", "", "which may be empty"),
    (TWO + b"\nABC-1", "it breaks off", "but must end"),
    (TWO, "it breaks off", "and must be there"),
    (TWO + b"xABC-1\n", "its last line makes no sense", "on a line of its own"),
    (TWO + b"\nABC-1\xff\n", "its last line makes no sense", "in ASCII"),
    (TWO[:60], "it breaks off", "in the second header"),
    (ONE[:43], "it breaks off", "in the first"),
    (ONE[:-1], "it breaks off", "in its names"),
    (b"", "it is empty", "as a full disk leaves it"),
    (b"hello", "it is not a zone file", "something else"),
    (header(b"\0", 0, 0, 0, 0, 0, 4) + b"ABC\0", "its header makes no sense", "no time at all"),
    (header(b"\0", 9, 0, 0, 0, 1, 4) + ONE[44:] + bytes(9), "its header makes no sense", "indicators of nothing"),
    (header(b"\0", 0, 0, 0, 2, 1, 4) + struct.pack(">2l2B", 5, 5, 0, 0) + ONE[44:], "its clock changes are not in order", "two at once"),
    (header(b"\0", 0, 0, 0, 1, 1, 4) + struct.pack(">lB", 5, 1) + ONE[44:], "a clock change leads to no time", "of one"),
    (ONE[:44] + struct.pack(">lBB", 86400, 0, 0) + b"ABC\0", "its offsets from UTC make no sense", "a day: an error at each look"),
    (ONE[:44] + struct.pack(">lBB", 3600, 2, 0) + b"ABC\0", "its offsets from UTC make no sense", "neither summer time nor not"),
    (ONE[:44] + struct.pack(">lBB", 3600, 0, 4) + b"ABC\0", "its abbreviations make no sense", "behind the last"),
    (ONE[:-1] + b"D", "its abbreviations make no sense", "without an end"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "expected", "why"), FILES, ids=[row[2] for row in FILES])
def test_a_zone_file_is_whole_or_its_damage_is_named(data: bytes, expected: str, why: str) -> None:
    assert damage(data) == expected, why


@pytest.mark.parametrize("folder", [PACKAGE, *map(Path, TZPATH)], ids=str)
def test_every_zone_file_there_is_is_whole(folder: Path) -> None:
    files = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    zones = [data for data in files if data.startswith(b"TZif")]
    assert len(zones) > 300 or not folder.exists()
    assert {damage(data) for data in zones} <= {""}


@pytest.mark.parametrize("expected", DAMAGES)
def test_the_damages_of_other_tests_are_some(expected: str) -> None:
    found = damage(DAMAGES[expected](BERLIN))
    assert found == ("" if "rule" in expected else expected)  # that one is the library's to find


@settings(max_examples=400)
@given(st.data())
def test_what_passes_can_be_read_and_asked_for_any_time(data: st.DataObject) -> None:
    """Or the library refuses it at once; without the check some of these keep it busy for ever."""
    broken = bytearray(BERLIN)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(broken) - 1))
        if data.draw(st.integers(0, 3)):
            broken[at] = data.draw(st.integers(0, 255))
        else:
            del broken[at + 1 :]
    if damage(bytes(broken)):
        return
    try:
        zone = ZoneInfo.from_file(io.BytesIO(broken), key="x")
    except ValueError:
        return
    for year in YEARS:
        assert datetime(year, 7, 1, tzinfo=UTC).astimezone(zone).tzname() is not None
