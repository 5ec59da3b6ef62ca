"""POSIX zone rules: read as the C library reads TZ, refused where it would say nothing."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
import writing
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from schedules import UTC_ZONE, expression

from scheduler.crontab import parser
from scheduler.entry import Severity
from scheduler.errors import BadValue
from scheduler.schedule import dst, posix_zone
from scheduler.schedule.search import Instant, following
from scheduler.system import local_zone

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scheduler.entry import Expression

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)

# --- as the C library reads them -----------------------------------------------------------------

# Without a zone folder, so that no file of that name and no `posixrules` is taken instead.
LIBC = """
import os, sys, time
for line in sys.stdin:
    os.environ["TZ"], *times = line.split()
    time.tzset()
    print(*(time.localtime(int(at)).tm_gmtoff for at in times), flush=True)
"""


class Libc:
    """What tzset(3) and localtime(3) say, in a process of their own."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", LIBC],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "TZDIR": "/nonexistent"},
            text=True,
        )

    def offsets(self, rule: str, times: list[int]) -> list[int]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{rule} {' '.join(map(str, times))}\n")
        self._process.stdin.flush()
        return [int(offset) for offset in self._process.stdout.readline().split()]

    def end(self) -> None:
        self._process.communicate()


@pytest.fixture(scope="module")
def libc() -> Iterator[Libc]:
    libc = Libc()
    yield libc
    libc.end()


def seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def ours(rule: str, times: list[int]) -> list[int]:
    zone = posix_zone.zone(rule)
    shown = (datetime.fromtimestamp(at, UTC).astimezone(zone) for at in times)
    return [int((each.utcoffset() or timedelta()).total_seconds()) for each in shown]


RULES = [
    # rule, hours ahead of UTC in January and in July 2027, why
    ("UTC-2", 2, 2, "the sign counts westward"),
    ("UTC2", -2, -2, "and none is a plus"),
    ("GMT+2", -2, -2, "which may be written"),
    ("UTC0", 0, 0, "none at all"),
    ("IST-5:30", 5.5, 5.5, "half an hour"),
    ("<+0545>-5:45", 5.75, 5.75, "a name of other signs"),
    ("XYZ-5:45:30", 5.758333333333334, 5.758333333333334, "seconds"),
    ("<-03>3", -3, -3, "a sign in the name means nothing"),
    ("PST8PDT,M3.2.0,M11.1.0", -8, -7, "the second Sunday in March, the first in November"),
    ("PST8PDT", -8, -7, "which are the dates where none are named"),
    ("CET-1CEST,M3.5.0,M10.5.0/3", 1, 2, "the last Sunday, at three"),
    ("AEST-10AEDT,M10.1.0,M4.1.0/3", 11, 10, "in the south"),
    ("IST-2IDT,M3.4.4/26,M10.5.0", 2, 3, "a time beyond the day"),
    ("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", -2, -1, "a time before it"),
    ("<+0330>-3:30<+0430>,J79/24,J263/24", 3.5, 4.5, "days without February 29"),
    ("AAA3BBB,78,262/1", -3, -2, "days with it"),
    ("AAA3BBB5,M3.5.0,M10.5.0", -3, -5, "an offset of its own, behind"),
    ("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", 11, 10.5, "half an hour of DST"),
    ("IST-1GMT0,M10.5.0,M3.5.0/1", 0, 1, "DST in winter, as in Dublin"),
    ("AAA3BBB,M3.2.0/99,M11.1.0/-99", -3, -2, "four days away"),
]


@pytest.mark.parametrize(("rule", "january", "july", "why"), RULES)
def test_a_rule_is_read_as_the_c_library_reads_it(
    libc: Libc, rule: str, january: float, july: float, why: str
) -> None:
    times = [seconds("2027-01-15"), seconds("2027-07-15")]
    assert ours(rule, times) == [january * 3600, july * 3600], why
    steps = range(seconds("1971-01-10"), seconds("2036-12-20"), 86400 * 11 + 3600)
    # Its own year is that of UTC, so that near New Year it asks for the wrong one.
    days = [at for at in steps if 10 <= datetime.fromtimestamp(at, UTC).timetuple().tm_yday <= 350]
    changes = around_changes(rule, 2027) + around_changes(rule, 2028)
    assert ours(rule, days + changes) == libc.offsets(rule, days + changes), why


def test_hours_of_three_digits_are_read_or_refused(libc: Libc) -> None:
    """The library of C takes them; Python 3.11.2's own reader does not."""
    rule = "AAA3BBB,M3.2.0/167,M11.1.0/-167"
    if sys.version_info < (3, 11, 3):
        with pytest.raises(BadValue, match="hours from -99 to 99"):
            posix_zone.zone(rule)
        return
    changes = around_changes(rule, 2027)
    assert ours(rule, changes) == libc.offsets(rule, changes)


def around_changes(rule: str, year: int) -> list[int]:
    zone, found = posix_zone.zone(rule), []
    at = dst.first_change(
        zone, datetime(year, 1, 10, tzinfo=UTC), datetime(year, 12, 20, tzinfo=UTC)
    )
    while at is not None:
        found += [int((at + n * MINUTE).timestamp()) for n in (-61, -1, 0, 59, 60)]
        at = dst.first_change(zone, at, datetime(year, 12, 20, tzinfo=UTC))
    return found


months = st.builds("M{}.{}.{}".format, st.integers(2, 11), st.integers(1, 5), st.integers(0, 6))
days = st.integers(20, 340).map(str)
dates = months | days | st.integers(20, 340).map("J{}".format)
times = (
    st.just("")
    | st.integers(0, 24).map("/{}".format)
    | st.sampled_from(["/2:30", "/26", "/-3", "/1:15:30"])
)
names = st.sampled_from(["ABC", "abcd", "<+05>", "<-0330>", "<A1b>"])
offsets = st.sampled_from(["0", "5", "-5", "+11", "-12", "3:30", "-9:45", "-0:30", "10:20:30"])


@settings(max_examples=150)
@given(
    st.tuples(names, offsets, names, st.just("") | offsets, dates, times, dates, times),
    st.lists(st.integers(20, 340), min_size=5, max_size=20),
    st.integers(1975, 2036),
)
def test_any_rule_is_read_as_the_c_library_reads_it(
    libc: Libc, parts: tuple[str, ...], at: list[int], year: int
) -> None:
    std, west, dst, dst_west, start, start_time, end, end_time = parts
    rule = f"{std}{west}{dst}{dst_west},{start}{start_time},{end}{end_time}"
    try:
        posix_zone.zone(rule)
    except BadValue:  # changes too near one another: they can't be looked for once a day
        reject()
    looks = [seconds(f"{year}-01-01") + day * 86400 + day * 997 for day in at]
    looks += around_changes(rule, year)
    assert ours(rule, looks) == libc.offsets(rule, looks)


# --- beyond it -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("UTC-", "no number"),
        ("UTC", "nor here: a rule has one"),
        ("Mars/X", "no rule at all"),
        ("AB3", "two letters"),
        ("<+3>-3", "nor may two stand in brackets"),
        ("UTC+25", "no clock is so far off"),
        ("UTC-24", "nor a whole day"),
        ("UTC-2:60", "no such minute"),
        ("UTC-2:5", "minutes have two digits"),
        ("UTC-2,M3.2.0,M11.1.0", "dates, and no DST"),
        ("CET-1CEST,M3.5.0", "one date"),
        ("CET-1CEST,M3.6.0,M10.5.0", "no such week"),
        ("CET-1CEST,M13.5.0,M10.5.0", "no such month"),
        ("CET-1CEST,M3.5.7,M10.5.0", "no such weekday"),
        ("CET-1CEST,J0,J9", "days are counted from 1"),
        ("CET-1CEST,366,J9", "or from 0"),
        ("CET-1CEST,M3.5.0/168,M10.5.0", "more than a week away"),
        ("CET-1CEST,M3.5.0/x,M10.5.0", "no time"),
        ("AAA3BBB,J50,J51", "DST of a day"),
        ("AAA3BBB,J51,J51", "and all year but an hour"),
        ("ABC-5ABC0,J20/7,J20", "DST that is over in the moment in which it begins"),
        ("CET-1CEST,M3.5.0,M10.5.0,M1.1.1", "three dates"),
        ("CET-1 CEST", "a blank"),
        ("ÄBC-1", "letters of other kinds"),
    ],
)
def test_what_tzset_would_take_for_utc_without_a_word_is_refused(rule: str, why: str) -> None:
    with pytest.raises(BadValue) as caught:
        posix_zone.zone(rule)
    assert caught.value.code == "bad-zone-rule", why
    assert "Europe/Berlin" in caught.value.hint


def test_dst_of_the_whole_year_is_no_change() -> None:
    """RFC 9636's own example, on which the C library is five hours wrong at each New Year."""
    zone = posix_zone.zone("EST5EDT,0/0,J365/25")
    year = (datetime(2027, 1, 1, tzinfo=UTC), datetime(2028, 2, 1, tzinfo=UTC))
    assert dst.first_change(zone, *year) is None
    assert year[0].astimezone(zone).utcoffset() == timedelta(hours=-4)


def test_a_change_at_new_year_is_where_the_rule_says() -> None:
    zone = posix_zone.zone("AAA-3BBB,J1,J180")  # 2 o'clock there, the year before in UTC
    found = dst.first_change(
        zone, datetime(2027, 12, 1, tzinfo=UTC), datetime(2028, 2, 1, tzinfo=UTC)
    )
    assert found == datetime(2027, 12, 31, 23, tzinfo=UTC)


def test_after_the_years_that_are_worked_out_the_rule_still_holds() -> None:
    zone = posix_zone.zone("CET-1CEST,M3.5.0,M10.5.0/3")
    for year in (2299, 2300, 9998):
        offsets = [
            datetime(year, month, 1, tzinfo=UTC).astimezone(zone).utcoffset() for month in (1, 7)
        ]
        assert offsets == [timedelta(hours=1), timedelta(hours=2)]


def test_a_zone_is_known_by_its_rule_and_survives_a_copy() -> None:
    zone = posix_zone.zone("PST8PDT,M3.2.0,M11.1.0")
    assert (zone.key, str(zone)) == ("PST8PDT,M3.2.0,M11.1.0",) * 2
    assert posix_zone.zone("PST8PDT,M3.2.0,M11.1.0") is zone
    assert pickle.loads(pickle.dumps(zone)) is zone
    assert copy.deepcopy(zone) is zone


@pytest.mark.parametrize(
    ("rule", "said", "hint"),
    [
        (
            "UTC-2",
            "UTC-2 is 2 hours AHEAD of UTC: in a POSIX rule + is behind UTC",
            "write Etc/GMT-2 for ahead, Etc/GMT+2 for behind, or",
        ),
        ("GMT+1", "GMT+1 is 1 hour BEHIND UTC", "write Etc/GMT-1 for ahead, Etc/GMT+1 for behind"),
        ("UTC0", "UTC0 is at UTC", "write UTC"),
        ("IST-5:30", "IST-5:30 is 5 hours 30 minutes AHEAD of UTC", "a name such as"),
        ("XXX-15", "15 hours AHEAD", "write a name"),  # there is no Etc/GMT-15
        (
            "CET-1CEST,M3.5.0,M10.5.0/3",
            "1 hour AHEAD of UTC, and 2 hours AHEAD of it with DST:",
            "a name",
        ),
        ("AST4ADT", "dates of the United States (M3.2.0,M11.1.0)", "a name"),
    ],
)
def test_which_way_a_rule_goes_is_said(rule: str, said: str, hint: str) -> None:
    message, advice = posix_zone.which_way(rule)
    assert said in message
    assert hint in advice


# --- in an entry ---------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["30 2 * * *", "*/30 2 * * *", "15 * * * *", "0 0-23/2 * * *"])
@pytest.mark.parametrize(
    ("rule", "name"),
    [
        ("CET-1CEST,M3.5.0,M10.5.0/3", "Europe/Berlin"),
        ("EST5EDT,M3.2.0,M11.1.0", "America/New_York"),
        ("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "Australia/Lord_Howe"),
    ],
)
def test_a_rule_is_due_when_the_zone_is_whose_rule_it_is(text: str, rule: str, name: str) -> None:
    asked = expression(text)
    for start in (datetime(2027, 3, 1, tzinfo=UTC), datetime(2027, 9, 25, tzinfo=UTC)):
        by_name = until(asked, ZoneInfo(name), start, start + 45 * DAY)
        assert until(asked, posix_zone.zone(rule), start, start + 45 * DAY) == by_name


def until(asked: Expression, zone: ZoneInfo, start: datetime, end: datetime) -> list[Instant]:
    return list(takewhile(lambda each: each.at < end, following(asked, zone, start)))


@pytest.mark.parametrize(
    ("text", "key", "found", "why"),
    [
        (":Europe/Berlin", "Europe/Berlin", [], "a colon in front, as POSIX writes a name"),
        ("UTC-2", "UTC-2", ["zone-rule"], "a rule, and which way it goes"),
        (":UTC-2", "UTC-2", ["zone-rule"], "behind a colon"),
        ("PST8PDT,M3.2.0,M11.1.0", "PST8PDT,M3.2.0,M11.1.0", ["zone-rule"], "with DST"),
        ("<+03>-3", "<+03>-3", ["zone-rule"], "with a number as its name"),
        ("PST8PDT", "PST8PDT", [], "a zone of this name comes before the rule"),
        ("Etc/GMT-2", "Etc/GMT-2", [], "a name is no rule"),
    ],
)
def test_cron_tz_takes_what_tzset_takes(text: str, key: str, found: list[str], why: str) -> None:
    for line in (f"CRON_TZ={text}\n0 9 * * * x\n", f"CRON_TZ={text} 0 9 * * * x\n"):
        table = parser.parse(line.encode(), file="crontab", zone=UTC_ZONE)
        assert [problem.code for problem in table.problems] == found, why
        assert {problem.severity for problem in table.problems} <= {Severity.WARNING}
        assert {problem.column for problem in table.problems} <= {9}
        (entry,) = table.entries
        assert entry.zone.key == key, why
        again = parser.parse(writing.write([entry]).encode(), file="crontab", zone=UTC_ZONE)
        assert again.entries == (entry,)


def test_a_rule_that_makes_no_sense_never_falls_back_in_silence() -> None:
    text = b"CRON_TZ=CET-1CEST,M3.6.0,M10.5.0\n0 9 * * * x\n"
    table = parser.parse(text, file="crontab", zone=UTC_ZONE)
    assert [(each.code, each.column) for each in table.problems] == [("bad-zone-rule", 9)]
    assert "M3.6.0 is no day" in table.problems[0].message
    assert table.refused == {2}


def test_tz_may_be_a_rule_too() -> None:
    assert local_zone.machine_zone({"TZ": "UTC-2"}) == (posix_zone.zone("UTC-2"), None)
    assert local_zone.machine_zone({"TZ": ":UTC-2"}) == (posix_zone.zone("UTC-2"), None)
    zone, why = local_zone.machine_zone({"TZ": "CET-1CEST,M3.6.0,M10.5.0"})
    assert zone.key == "UTC"
    assert "so UTC is taken" in str(why)
