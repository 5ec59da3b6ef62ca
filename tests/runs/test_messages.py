"""What the log says of starts and endings, word for word."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from fakes import utc

from scheduler.entry import Entry, Reboot
from scheduler.run import (
    Attempt,
    Decision,
    Done,
    Ending,
    Exited,
    GiveUp,
    Limit,
    Reason,
    RetryAt,
    Run,
    Signalled,
)
from scheduler.runs.messages import (
    end_facts,
    jump_facts,
    of_instant,
    of_stretch,
    skip_facts,
    start_facts,
    wait_facts,
)
from scheduler.schedule.catchup import LeftOut
from scheduler.schedule.tick import Jump, JumpKind, Verdict
from scheduler.text import of_seconds, of_size

START = utc(2027, 3, 28, 1)
RUN = Run(7, "job", START)
RUN_FACTS = {"job": "job", "run": 7, "instant": "2027-03-28T01:00:00Z"}
ENTRY = Entry("job", Reboot(), "@reboot", ZoneInfo("Europe/Berlin"), "true")


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 ms"),
        (0.0004, "0 ms"),
        (0.02, "20 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1 s"),
        (1, "1 s"),
        (3.14, "3.1 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (60, "1 min"),
        (320, "5 min 20 s"),
        (3599.6, "1 h"),
        (3601, "1 h"),
        (11_520, "3 h 12 min"),
        (86_400, "1 d"),
        (200_000, "2 d 7 h"),
        (31_536_000, "365 d"),
    ],
)
def test_a_length_of_time_has_two_figures_at_most(seconds: float, expected: str) -> None:
    assert of_seconds(seconds) == expected


def test_an_instant_is_told_by_the_entrys_own_clock() -> None:
    assert of_instant(START, ZoneInfo("Europe/Berlin"), START) == "03:00 Europe/Berlin"
    assert of_instant(START, ZoneInfo("Asia/Kolkata"), START) == "06:30 Asia/Kolkata"


def test_a_start_says_which_attempt_from_the_second_on() -> None:
    facts = RUN_FACTS | {"attempt": 1, "pid": 99, "late_s": None, "say": "03:00 Europe/Berlin"}
    assert start_facts(ENTRY, Attempt(RUN, 1), 99, started=START) == facts
    second = start_facts(ENTRY, Attempt(RUN, 2), 99, started=START + timedelta(hours=1))
    assert (second["late_s"], second["say"]) == (None, "03:00 Europe/Berlin, attempt 2")


@pytest.mark.parametrize(
    ("delay", "after", "late", "say"),
    [
        (0, 59, None, "03:00 Europe/Berlin"),
        (0, 60, 60.0, "03:00 Europe/Berlin, 1 min late"),
        (0, 2400, 2400.0, "03:00 Europe/Berlin, 40 min late"),
        (2400, 2400, None, "03:00 Europe/Berlin"),  # as late as it was spread
    ],
)
def test_a_start_says_how_late_it_is(delay: int, after: int, late: float | None, say: str) -> None:
    entry = replace(ENTRY, delay=float(delay))
    started = START + timedelta(seconds=after)
    facts = start_facts(entry, Attempt(RUN, 1), 99, started=started)
    assert (facts["late_s"], facts["say"]) == (late, say)


DAY = timedelta(days=1)
TWO = timedelta(hours=2)


@pytest.mark.parametrize(
    ("first", "last", "say", "why"),
    [
        (START, START, "03:00 Europe/Berlin", "today"),
        (START, START + TWO, "03:00 to 05:00 Europe/Berlin", "today, from first to last"),
        (START - DAY, START - DAY, "Sat 2027-03-27 02:00 Europe/Berlin", "another day has its date"),
        (START - DAY, START, "Sat 2027-03-27 02:00 to Sun 2027-03-28 03:00 Europe/Berlin", "then both have"),
        (START - 330 * DAY, START, "Sat 2026-05-02 03:00 to Sun 2027-03-28 03:00 Europe/Berlin", "never 03:00 to 03:00"),
        (START + DAY, START + DAY, "Mon 2027-03-29 03:00 Europe/Berlin", "tomorrow is another day too"),
    ],
)  # fmt: skip
def test_a_date_is_told_wherever_it_is_not_todays(
    first: datetime, last: datetime, say: str, why: str
) -> None:
    assert of_stretch(first, last, ZoneInfo("Europe/Berlin"), START) == say, why


def test_today_is_the_day_that_the_zone_has() -> None:
    now = utc(2027, 3, 28, 23)  # the 29th in Kolkata
    assert of_instant(now, ZoneInfo("Asia/Kolkata"), now) == "04:30 Asia/Kolkata"
    before = now - timedelta(hours=5)
    assert of_instant(before, ZoneInfo("Asia/Kolkata"), now) == "Sun 2027-03-28 23:30 Asia/Kolkata"


@pytest.mark.parametrize(
    ("last", "until", "say"),
    [
        (START, None, "03:00 Europe/Berlin: missed"),
        (START + TWO, "2027-03-28T03:00:00Z", "03:00 to 05:00 Europe/Berlin: missed"),
    ],
)
def test_what_is_left_out_is_told_from_its_first_to_its_last_instant(
    last: datetime, until: str | None, say: str
) -> None:
    facts = skip_facts(LeftOut(ENTRY, START, last, Reason.MISSED), START)
    told = {"job": "job", "instant": "2027-03-28T01:00:00Z", "reason": "missed"}
    assert facts == told | {"until": until, "say": say}


@pytest.mark.parametrize(
    ("made_up", "due", "say"),
    [
        (True, START, "03:00 Europe/Berlin is made up for at 03:00:00"),
        (False, START + timedelta(seconds=61), "03:00 Europe/Berlin is spread to 03:01:01"),
        (False, START + DAY, "03:00 Europe/Berlin is spread to Mon 2027-03-29 03:00:00"),
    ],
)
def test_a_start_that_is_put_off_is_told_with_its_time(
    made_up: bool, due: datetime, say: str
) -> None:
    assert wait_facts(ENTRY, RUN, due, START, made_up=made_up)["say"] == say


def test_what_a_machine_reads_is_utc_and_lengths_are_seconds() -> None:
    """RFC 3339, one form of it for all facts; no sum is left to the reader."""
    ending = Ending(Exited(3), START + timedelta(seconds=5), took=5.0)
    again = RetryAt(START + timedelta(seconds=35))
    facts = {
        **wait_facts(ENTRY, RUN, START, START, made_up=False),
        **end_facts(Attempt(RUN, 1), ending, again),
        **jump_facts(Jump(JumpKind.DOWN, START, START, 60.0, Verdict.ACCOUNTED), made_up=0, left_out=0),
    }  # fmt: skip
    times = {name: facts[name] for name in ("instant", "due", "retry_at", "last")}
    assert all(re.fullmatch(r"2027-03-28T01:00:\d\d(\.\d{3})?Z", str(at)) for at in times.values()), times  # fmt: skip
    assert (facts["took_s"], facts["retry_in_s"], facts["seconds"]) == (5.0, 30.0, 60.0)


@pytest.mark.parametrize(
    ("kind", "size", "verdict", "say"),
    [
        (JumpKind.DOWN, 2400, Verdict.ACCOUNTED, "no daemon ran for 40 min: 2 missed runs made up for, instants of 1 entry left out"),
        (JumpKind.ASLEEP, 100, Verdict.REPLAYED, "the machine slept for 1 min 40 s: the missed minutes run late"),
        (JumpKind.BACK, -1800, Verdict.WAITED_OUT, "the clock was set back by 30 min: the minutes done before are waited out"),
        (JumpKind.FORWARD, 5, Verdict.NOTHING, "the clock was set forward by 5 s: no minute was missed"),
    ],
)  # fmt: skip
def test_a_jump_is_told_with_its_size_and_what_was_made_of_it(
    kind: JumpKind, size: float, verdict: Verdict, say: str
) -> None:
    jump = Jump(kind, START, START + timedelta(seconds=size), size, verdict)
    some = verdict is Verdict.ACCOUNTED
    facts = jump_facts(jump, made_up=2 * some, left_out=1 * some)
    assert (facts["kind"], facts["seconds"], facts["say"]) == (kind.value, size, say)


@pytest.mark.parametrize(
    ("decision", "more", "say"),
    [
        (Done(), {}, "exit 3 after 5 s"),
        (RetryAt(START + timedelta(seconds=35)), {"retry_at": "2027-03-28T01:00:35.000Z", "retry_in_s": 30.0}, "exit 3 after 5 s; attempt 3 in 30 s"),
        (RetryAt(START), {"retry_at": "2027-03-28T01:00:00.000Z", "retry_in_s": 0.0}, "exit 3 after 5 s; attempt 3 in 0 ms"),
        (GiveUp(Reason.EXHAUSTED), {"gave_up": "no attempts left"}, "exit 3 after 5 s; gave up after attempt 2: no attempts left"),
    ],
)  # fmt: skip
def test_an_ending_says_what_follows(decision: Decision, more: dict[str, object], say: str) -> None:
    ending = Ending(Exited(3), START + timedelta(seconds=5), took=5.0)
    facts = RUN_FACTS | {
        "attempt": 2,
        "outcome": "exit 3",
        "limit": None,
        "took_s": 5.0,
        "say": say,
    }
    assert end_facts(Attempt(RUN, 2), ending, decision) == facts | more


def test_an_ending_names_the_limit_behind_it() -> None:
    ending = Ending(Signalled(9), START + timedelta(seconds=3), limit=Limit.MEMORY, took=3.0)
    facts = end_facts(Attempt(RUN, 1), ending, GiveUp(Reason.NOT_RETRIED))
    assert (facts["outcome"], facts["limit"]) == ("signal 9", "memory")
    assert str(facts["say"]).startswith("signal 9 (memory limit) after 3 s; gave up")


def test_how_long_an_attempt_took_is_said_where_it_is_known() -> None:
    """Whatever the clock says of its end: it may have been set meanwhile."""
    for took, say in ((0.02, "exit 0 after 20 ms"), (None, "exit 0")):
        ending = Ending(Exited(0), START - timedelta(hours=1), took=took)
        facts = end_facts(Attempt(RUN, 1), ending, Done())
        assert (facts["say"], facts["took_s"]) == (say, took)


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (9_949, "9.9 kB"),
        (9_950, "10 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (47_000_000, "47 MB"),
        (1_234_567_890, "1.2 GB"),
        (5_000_000_000_000_000, "5000 TB"),
    ],
)
def test_bytes_are_said_in_the_unit_that_fits(size: int, said: str) -> None:
    assert of_size(size) == said
