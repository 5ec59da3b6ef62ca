"""Records to JSON and back: nothing is lost on the way, and nothing hostile gets through."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field, fields, make_dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from records import json_values, times, values
from standin import STATUS

from scheduler import codec, wire
from scheduler.codec import INLINE, MOST_NUMBER, decode, encode, named
from scheduler.errors import NoAnswer
from scheduler.protocol import Answer
from scheduler.status import Snapshot
from scheduler.wire import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

KINDS: tuple[type[Any], ...] = get_args(Answer)
NOON = datetime(2027, 3, 28, 12, 0, tzinfo=UTC)


@given(st.one_of(*map(values, KINDS)))
def test_what_is_written_is_read_as_the_same_record(record: Answer) -> None:
    line = wire.write_reply(record)
    received = wire.read_reply(line)
    assert decode(type(record), received) == record
    assert encode(decode(type(record), received)) == received


# --- hostile replies -----------------------------------------------------------------------------


def ways_into(value: object, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to every value in a JSON value, but for the whole."""
    inner: Any = ()
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    for name, each in inner:
        yield (*way, name)
        yield from ways_into(each, (*way, name))


def put(value: Any, way: tuple[Any, ...], new: object) -> Any:
    """Return a copy with another value at the end of the way."""
    copied = json.loads(json.dumps(value))
    at = copied
    for name in way[:-1]:
        at = at[name]
    at[way[-1]] = new
    return copied


@given(st.sampled_from(sorted(ways_into(STATUS), key=str)), json_values)
def test_a_status_with_anything_anywhere_is_read_or_no_answer(
    way: tuple[Any, ...], new: object
) -> None:
    found = put(STATUS, way, new)
    try:
        snapshot = decode(Snapshot, found)
    except NoAnswer:
        return
    json.dumps(encode(snapshot), allow_nan=False)
    assert decode(Snapshot, encode(snapshot)) == snapshot


@given(st.sampled_from([*KINDS, Refused]), json_values)
def test_any_json_at_all_is_read_or_no_answer(kind: type[Any], found: object) -> None:
    with suppress(NoAnswer):
        decode(kind, found)


@dataclass(frozen=True, slots=True)
class Inner:
    at: datetime


@dataclass(frozen=True, slots=True)
class Whole:
    is_big: bool = field(metadata=named("big"))
    amount: float
    number: int
    inner: Inner = field(metadata=INLINE)
    rows: tuple[Inner, ...]
    maybe: str | None
    words: tuple[str, ...] = ()
    least: int = 7


WHOLE: dict[str, Any] = {
    "big": True,
    "amount": 0.5,
    "number": 3,
    "at": "2027-03-28T12:00:00Z",
    "rows": [{"at": "2027-03-28T12:00:00Z"}],
    "maybe": None,
    "words": ["a"],
    "least": 8,
}


def test_a_record_in_json_has_its_fields_in_their_order() -> None:
    record = Whole(True, 0.5, 3, Inner(NOON), (Inner(NOON),), None, ("a",), 8)
    assert json.dumps(encode(record)) == json.dumps(WHOLE)
    assert decode(Whole, WHOLE) == record


@pytest.mark.parametrize(
    ("members", "changed", "why"),
    [
        ({"maybe": "x"}, {"maybe": "x"}, "it may be there"),
        ({"words": None, "least": None}, {"words": (), "least": 7}, "null is the default"),
        ({"amount": 2}, {"amount": 2.0}, "a whole number is a number"),
        ({"amount": -1e18}, {"amount": -1e18}, "a large one"),
        ({"number": MOST_NUMBER}, {"number": MOST_NUMBER}, "the largest"),
        ({"number": -MOST_NUMBER}, {"number": -MOST_NUMBER}, "the smallest"),
        ({"rows": []}, {"rows": ()}, "none"),
        ({"mood": {"deep": [1]}}, {}, "of a newer daemon"),
    ],
)
def test_a_member_that_makes_sense(
    members: dict[str, Any], changed: dict[str, Any], why: str
) -> None:
    base = decode(Whole, WHOLE)
    found = decode(Whole, WHOLE | members)
    expected = {each.name: getattr(base, each.name) for each in fields(base)} | changed
    assert {each.name: getattr(found, each.name) for each in fields(found)} == expected, why


@pytest.mark.parametrize(
    ("members", "name", "why"),
    [
        ({"big": 1}, "big", "a number is no truth"),
        ({"big": None}, "big", "nor is null"),
        ({"number": True}, "number", "a truth is no number, though Python says so"),
        ({"number": 3.0}, "number", "a fraction is no whole number"),
        ({"number": "3"}, "number", "nor is a text"),
        ({"number": MOST_NUMBER + 1}, "number", "larger than anybody counts"),
        ({"number": -MOST_NUMBER - 1}, "number", "smaller than that"),
        ({"amount": 10**4000}, "amount", "a number that no float holds"),
        ({"amount": 1e19}, "amount", "one that nobody could show"),
        ({"amount": float("nan")}, "amount", "Python's JSON, nobody else's"),
        ({"amount": float("-inf")}, "amount", "the same"),
        ({"amount": True}, "amount", "a truth"),
        ({"at": 1806235200}, "at", "seconds are no instant"),
        ({"at": "2027-03-28 12:00"}, "at", "no zone"),
        ({"at": "2027-02-30T12:00:00Z"}, "at", "no day"),
        ({"at": "9999-12-31T12:00:00Z"}, "at", "east of UTC it can't be shown"),
        ({"at": "2027-03-28T12:00:00Z\n"}, "at", "more than an instant"),
        ({"at": "٢٠٢٧-03-28T12:00:00Z"}, "at", "digits of another script"),
        ({"rows": {}}, "rows", "an object is no list"),
        ({"rows": "ab"}, "rows", "nor is a text, though Python goes through it"),
        ({"rows": [None]}, "object", "null is no record"),
        ({"rows": [{"at": None}]}, "at", "a record is read like the whole"),
        ({"rows": [[[[]]]]}, "object", "however deep"),
        ({"maybe": 1}, "maybe", "another type than it may be"),
        ({"words": ["a", 1]}, "words", "each of them"),
        ({"least": "8"}, "least", "a default is for what is missing"),
    ],
)
def test_a_member_that_makes_none_is_named(members: dict[str, Any], name: str, why: str) -> None:
    with pytest.raises(NoAnswer, match=f"has no {name} that makes sense"):
        decode(Whole, WHOLE | members)
    assert why


@pytest.mark.parametrize("found", [None, [], "x", 1, True, [WHOLE]])
def test_what_is_no_object_is_no_record(found: object) -> None:
    with pytest.raises(NoAnswer, match="no object that makes sense"):
        decode(Whole, found)


@pytest.mark.parametrize("kind", [bytes, set[str], dict[str, int], int | str, tuple[int, str]])
def test_a_type_that_json_has_no_form_for_is_a_bug(kind: Any) -> None:
    record = make_dataclass("record", [("member", kind)])
    with pytest.raises(TypeError, match="JSON has no form for"):
        decode(record, {"member": 1})


def test_times_are_utc_and_in_whole_seconds() -> None:
    tokyo = timezone(timedelta(hours=9))
    at = datetime(2027, 3, 28, 21, 0, 0, 999_999, tzinfo=tokyo)
    assert codec.stamp(at) == "2027-03-28T12:00:00Z"
    assert codec.stamp(datetime(33, 1, 1, tzinfo=UTC)) == "0033-01-01T00:00:00Z"


@given(times)
def test_an_instant_is_read_as_it_was_written(at: datetime) -> None:
    assert codec.instant(codec.stamp(at)) == at
