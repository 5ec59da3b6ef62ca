"""The bytes of a zone file (TZif, RFC 9636) in, what is wrong with them out.

The library that reads these files trusts them: one that breaks off in its last line keeps it
reading for ever, and an offset of days ends in an error only when that time is asked for.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import pairwise

_FILE_HEADER = struct.Struct(">4s c 15x 6L")
_TYPE = struct.Struct(">l B B")
_LONGEST_OFFSET = 86_399  # seconds: what Python takes, and more than any zone has had
_ENDS_EARLY = "it breaks off"


class _Damage(Exception):
    """What is wrong, as a sentence that goes on from the file's name."""


@dataclass(frozen=True, slots=True)
class _Block:
    """One data block: its times have `width` bytes each, and it ends at `end`."""

    width: int
    start: int
    times: int
    types: int
    characters: int
    end: int


def damage(data: bytes) -> str:
    """Return what is wrong with a zone file that holds this; "" if nothing is."""
    try:
        _check(data)
    except _Damage as found:
        return str(found)
    return ""


def _check(data: bytes) -> None:
    if not data:
        raise _Damage("it is empty")
    version, block = _block(data, 0, width=4)
    if version != b"\0":
        _, block = _block(data, block.end, width=8)
        _check_footer(data[block.end :])
    _check_times(data, block)
    _check_types(data, block)


def _block(data: bytes, at: int, *, width: int) -> tuple[bytes, _Block]:
    """Read the header at `at`, and find out where the block ends that follows it."""
    if not data.startswith(b"TZif", at):
        raise _Damage("it is not a zone file" if at == 0 else _ENDS_EARLY)
    if len(data) < at + _FILE_HEADER.size:
        raise _Damage(_ENDS_EARLY)
    _, version, utc, standard, leaps, times, types, characters = _FILE_HEADER.unpack_from(data, at)
    start = at + _FILE_HEADER.size
    size = times * (width + 1) + types * _TYPE.size + characters + leaps * (width + 4)
    block = _Block(width, start, times, types, characters, start + size + standard + utc)
    if block.end > len(data):
        raise _Damage(_ENDS_EARLY)
    if not types or not characters or types > 256 or not {utc, standard} <= {0, types}:
        raise _Damage("its header makes no sense")
    return version, block


def _check_footer(footer: bytes) -> None:
    """See that the rule for the times to come is there, between two newlines."""
    if len(footer) < 2 or b"\n" not in footer[1:]:
        raise _Damage(_ENDS_EARLY)
    if footer[:1] != b"\n" or not footer[1 : footer.index(b"\n", 1)].isascii():
        raise _Damage("its last line makes no sense")


def _check_times(data: bytes, block: _Block) -> None:
    letter = "l" if block.width == 4 else "q"
    times = struct.unpack_from(f">{block.times}{letter}", data, block.start)
    if any(one >= other for one, other in pairwise(times)):
        raise _Damage("its clock changes are not in order")
    at = block.start + block.times * block.width
    if any(kind >= block.types for kind in data[at : at + block.times]):
        raise _Damage("a clock change leads to no time")


def _check_types(data: bytes, block: _Block) -> None:
    at = block.start + block.times * (block.width + 1)
    end = at + block.types * _TYPE.size
    names = data[end : end + block.characters]
    for offset, is_dst, name in _TYPE.iter_unpack(data[at:end]):
        if abs(offset) > _LONGEST_OFFSET or is_dst > 1:
            raise _Damage("its offsets from UTC make no sense")
        if b"\0" not in names[name:] or not names.isascii():
            raise _Damage("its abbreviations make no sense")
