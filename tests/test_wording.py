"""What the log says of starts and endings, word for word."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from fakes import utc

from scheduler.model import (
    Attempt,
    Decision,
    Done,
    Ending,
    Entry,
    Exited,
    GiveUp,
    Reason,
    Reboot,
    RetryAt,
    Run,
)
from scheduler.wording import end_facts, of_instant, of_seconds, start_facts

START = utc(2027, 3, 28, 1)
RUN = Run(7, "job", START)
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
    assert of_instant(START, ZoneInfo("Europe/Berlin")) == "03:00 Europe/Berlin"
    assert of_instant(START, ZoneInfo("Asia/Kolkata")) == "06:30 Asia/Kolkata"


def test_a_start_says_which_attempt_from_the_second_on() -> None:
    facts = {"job": "job", "run": 7, "attempt": 1, "pid": 99, "say": "03:00 Europe/Berlin"}
    assert start_facts(ENTRY, Attempt(RUN, 1), 99) == facts
    assert start_facts(ENTRY, Attempt(RUN, 2), 99)["say"] == "03:00 Europe/Berlin, attempt 2"


@pytest.mark.parametrize(
    ("decision", "more", "say"),
    [
        (Done(), {}, "exit 3 after 5 s"),
        (RetryAt(START + timedelta(seconds=35)), {"retry_at": "2027-03-28T01:00:35.000+00:00"}, "exit 3 after 5 s; attempt 3 in 30 s"),
        (RetryAt(START), {"retry_at": "2027-03-28T01:00:00.000+00:00"}, "exit 3 after 5 s; attempt 3 in 0 ms"),
        (GiveUp(Reason.EXHAUSTED), {"gave_up": "no attempts left"}, "exit 3 after 5 s; gave up after attempt 2: no attempts left"),
    ],
)  # fmt: skip
def test_an_ending_says_what_follows(decision: Decision, more: dict[str, str], say: str) -> None:
    ending = Ending(Exited(3), START + timedelta(seconds=5))
    facts = {"job": "job", "run": 7, "attempt": 2, "outcome": "exit 3", "say": say}
    assert end_facts(Attempt(RUN, 2), START, ending, decision) == facts | more


def test_a_clock_that_was_set_back_makes_no_negative_time() -> None:
    ending = Ending(Exited(0), START - timedelta(hours=1))
    assert end_facts(Attempt(RUN, 1), START, ending, Done())["say"] == "exit 0 after 0 ms"
