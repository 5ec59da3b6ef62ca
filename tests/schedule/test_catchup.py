"""What an outage asks for: each entry's missed instants, made up for or left out with a reason."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from fakes import utc
from hypothesis import given
from hypothesis import strategies as st

from scheduler.entry import Catchup, Entry, Reboot, Settings
from scheduler.run import Reason
from scheduler.schedule.catchup import (
    LeftOut,
    Outage,
    OutageAccount,
    Walk,
    account,
    accounts,
    starts,
)
from scheduler.schedule.expression import parse
from scheduler.schedule.misfire import is_too_late
from scheduler.schedule.timetable import Timetable

BERLIN = ZoneInfo("Europe/Berlin")
UTC_ZONE = ZoneInfo("UTC")
NOON = utc(2027, 3, 1, 12)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def entry(
    schedule: str, *, zone: ZoneInfo = UTC_ZONE, delay: float = 0, job: str = "job", **chosen: Any
) -> Entry:
    given = Settings(**chosen)
    return Entry(job, parse(schedule), schedule, zone, "true", settings=given, delay=delay)


def judged(asked: Entry, hours: float) -> OutageAccount | None:
    """What becomes of an entry after so many hours without a daemon, from noon on."""
    outage = Outage(NOON, NOON + hours * HOUR)
    timetable = Timetable([asked], {asked.job: NOON})
    is_due = asked in timetable.due(outage.current)
    return account(asked, outage, timetable, is_due=is_due)


def wanted(found: OutageAccount) -> list[datetime]:
    """The instants that are made up for, those of a backlog one by one; it knows how many."""
    if found.backlog is None:
        return list(found.made_up)
    first, last = found.backlog.next, found.backlog.last
    timetable = Timetable([found.entry], {found.entry.job: NOON})
    minutes = [first + n * MINUTE for n in range((last - first) // MINUTE + 1)]
    instants = [minute for minute in minutes if timetable.due(minute)]
    assert (instants[0], instants[-1], len(instants)) == (first, last, found.backlog.left)
    return instants


def told(found: OutageAccount | None) -> str:
    """`13:00 14:00 | 12:30-12:45 missed`: what is made up for, and what is left out."""
    if found is None:
        return ""
    some = [each for each in (found.left_out, found.beyond) if each]
    stretches = [f"{left.first:%H:%M}-{left.last:%H:%M} {left.reason}" for left in some]
    return f"{' '.join(f'{at:%H:%M}' for at in wanted(found))} | {', '.join(stretches)}".strip()


ROWS = [
    # schedule, hours without a daemon from 12:00, settings, expected, why
    ("30 13 * * *", 2, {}, "13:30 |", "a written time gets its one run"),
    ("30 13 * * *", 1, {}, "", "nothing was missed"),
    ("0 12 * * *", 2, {}, "", "the last minute handled is not missed"),
    ("0 14 * * *", 2, {}, "", "nor is the present one"),
    ("0 13,14,15 * * *", 3.5, {}, "15:00 | 13:00-14:00 superseded", "one run, for the newest"),
    ("0 13,14,15 * * *", 3, {}, "| 13:00-14:00 superseded", "which is due right now"),
    ("30 13 * * *", 4.5, {}, "13:30 |", "three hours late is just in time"),
    ("30 13 * * *", 4.6, {}, "| 13:30-13:30 too late", "more is not"),
    ("30 13 * * *", 4.6, {"within": 1e6}, "13:30 |", "unless it says so"),
    ("30 13 * * *", 1.6, {"within": 300.0}, "| 13:30-13:30 too late", "or asks for less"),
    ("0 13,14 * * *", 9, {}, "| 13:00-14:00 too late", "all of them are"),
    ("*/10 * * * *", 1.5, {}, "| 12:10-13:20 missed", "an interval's next instant is near"),
    ("30 * * * *", 2.75, {}, "| 12:30-14:30 missed", "every hour is an interval"),
    ("*/30 13 * * *", 3, {}, "| 13:00-13:30 missed", "so is a star in the minutes"),
    ("@every 40m", 2.5, {}, "| 12:40-14:00 missed", "and @every"),
    ("@hourly", 2.5, {}, "| 13:00-14:00 missed", "and a nickname with a star"),
    ("@daily", 13, {}, "00:00 |", "a written midnight"),
    ("*/30 * * * *", 1.75, {"catchup": Catchup.LATEST}, "13:30 | 12:30-13:00 superseded", "asked for"),
    ("@every 40m", 2.5, {"catchup": Catchup.LATEST}, "14:00 | 12:40-13:20 superseded", "of @every too"),
    ("30 13 * * *", 2, {"catchup": Catchup.NONE}, "| 13:30-13:30 missed", "not wanted"),
    ("0 * * * *", 2.5, {"catchup": Catchup.ALL}, "13:00 14:00 |", "each of them"),
    ("0 * * * *", 2, {"catchup": Catchup.ALL}, "13:00 |", "and the present one by itself"),
    ("0 * * * *", 5.5, {"catchup": Catchup.ALL}, "15:00 16:00 17:00 | 13:00-14:00 too late", "in three hours"),
    ("0 13 * * *", 9, {"catchup": Catchup.ALL}, "| 13:00-13:00 too late", "none of them is"),
    ("0 * * * *", 5.5, {"catchup": Catchup.ALL, "catchup_limit": 2}, "16:00 17:00 | 13:00-14:00 too late, 15:00-15:00 missed", "the newest two of them"),
    ("*/20 * * * *", 2, {"catchup": Catchup.ALL, "catchup_limit": 5}, "12:20 12:40 13:00 13:20 13:40 |", "exactly so many"),
    ("*/20 * * * *", 2, {"catchup": Catchup.ALL, "catchup_limit": 4}, "12:40 13:00 13:20 13:40 | 12:20-12:20 missed", "one more than that"),
    ("@every 40m", 3.5, {"catchup": Catchup.ALL, "catchup_limit": 2}, "14:40 15:20 | 12:40-14:00 missed", "an interval, too"),
    ("0 13 * * *", 5, {"start_hours": (18, 20)}, "13:00 |", "START_HOURS_RANGE held it back, and is no lateness"),
    ("0 13 * * *", 8, {"start_hours": (18, 20)}, "13:00 |", "the hours over again: two hours late, by them"),
    ("0 13 * * *", 5, {"start_hours": (13, 20)}, "| 13:00-13:00 too late", "all the time it might have started"),
    ("0 13 * * *", 4, {"start_hours": (14, 15), "within": 3600.0}, "13:00 |", "one hour of them was missed"),
    ("0 13 * * *", 4, {"start_hours": (14, 15), "within": 3599.0}, "| 13:00-13:00 too late", "a second less is allowed"),
    ("@reboot", 5, {}, "", "a boot is no minute"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("schedule", "hours", "chosen", "expected", "why"), ROWS, ids=[r[4] for r in ROWS]
)
def test_what_was_missed_gets_what_the_table_says(
    schedule: str, hours: float, chosen: dict[str, Any], expected: str, why: str
) -> None:
    assert told(judged(entry(schedule, **chosen), hours)) == expected, why


PAUSED = [
    # when the pause ended, expected, why
    (None, ["13:00 14:00 |"], "there was none"),
    (0.5, ["13:00 14:00 |"], "it was over before the first"),
    (1.5, ["| 13:00-13:00 paused", "14:00 |"], "one of them was in it"),
    (9, ["| 13:00-14:00 paused"], "all of them"),
]


@pytest.mark.parametrize(("hours", "expected", "why"), PAUSED)
def test_of_a_paused_job_only_what_came_after_the_pause_is_made_up_for(
    hours: float | None, expected: list[str], why: str
) -> None:
    asked = entry("0 * * * *", catchup=Catchup.ALL)
    until = None if hours is None else NOON + hours * HOUR
    outage = Outage(NOON, NOON + 2.5 * HOUR)
    found = accounts(asked, outage, Timetable([asked], {}), is_due=False, paused_until=until)
    assert [told(each) for each in found] == expected, why


@given(
    st.sampled_from(["*/7 * * * *", "0 13 * * *", "15,45 */2 * * *", "@every 25m", "10 1-23/3 * * *"]),
    st.integers(6, 2000),
    st.sampled_from(list(Catchup)),
    st.sampled_from([0.0, 600.0, 10800.0, 1e6]),
    st.sampled_from([1, 7, 10_000]),
)  # fmt: skip
def test_every_missed_instant_is_accounted_for_once(
    schedule: str, minutes: int, catchup: Catchup, within: float, limit: int
) -> None:
    asked = entry(schedule, catchup=catchup, within=within, catchup_limit=limit)
    timetable = Timetable([asked], {"job": NOON})
    outage = Outage(NOON, NOON + minutes * MINUTE)
    missed = [at for n in range(1, minutes) if timetable.due(at := NOON + n * MINUTE)]
    is_due = bool(timetable.due(outage.current))
    found = account(asked, outage, timetable, is_due=is_due)
    if not missed:
        assert found is None
        return
    assert found is not None
    left_out: list[datetime] = []
    for left in filter(None, (found.left_out, found.beyond)):
        some = [at for at in missed if left.first <= at <= left.last]
        assert (left.first, left.last) == (some[0], some[-1])
        left_out += some
    assert left_out + wanted(found) == missed
    if catchup is Catchup.ALL:  # what is too late is that, and of the others the newest are run
        in_time = [at for at in missed if not is_too_late(asked, at, outage.current, made_up=True)]
        assert wanted(found) == in_time[-limit:]
    walked = Walk(outage, timetable.due, timetable)
    assert account(asked, outage, walked, is_due=is_due) == found


def made_up(number: int, *, delay: float = 0) -> list[OutageAccount]:
    """So many entries that each missed a minute of the hour before noon, the newest first."""
    return [
        OutageAccount(entry("0 0 * * *", job=f"job{n}", delay=delay), (NOON - n * MINUTE,))
        for n in range(1, number + 1)
    ]


def test_runs_are_made_up_for_one_after_the_other_the_oldest_first() -> None:
    found = starts(made_up(3), NOON)
    assert [(each.entry.job, (each.start - NOON).total_seconds()) for each in found] == [
        ("job3", 0.0),
        ("job2", 1.0),
        ("job1", 2.0),
    ]


def test_however_many_there_are_the_last_starts_within_five_minutes() -> None:
    found = starts(made_up(3000), NOON)
    assert max(each.start for each in found) < NOON + timedelta(seconds=300)
    assert len({each.start for each in found}) == 3000


def test_a_run_whose_spread_start_is_still_to_come_keeps_it() -> None:
    found = starts(made_up(2, delay=90), NOON)
    assert [(each.entry.job, (each.start - NOON).total_seconds()) for each in found] == [
        ("job2", 0.0),
        ("job1", 30.0),
    ]


def test_an_entry_without_instants_misses_nothing() -> None:
    asked = Entry("job", Reboot(), "@reboot", UTC_ZONE, "true")
    assert judged(asked, 100) is None


def test_what_is_left_out_names_its_entry() -> None:
    found = judged(asked := entry("*/30 * * * *"), 1)
    expected = LeftOut(asked, NOON + HOUR / 2, NOON + HOUR / 2, Reason.MISSED)
    assert found == OutageAccount(asked, (), expected)
