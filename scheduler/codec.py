"""Records in, JSON objects out, and back: the codec of the control socket's replies.

Requests are written and read by `protocol`, which tells whoever wrote one by hand what is wrong.

A record is a frozen dataclass. The types of its fields are all there is to say: a fact that is
added to a record is written and read from then on. A field may be a text, one of some words, a
number, a truth, an instant, a record, a tuple of any of these, or one of them or None.
"""

from __future__ import annotations

import re
from dataclasses import MISSING, dataclass, fields, is_dataclass
from datetime import MINYEAR, UTC, datetime
from enum import StrEnum
from functools import cache, partial
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_origin, get_type_hints

from scheduler.errors import NoAnswer
from scheduler.text import LAST_DAY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from _typeshed import DataclassInstance

Json = dict[str, object]

MOST_NUMBER = 2**63 - 1  # no number is larger, nor smaller than its opposite: it is SQLite's
INLINE = {"inline": True}  # of a field: its own members stand beside those of the other fields

R = TypeVar("R", bound="DataclassInstance")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")


def named(name: str) -> Mapping[str, str]:
    """Return the metadata of a field whose member in JSON has another name."""
    return {"name": name}


def encode(record: DataclassInstance) -> Json:
    """Return the object that a record is in JSON; times are cut to whole seconds."""
    found: Json = {}
    for member in _codecs(type(record)):
        value = getattr(record, member.field)
        if member.is_inline:
            found |= encode(value)
        else:
            found[member.name] = _encoded(value)
    return found


def decode(kind: type[R], found: object) -> R:
    """Return the record of this kind that an object in JSON is; NoAnswer where it is none.

    Members that nobody knows are left alone. One that is missing or null is what its field's
    default says, or None; where the field has neither, that is a NoAnswer, too.
    """
    if not isinstance(found, dict):
        raise _nonsense("object")
    build: Callable[..., R] = kind
    return build(**{each.field: each.read_from(found) for each in _codecs(kind)})


def stamp(at: datetime) -> str:
    """Return the instant as requests and replies have it: `2027-03-28T01:00:00Z`."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def instant(text: str) -> datetime:
    """Return the instant that `stamp` wrote; ValueError for any other text.

    Also for the calendar's first year and its last day, which some zones can't show.
    """
    if not _TIME.fullmatch(text):
        raise ValueError(text)
    found = datetime.fromisoformat(text)
    if found.year == MINYEAR or found >= LAST_DAY:
        raise ValueError(text)
    return found


# --- the members of a record ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _FieldCodec:
    """How a field of a record is a member in JSON.

    `read` takes what stands there, and raises ValueError or NoAnswer; `default` is what a missing
    one is, MISSING where there is no such thing.
    """

    field: str
    name: str
    is_inline: bool
    read: Callable[[Any], object]
    default: object

    def read_from(self, found: Json) -> object:
        """Return the value of the field; NoAnswer where its member makes no sense."""
        value = found if self.is_inline else found.get(self.name)
        if value is None and self.default is not MISSING:
            return self.default
        try:
            return self.read(value)
        except ValueError as error:
            raise _nonsense(self.name) from error


@cache
def _codecs(kind: type[DataclassInstance]) -> tuple[_FieldCodec, ...]:
    types = get_type_hints(kind)
    return tuple(
        _FieldCodec(
            field=field.name,
            name=field.metadata.get("name", field.name),
            is_inline=field.metadata.get("inline", False),
            read=_reader(types[field.name]),
            default=_default(types[field.name], field.default),
        )
        for field in fields(kind)
    )


def _default(kind: object, default: object) -> object:
    may_be_none = default is MISSING and NoneType in get_args(kind)
    return None if may_be_none else default


def _nonsense(name: str) -> NoAnswer:
    return NoAnswer(f"the daemon's answer has no {name} that makes sense; is it another version?")


# --- the values of members -----------------------------------------------------------------------


def _encoded(value: Any) -> object:
    if isinstance(value, datetime):
        return stamp(value)
    if isinstance(value, tuple):
        return [_encoded(each) for each in value]
    return encode(value) if is_dataclass(type(value)) else value


def _reader(kind: Any) -> Callable[[Any], object]:
    """Return what reads values of this type; TypeError for one that JSON has no form for."""
    if kind in _READERS:
        return _READERS[kind]
    if isinstance(kind, type) and is_dataclass(kind):
        return partial(decode, kind)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return partial(_word, kind)
    inner = [each for each in get_args(kind) if each not in (NoneType, ...)]
    if len(inner) == 1 and get_origin(kind) is tuple:
        return partial(_list, _reader(inner[0]))
    if len(inner) == 1 and get_origin(kind) is UnionType:
        return _reader(inner[0])
    raise TypeError(f"JSON has no form for {kind}")


def _list(read: Callable[[Any], object], found: object) -> tuple[object, ...]:
    return tuple(read(each) for each in _exactly(list, found))


def _exactly(kind: type, found: object) -> Any:
    """Return what is of this type and of no other: true is no number, though Python says so."""
    if type(found) is not kind:
        raise ValueError(found)
    return found


def _word(kind: type[StrEnum], found: object) -> StrEnum:
    return kind(_exactly(str, found))


def _whole(found: object) -> int:
    number: int = _exactly(int, found)
    if abs(number) > MOST_NUMBER:
        raise ValueError(found)
    return number


def _number(found: object) -> float:
    number = found if isinstance(found, float) else float(_whole(found))
    if not abs(number) <= MOST_NUMBER:  # nor is NaN, which JSON has not, but Python reads
        raise ValueError(found)
    return number


_READERS: dict[object, Callable[[Any], object]] = {
    str: partial(_exactly, str),
    bool: partial(_exactly, bool),
    int: _whole,
    float: _number,
    datetime: lambda found: instant(_exactly(str, found)),
}
