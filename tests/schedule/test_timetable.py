"""What is due at a minute, of many entries, and how little is looked at to find it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.day_rules import DayRules, DaySet
from scheduler.entry import Entry, Expression
from scheduler.errors import BadValue
from scheduler.schedule import timetable
from scheduler.schedule.dst import Wall, applies, is_due, walls
from scheduler.schedule.expression import parse
from scheduler.schedule.timetable import Timetable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
NOON = datetime(2027, 6, 1, 12, 0, tzinfo=UTC)
UTC_ZONE = ZoneInfo("UTC")
ZONES = [ZoneInfo(name) for name in reference.CHANGES]


def entry(schedule: str, zone: ZoneInfo = UTC_ZONE, job: str = "job") -> Entry:
    return Entry(job, parse(schedule, job=job), schedule, zone, "true")


def jobs(found: Iterable[Entry]) -> list[str]:
    return sorted(each.job for each in found)


# --- expressions ---------------------------------------------------------------------------------


def comes(text: str) -> bool:
    try:
        parse(text)
    except BadValue:
        return False
    return True


texts = st.one_of(reference.expressions(every_day=True), reference.expressions().filter(comes))
zoned = st.tuples(texts, st.sampled_from(ZONES))


@settings(max_examples=60)
@given(
    st.lists(zoned, max_size=12),
    reference.changes(),
    st.one_of(st.integers(-3, 3), st.integers(-50, 50)),
)
def test_the_due_entries_are_those_that_is_due_picks_one_by_one(
    drawn: Sequence[tuple[str, ZoneInfo]], change: tuple[ZoneInfo, datetime], hours: int
) -> None:
    entries = [entry(text, zone, str(n)) for n, (text, zone) in enumerate(drawn)]
    table = Timetable(entries, {})
    start = change[1] + hours * HOUR
    for minute in (start + n * MINUTE for n in range(-2, 62)):
        one_by_one = [
            each
            for each in entries
            if isinstance(each.schedule, Expression) and is_due(each.schedule, each.zone, minute)
        ]
        assert jobs(table.due(minute)) == jobs(one_by_one)


@settings(max_examples=30)
@given(reference.changes())
def test_entries_with_equal_schedules_are_all_due(change: tuple[ZoneInfo, datetime]) -> None:
    zone, changed = change
    table = Timetable([entry("*/7 2,3 * * *", zone, str(n)) for n in range(5)], {})
    found = [len(table.due(changed + n * MINUTE)) for n in range(-90, 90)]
    assert set(found) <= {0, 5}


def test_an_entry_that_a_gap_makes_due_many_times_over_is_due_once() -> None:
    table = Timetable([entry("0,10,20 2,3 * * *", ZoneInfo("Europe/Berlin"))], {})
    assert jobs(table.due(datetime(2027, 3, 28, 1, 0, tzinfo=UTC))) == ["job"]


def test_one_minute_is_judged_in_the_zone_of_each_entry() -> None:
    """Nine in the morning is another instant in each of five zones."""
    zones = ["Asia/Tokyo", "Asia/Kolkata", "Europe/Berlin", "America/New_York", "UTC"]
    table = Timetable([entry("0 9 * * *", ZoneInfo(name), name) for name in zones], {})
    midnight = datetime(2027, 6, 1, tzinfo=UTC)
    found = [(f"{at:%H:%M}", *jobs(due)) for at, due in table.upcoming(midnight - MINUTE)]
    assert found == [
        ("00:00", "Asia/Tokyo"),
        ("03:30", "Asia/Kolkata"),
        ("07:00", "Europe/Berlin"),
        ("09:00", "UTC"),
        ("13:00", "America/New_York"),
    ]


def test_the_order_of_the_crontab_is_kept_among_equal_schedules() -> None:
    entries = [entry("0 12 * * *", job=job) for job in ("b", "c", "a")]
    assert [each.job for each in Timetable(entries, {}).due(NOON)] == ["b", "c", "a"]


def test_nothing_is_due_without_entries() -> None:
    assert Timetable([], {}).due(NOON) == []


# --- intervals and boots -------------------------------------------------------------------------

INTERVALS = [  # schedule, minutes since the anchor, whether it is due, why
    ("@every 90m", 0, False, "the anchor itself was handled: it counts strictly after it"),
    ("@every 90m", 89, False, "not yet"),
    ("@every 90m", 90, True, "one interval"),
    ("@every 90m", 91, False, "and only at its minute"),
    ("@every 90m", 180, True, "two"),
    ("@every 90m", 90 * 10_000, True, "ten thousand, though the anchor was never moved"),
    ("@every 90m", -90, False, "a clock that was set back: not before the anchor"),
    ("@every 1m", 0, False, "every minute, but the anchor's own"),
    ("@every 1m", 1, True, "every minute"),
    ("@every 2d", 2 * 24 * 60, True, "days are 24 hours"),
    ("@every 2d", 24 * 60, False, "and two of them are two"),
]  # fmt: skip


@pytest.mark.parametrize(("schedule", "minutes", "is_expected", "why"), INTERVALS)
def test_an_interval_counts_from_its_anchor(
    schedule: str, minutes: int, is_expected: bool, why: str
) -> None:
    table = Timetable([entry(schedule)], {"job": NOON})
    assert bool(table.due(NOON + minutes * MINUTE)) == is_expected, why


def test_intervals_of_one_length_keep_their_own_anchors() -> None:
    table = Timetable(
        [entry("@every 1h", job="full"), entry("@every 1h", job="past")],
        {"full": NOON, "past": NOON + 15 * MINUTE},
    )
    assert jobs(table.due(NOON + 60 * MINUTE)) == ["full"]
    assert jobs(table.due(NOON + 75 * MINUTE)) == ["past"]


def test_one_phase_may_have_several_anchors() -> None:
    table = Timetable(
        [entry("@every 1h", job="old"), entry("@every 1h", job="new")],
        {"old": NOON - 5 * HOUR, "new": NOON},
    )
    assert jobs(table.due(NOON)) == ["old"]
    assert jobs(table.due(NOON + HOUR)) == ["new", "old"]


def test_an_interval_follows_elapsed_time_across_a_clock_change() -> None:
    zone = ZoneInfo("Europe/Berlin")
    anchor = datetime(2027, 3, 28, 0, 0, tzinfo=UTC)
    table = Timetable([entry("@every 90m", zone)], {"job": anchor})
    found = [at for at, _ in islice(table.upcoming(anchor), 4)]
    assert found == [anchor + n * 90 * MINUTE for n in range(1, 5)]


def test_a_boot_is_no_minute() -> None:
    at_boot, other = entry("@reboot", job="boot"), entry("* * * * *")
    table = Timetable([at_boot, other], {})
    assert table.at_reboot == (at_boot,)
    assert all(table.due(NOON + n * MINUTE) == [other] for n in range(100))


# --- what comes ----------------------------------------------------------------------------------


def test_upcoming_is_the_next_day_minute_by_minute() -> None:
    entries = [entry("0 */6 * * *", job="six"), entry("0 12,18 * * *", job="two")]
    table = Timetable(entries, {})
    found = [(f"{at:%dT%H:%M}", jobs(due)) for at, due in table.upcoming(NOON)]
    assert found == [
        ("01T18:00", ["six", "two"]),
        ("02T00:00", ["six"]),
        ("02T06:00", ["six"]),
        ("02T12:00", ["six", "two"]),
    ]


@pytest.mark.parametrize(
    ("schedule", "minutes", "expected", "why"),
    [
        ("0 13 * * *", 0, 60, "an hour later"),
        ("0 12 * * *", 0, 24 * 60, "strictly later: tomorrow"),
        ("@every 90m", 0, 90, "an interval after its anchor"),
        ("@every 90m", 89, 90, "still the first"),
        ("@every 90m", 90, 180, "strictly later: the second"),
        ("@every 90m", -1000, 90, "never before its anchor, nor at it"),
        ("@reboot", 0, None, "nobody knows"),
    ],
)
def test_a_retry_can_ask_for_the_next_instant_of_its_entry(
    schedule: str, minutes: int, expected: int | None, why: str
) -> None:
    each = entry(schedule)
    found = Timetable([each], {"job": NOON}).next_instant(each, NOON + minutes * MINUTE)
    assert found == (None if expected is None else NOON + expected * MINUTE), why


schedules = st.one_of(
    st.sampled_from(["@every 1m", "@every 7m", "@every 90m"]), reference.expressions(every_day=True)
)


@settings(max_examples=60)
@given(schedules, reference.changes(), st.integers(-90, 90))
def test_the_next_instant_is_the_next_minute_at_which_the_entry_is_due(
    schedule: str, change: tuple[ZoneInfo, datetime], minutes: int
) -> None:
    zone, changed = change
    each = entry(schedule, zone)
    table = Timetable([each], {"job": changed})
    after = changed + minutes * MINUTE
    first = next((at for at, _ in table.upcoming(after)), None)
    found = table.next_instant(each, after)
    assert found == first if first else found is None or found > after + 24 * HOUR


def test_what_is_upcoming_asks_for_no_day_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a day off each minute would cost a look at what it takes away."""
    noon, rules = entry("0 12 * * *"), DayRules(excepted=DaySet("wed", weekdays=frozenset({3})))
    schedule = replace(noon.schedule, day_rules=rules)
    table = Timetable([replace(noon, schedule=schedule)], {})
    monkeypatch.setattr(Timetable, "excluded", lambda *_: pytest.fail("it was asked"))
    assert [at for at, _ in table.upcoming(NOON)] == []


def test_upcoming_ends_after_a_day_with_nothing_due() -> None:
    assert list(Timetable([entry("0 0 29 2 *")], {}).upcoming(NOON)) == []


@settings(max_examples=60)
@given(
    st.lists(st.tuples(schedules, st.sampled_from(ZONES)), max_size=4),
    reference.changes(),
    st.integers(-1500, 1500),
)
def test_the_next_busy_minute_is_the_first_at_which_something_is_due(
    drawn: Sequence[tuple[str, ZoneInfo]], change: tuple[ZoneInfo, datetime], minutes: int
) -> None:
    """Around a clock change, and on the days beside it, in zones that change and zones that do not."""
    entries = [entry(text, zone, str(n)) for n, (text, zone) in enumerate(drawn)]
    anchors = {each.job: change[1] - 5 * MINUTE for each in entries}
    table, again = Timetable(entries, anchors), Timetable(entries, anchors)
    after = change[1] + minutes * MINUTE
    busy = [at for n in range(1, 121) if again.due(at := after + n * MINUTE)]
    found = list(busy_minutes(table, after, after + 120 * MINUTE))
    assert found == busy


def busy_minutes(table: Timetable, after: datetime, until: datetime) -> Iterator[datetime]:
    while (minute := table.next_busy(after, until)) is not None:
        yield minute
        after = minute


NEXT_BUSY = [  # after, until (in minutes from noon), expected, why
    (0, 60, 30, "the first of several"),
    (30, 60, 60, "strictly later than the one before; the last minute is one of them"),
    (30, 59, None, "and none behind the last"),
    (-0.5, 60, 0, "seconds: the minute that comes"),
    (30, 60.5, 60, "seconds: the minute that it lies in"),
    (0, 0, None, "no time, no minute"),
    (60, 0, None, "nor backwards"),
    (60, 10**6, 12 * 60 + 24 * 60 * 333, "months on"),
]


@pytest.mark.parametrize(("after", "until", "expected", "why"), NEXT_BUSY)
def test_the_next_busy_minute_is_later_and_not_too_late(
    after: float, until: float, expected: int | None, why: str
) -> None:
    entries = [entry("0 12 1 6 *"), entry("30 12 1 6 *"), entry("0 13 1 6 *"), entry("0 0 30 4 *")]
    table = Timetable(entries, {})
    found = table.next_busy(NOON + after * MINUTE, NOON + until * MINUTE)
    assert found == (None if expected is None else NOON + expected * MINUTE), why


def test_without_entries_no_minute_is_busy() -> None:
    assert Timetable([], {}).next_busy(NOON, NOON + 1000 * HOUR) is None


LAST = [  # schedule, minutes since the anchor, expected, why
    ("0 11 * * *", 0, -60, "an hour earlier"),
    ("0 12 * * *", 0, -24 * 60, "strictly earlier: yesterday"),
    ("0 12 * * *", 0.5, 0, "half a minute ago"),
    ("@every 90m", 90, None, "strictly earlier, and never its anchor"),
    ("@every 90m", 90.5, 90, "the first"),
    ("@every 90m", 180, 90, "still the first"),
    ("@every 90m", 181, 180, "the second"),
    ("@every 90m", -1000, None, "nothing before its anchor"),
    ("@reboot", 0, None, "a boot is no minute"),
]


@pytest.mark.parametrize(("schedule", "minutes", "expected", "why"), LAST)
def test_the_last_instant_is_the_newest_before(
    schedule: str, minutes: float, expected: int | None, why: str
) -> None:
    each = entry(schedule)
    found = Timetable([each], {"job": NOON}).last_instant(each, NOON + minutes * MINUTE)
    assert found == (None if expected is None else NOON + expected * MINUTE), why


@settings(max_examples=40)
@given(schedules, reference.changes(), st.integers(-90, 90))
def test_the_last_instant_is_the_last_minute_at_which_the_entry_was_due(
    schedule: str, change: tuple[ZoneInfo, datetime], minutes: int
) -> None:
    zone, changed = change
    each = entry(schedule, zone)
    table = Timetable([each], {"job": changed - HOUR})
    before = changed + minutes * MINUTE
    earlier = (before - n * MINUTE for n in range(1, 24 * 60))
    last = next((minute for minute in earlier if table.due(minute)), None)
    found = table.last_instant(each, before)
    assert found == last if last else found is None or found < before - 23 * HOUR


# --- what it costs -------------------------------------------------------------------------------


class Looks:
    """Counts the two things that cost: judging an expression, asking a zone for its clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.judged: list[Expression] = []
        self.asked: list[ZoneInfo] = []
        monkeypatch.setattr(timetable, "applies", self._applies)
        monkeypatch.setattr(timetable, "walls", self._walls)

    def _applies(self, expression: Expression, wall: Wall) -> bool:
        self.judged.append(expression)
        return applies(expression, wall)

    def _walls(self, zone: ZoneInfo, minute: datetime) -> tuple[Wall, ...]:
        self.asked.append(zone)
        return walls(zone, minute)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Looks:
    return Looks(monkeypatch)


def test_entries_of_other_minutes_are_never_touched(looks: Looks) -> None:
    elsewhere = [entry(f"{n % 59 + 1} {n % 24} * * *", job=str(n)) for n in range(2000)]
    table = Timetable([*elsewhere, entry("0 12 * * *")], {})
    assert jobs(table.due(NOON)) == ["job"]
    assert looks.judged == [parse("0 12 * * *")]


def test_a_minute_at_which_nothing_is_due_judges_nothing(looks: Looks) -> None:
    table = Timetable([entry(f"{n % 30} * * * *", job=str(n)) for n in range(2000)], {})
    assert table.due(NOON + 45 * MINUTE) == []
    assert looks.judged == []


def test_equal_expressions_are_judged_once(looks: Looks) -> None:
    table = Timetable([entry("0 12 * * *", job=str(n)) for n in range(2000)], {})
    assert len(table.due(NOON)) == 2000
    assert len(looks.judged) == 1


CHANGING = datetime(2027, 3, 28, tzinfo=UTC)  # the day of Europe's clocks


@pytest.mark.parametrize(
    ("days", "is_asked", "why"),
    [
        (-2, False, "an ordinary day"),
        (-1, False, "the day before"),
        (0, True, "the change itself"),
        (1, True, "minutes may still be repeated"),
        (2, False, "an ordinary day"),
    ],
)
def test_a_zone_is_asked_about_the_minutes_near_a_clock_change_alone(
    looks: Looks, days: int, is_asked: bool, why: str
) -> None:
    """And once, however many entries it has."""
    berlin, kolkata = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kolkata")
    entries = [
        entry("* * * * *", zone, f"{zone}-{n}") for n in range(9) for zone in (berlin, kolkata)
    ]
    assert len(Timetable(entries, {}).due(CHANGING + days * timedelta(days=1) + 12 * HOUR)) == 18
    assert looks.asked == ([berlin] if is_asked else []), why


class Counted(Timetable):
    """Counts the minutes that it was asked about."""

    asked = 0

    def due(self, minute: datetime) -> list[Entry]:
        self.asked += 1
        return super().due(minute)


def test_empty_minutes_are_leapt_over() -> None:
    """In a year of a rare entry, two minutes of each day are looked at: midnight, and its own."""
    table = Counted([entry("0 12 29 2 *"), entry("@every 400d", job="every")], {"every": NOON})
    assert table.next_busy(NOON - timedelta(days=365), NOON - timedelta(days=1)) is None
    assert table.asked <= 2 * 365


def test_intervals_ask_no_zone(looks: Looks) -> None:
    entries = [entry(f"@every {n % 50 + 1}m", job=str(n)) for n in range(2000)]
    table = Timetable(entries, {str(n): NOON for n in range(2000)})
    assert len(table.due(NOON + MINUTE)) == 40
    assert (looks.asked, looks.judged) == ([], [])
