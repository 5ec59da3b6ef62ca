"""Lines of the control socket: what each asks for, and what is said of one that asks nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler import codec, protocol, wire
from scheduler.codec import MOST_NUMBER
from scheduler.errors import NoAnswer
from scheduler.past import History, Output, Page
from scheduler.protocol import (
    LONGEST_LINE,
    Inherited,
    Kill,
    Pause,
    Reload,
    RemoveTable,
    Reply,
    Request,
    Resume,
    Retry,
    SaveTable,
    Table,
    Trigger,
)
from scheduler.request_members import LONGEST_TEXT
from scheduler.status import Status
from scheduler.table_text import bytes_of, text_of
from scheduler.wire import Refused

NOON = datetime(2027, 3, 28, 12, 0, tzinfo=UTC)

names = st.text(min_size=1, max_size=LONGEST_TEXT)
runs = st.integers(1, MOST_NUMBER)
times = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=st.just(UTC)).map(
    lambda at: at.replace(microsecond=0)
)
some = st.lists(names, min_size=1, max_size=5, unique=True).map(tuple)
requests = st.one_of(
    st.builds(Status, st.just(()) | some),
    st.builds(Reload),
    st.builds(Inherited),
    st.builds(Trigger, names),
    st.builds(Retry, runs),
    st.builds(Kill, runs),
    st.builds(Pause, some, st.none() | times, st.text(max_size=LONGEST_TEXT)),
    st.builds(Resume, some),
    st.builds(Table),
    st.builds(SaveTable, st.binary().map(text_of), st.none() | names),
    st.builds(RemoveTable),
    st.builds(Output, runs, runs),
    st.builds(
        History,
        job=st.just("") | names,
        run=st.none() | runs,
        since=st.none() | times,
        before=st.none() | times,
        failed=st.booleans(),
        page=st.none()
        | st.builds(
            Page,
            st.integers(0, 10**9),
            st.integers(-(10**12), 10**12),
            runs.filter(lambda n: n < 10**18),
        ),
    ),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(requests)
def test_what_is_written_is_read_as_the_same_request(request: Request) -> None:
    line = wire.write(request)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    # A thousand letters may take twelve bytes each; then the daemon says so, and nothing else.
    if len(line) <= LONGEST_LINE:
        assert protocol.read(line) == request
    else:
        assert _code(line) == "too-long"


@given(st.dictionaries(st.text().filter(lambda name: name != "ok"), json_values))
def test_what_was_done_is_read_as_it_was_written(reply: dict[str, object]) -> None:
    assert wire.read_reply(wire.write_reply(reply)) == reply


@given(st.builds(Refused, st.text(), st.text()))
def test_why_not_is_read_as_it_was_written(reply: Refused) -> None:
    assert wire.read_reply(wire.write_reply(reply)) == reply


@given(st.binary())
def test_a_table_of_any_bytes_comes_over_whole(table: bytes) -> None:
    asked = protocol.read(wire.write(SaveTable(text_of(table))))
    assert isinstance(asked, SaveTable)
    assert bytes_of(asked.text) == table


@given(st.binary())
def test_no_bytes_make_reading_fail(line: bytes) -> None:
    assert isinstance(protocol.read(line), Refused)


@given(
    st.sampled_from([*protocol.VERBS, "", "stop"]),
    st.dictionaries(
        st.sampled_from(["job", "jobs", "run", "until", "note", "meridian"]) | st.text(),
        json_values | runs | names | some.map(list) | times.map(codec.stamp),
    ),
)
def test_nor_does_any_object_that_is_nearly_a_request(
    verb: str, members: dict[str, object]
) -> None:
    line = json.dumps({"meridian": 1, "do": verb} | members).encode()
    found = protocol.read(line)
    assert isinstance(found, Refused) or protocol.read(wire.write(found)) == found


@given(st.binary() | json_values.map(lambda value: json.dumps(value).encode()))
def test_an_answer_that_makes_no_sense_is_none(line: bytes) -> None:
    with pytest.raises(NoAnswer, match="makes no sense"):
        wire.read_reply(line)


def _code(line: str | bytes) -> str:
    found = protocol.read(line.encode() if isinstance(line, str) else line)
    assert isinstance(found, Refused), line
    return found.code


def asked(rest: str) -> str:
    return '{"meridian": 1, ' + rest + "}"


@pytest.mark.parametrize(
    ("line", "request_", "why"),
    [
        (asked('"do": "status"'), Status(), "nothing else is needed"),
        (asked('"do": "status", "jobs": ["a"]'), Status(("a",)), "which of these there are"),
        (asked('"do": "trigger", "job": "backup"'), Trigger("backup"), "a name"),
        ('{"job":"b","do":"trigger","meridian":1}\r\n', Trigger("b"), "in any order and spacing"),
        (asked('"do": "retry", "run": 7'), Retry(7), "a number"),
        (asked('"do": "kill", "run": 9223372036854775807'), Kill(MOST_NUMBER), "the last number"),
        (asked('"do": "pause", "jobs": ["a", "b"]'), Pause(("a", "b")), "until told, no note"),
        (asked('"do": "pause", "jobs": ["a"], "until": null'), Pause(("a",)), "null is none"),
        (
            asked('"do": "pause", "jobs": ["a"], "until": "2027-03-28T12:00:00Z", "note": "n"'),
            Pause(("a",), NOON, "n"),
            "all there is",
        ),
        (asked('"do": "pause", "jobs": ["\\u0007"]'), Pause(("\a",)), "JSON's own escapes"),
        (asked('"do": "resume", "jobs": ["caf\u00e9"]'), Resume(("caf\u00e9",)), "UTF-8"),
    ],
)
def test_a_line_that_asks(line: str, request_: Request, why: str) -> None:
    assert protocol.read(line.encode()) == request_, why


@pytest.mark.parametrize(
    ("line", "code", "why"),
    [
        ("", "not-json", "an empty line"),
        ("status", "not-json", "a person who tries a word"),
        ("[1]", "not-json", "JSON, but no object"),
        ("null", "not-json", "nor is this"),
        (b'{"meridian": 1, "do": "status", "x": "\xff"}', "not-json", "no UTF-8"),
        ('\ufeff{"meridian": 1, "do": "status"}', "not-json", "a byte order mark is no JSON"),
        ("[" * 60_000, "not-json", "deeper than any reader goes"),
        ('{"a":' * 9_000, "not-json", "objects too"),
        (asked('"do": "kill", "run": ' + "9" * 5000), "not-json", "longer than a number may be"),
        (asked('"do": "kill", "run": NaN'), "not-json", "Python's JSON, nobody else's"),
        (asked('"do": "status"') + asked('"do": "status"'), "not-json", "two in one line"),
        (asked('"do": "status", "note": "' + "x" * LONGEST_LINE + '"'), "too-long", "1 MiB"),
        (asked('"do": "kill", "run": 1, "run": 2'), "double-member", "which of them?"),
        ('{"do": "status"}', "no-version", "there will be others"),
        ('{"meridian": "1", "do": "status"}', "no-version", "a text is no version"),
        ('{"meridian": true, "do": "status"}', "no-version", "though Python takes it for 1"),
        ('{"meridian": 0, "do": "status"}', "no-version", "there never was a 0"),
        ('{"meridian": 2, "do": "dance"}', "newer-version", "said before anything else"),
        (asked('"job": "backup"'), "missing-member", "what to do with it?"),
        (asked('"do": 1'), "missing-member", "a number is no verb"),
        (asked('"do": "tigger", "job": "a"'), "unknown-verb", "a slip"),
        (asked('"do": "TRIGGER", "job": "a"'), "unknown-verb", "case counts"),
        (asked('"do": "trigger"'), "missing-member", "which job?"),
        (asked('"do": "trigger", "job": "a", "at": "now"'), "unknown-member", "never ignored"),
        (asked('"do": "status", "job": "a"'), "unknown-member", "another verb's"),
        (asked('"do": "trigger", "job": ""'), "bad-value", "no name at all"),
        (asked('"do": "trigger", "job": null'), "bad-value", "nor is null"),
        (asked('"do": "trigger", "job": ["a"]'), "bad-value", "one job only"),
        (asked(f'"do": "trigger", "job": "{"x" * (LONGEST_TEXT + 1)}"'), "bad-value", "long"),
        (asked('"do": "trigger", "job": "\\ud800"'), "bad-value", "half a character"),
        (asked('"do": "pause", "jobs": "a"'), "bad-value", "a text would be a list of letters"),
        (asked('"do": "pause", "jobs": []'), "bad-value", "nobody means nothing"),
        (asked('"do": "pause", "jobs": ["a", 1]'), "bad-value", "each of them"),
        (asked('"do": "pause", "jobs": ["a", "b", "a"]'), "bad-value", "each once"),
        (asked('"do": "kill", "run": "7"'), "bad-value", "a text is no number"),
        (asked('"do": "kill", "run": 7.0'), "bad-value", "nor is a fraction"),
        (asked('"do": "kill", "run": true'), "bad-value", "nor is this, though Python says so"),
        (asked('"do": "kill", "run": 0'), "bad-value", "runs count from 1"),
        (asked('"do": "kill", "run": 9223372036854775808'), "bad-value", "the journal ends there"),
        (asked('"do": "pause", "jobs": ["a"], "until": "2027-03-28 12:00"'), "bad-value", "whose?"),
        (
            asked('"do": "pause", "jobs": ["a"], "until": "2027-02-30T12:00:00Z"'),
            "bad-value",
            "no day",
        ),
        (
            asked('"do": "pause", "jobs": ["a"], "until": "9999-12-31T23:59:59Z"'),
            "bad-value",
            "in the year 10000 east of UTC, which no calendar here has",
        ),
        (
            asked('"do": "pause", "jobs": ["a"], "until": "0001-01-01T00:00:00Z"'),
            "bad-value",
            "before the first year west of it",
        ),
        (asked('"do": "pause", "jobs": ["a"], "until": 1806235200'), "bad-value", "not in seconds"),
        (asked('"do": "pause", "jobs": ["a"], "note": null'), "bad-value", "left out or a text"),
    ],
)
def test_a_line_that_asks_nothing(line: str | bytes, code: str, why: str) -> None:
    assert _code(line) == code, why


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("help", 'this line is not JSON in UTF-8; write {"meridian": 1, "do": "status"}'),
        (asked('"do": "tigger"'), "nothing called 'tigger' to do; did you mean trigger?"),
        (asked('"do": "x"'), "there are: status, trigger, retry, kill, pause, resume, reload"),
        (asked('"do": "kill", "rum": 7'), "no member 'rum'; did you mean run?"),
        (asked('"do": "reload", "x": 7'), "no member 'x'; there are: none"),
        (asked('"do": "kill"'), 'needs a run; add "run": 7'),
        (asked('"do": "kill", "run": "7"'), 'run is a run\'s number; write "run": 7'),
        ('{"meridian": 9, "do": "x"}', 'newer than this daemon; ask with "meridian": 1'),
    ],
)
def test_a_refusal_says_what_to_do(line: str, said: str) -> None:
    found = protocol.read(line.encode())
    assert isinstance(found, Refused)
    assert said in found.message


def test_a_line_of_the_greatest_length_is_read() -> None:
    line = wire.write(Trigger("backup"))
    assert protocol.read(line.rstrip().ljust(LONGEST_LINE)) == Trigger("backup")
    assert _code(line.rstrip().ljust(LONGEST_LINE + 1)) == "too-long"


def test_a_request_has_its_times_in_utc_and_whole_seconds() -> None:
    tokyo = timezone(timedelta(hours=9))
    at = datetime(2027, 3, 28, 21, 0, 0, 999_999, tzinfo=tokyo)
    assert protocol.read(wire.write(Pause(("a",), at))) == Pause(("a",), NOON)


def test_a_line_is_ascii_whatever_it_says() -> None:
    line = wire.write(Pause(("caf\u00e9",), note="a\nb\u2028\x1b[31m"))
    assert line.isascii()
    assert line.count(b"\n") == 1


@pytest.mark.parametrize(
    "reply",
    [
        {"run": 9},
        {"ok": True, "run": 9},
    ],
)
def test_a_reply_says_that_it_was_done_once(reply: Reply) -> None:
    assert wire.write_reply(reply) == b'{"ok": true, "run": 9}\n'


def test_a_reply_holds_what_json_has_a_form_for() -> None:
    with pytest.raises(TypeError):
        wire.write_reply({"at": NOON})
