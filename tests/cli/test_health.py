"""What a monitor is told: one row a fact, and what it makes of the whole."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from standin import STATUS

from scheduler.cli import health
from scheduler.cli.health import AlertTrouble, Finding, Level, Trouble
from scheduler.codec import decode
from scheduler.daemon import ticker
from scheduler.status import Counts, Identity, Snapshot

NOW = datetime(2027, 3, 28, 1, 1, 30, tzinfo=UTC)  # 90 s after the last minute handled
WELL = decode(Snapshot, STATUS)
SECOND = timedelta(seconds=1)


def since(started: datetime) -> Identity:
    return replace(WELL.daemon, started=started)


@pytest.mark.parametrize(
    ("members", "trouble", "level", "why"),
    [
        ({}, Trouble(), Level.OK, "as it should be"),
        ({"last_tick": NOW - 120 * SECOND}, Trouble(), Level.OK, "idle, shortly before the next"),
        ({"last_tick": NOW - 150 * SECOND}, Trouble(), Level.OK, "thousands of runs to prepare"),
        ({"last_tick": NOW - 151 * SECOND}, Trouble(), Level.CRITICAL, "a minute was not handled"),
        ({"last_tick": NOW + 60 * SECOND}, Trouble(), Level.OK, "set back a little"),
        ({"last_tick": NOW + 3600 * SECOND}, Trouble(), Level.WARNING, "the clock was set back"),
        ({"last_tick": None, "daemon": since(NOW)}, Trouble(), Level.OK, "new, and not yet there"),
        (
            {"last_tick": None, "daemon": since(NOW - 91 * SECOND)},
            Trouble(),
            Level.CRITICAL,
            "nor ever",
        ),
        ({"is_stopping": True}, Trouble(), Level.CRITICAL, "it starts nothing new"),
        ({"journal": "the disk is full"}, Trouble(), Level.CRITICAL, "nor does this one"),
        ({}, Trouble(failing=["a"]), Level.CRITICAL, "a job failed for good"),
        ({}, Trouble(retrying=["a"]), Level.WARNING, "it may still come right"),
        ({}, Trouble(alerts=AlertTrouble(failed=1)), Level.WARNING, "somebody does not know"),
        ({}, Trouble(alerts=AlertTrouble(retrying=1)), Level.OK, "they may still be told"),
        ({}, Trouble(damaged=["a"]), Level.WARNING, "older history is not in the journal"),
        (
            {"crontabs": replace(WELL.crontabs, problems=1)},
            Trouble(),
            Level.WARNING,
            "a line is refused",
        ),
        (
            {"crontabs": replace(WELL.crontabs, kept=1)},
            Trouble(),
            Level.WARNING,
            "an old version runs",
        ),
        (
            {"crontabs": replace(WELL.crontabs, problems=1)},
            Trouble(failing=["a"]),
            Level.CRITICAL,
            "the worst counts",
        ),
        (
            {"counts": replace(WELL.counts, waiting=5000)},
            Trouble(),
            Level.OK,
            "waiting is no failure",
        ),
    ],
)
def test_each_fact_has_its_level(
    members: dict[str, Any], trouble: Trouble, level: Level, why: str
) -> None:
    assert health.judge(replace(WELL, **members), trouble, NOW).level is level, why


def test_a_pause_is_mentioned_and_no_trouble() -> None:
    assert str(health.judge(WELL, Trouble(), NOW)) == (
        "OK: 12 entries, 1 running, 1 waiting, 1 paused"
    )
    calm = replace(WELL, paused=(), counts=Counts(0, 0, 0))
    assert str(health.judge(calm, Trouble(), NOW)) == "OK: 12 entries, 0 running, 0 waiting"


def test_every_reason_is_told_the_worst_first() -> None:
    bad = replace(
        WELL, is_stopping=True, journal="it is full", last_tick=NOW - 3600 * SECOND,
        crontabs=replace(WELL.crontabs, problems=2, kept=1),
    )  # fmt: skip
    trouble = Trouble(failing=["a (run 7)", "b (run 9)"], retrying=["c (run 8)"])
    assert str(health.judge(bad, trouble, NOW)) == (
        "CRITICAL: the daemon is stopping, and starts nothing new; the journal refuses: it is full;"
        " the last minute handled is 1 h behind the clock; 2 jobs failing: a (run 7), b (run 9);"
        " 1 run waiting for a retry: c (run 8); 2 problems in the crontabs;"
        " 1 unreadable entry kept in the last good version"
    )


def test_half_a_minute_is_what_a_daemon_may_take_to_prepare_one() -> None:
    assert timedelta(minutes=2) + ticker._LONGEST_LEAD == health.LATE


def test_a_damaged_journal_is_named_with_what_to_do() -> None:
    told = str(health.judge(WELL, Trouble(damaged=["/s/journal.db.damaged-1"]), NOW))
    assert told == (
        "WARNING: a damaged journal was moved aside: look at /s/journal.db.damaged-1,"
        " then delete it"
    )
    told = str(health.judge(WELL, Trouble(damaged=list("abcdefg")), NOW))
    assert told.endswith("look at a, b, c, d, e and 2 more, then delete them")


def test_a_clock_that_was_set_back_is_told_with_for_how_long_nothing_is_due() -> None:
    found = health.judge(replace(WELL, last_tick=NOW + 3540 * SECOND), Trouble(), NOW)
    assert found.text == "the clock was set back: nothing is due for 1 h"


def test_of_many_jobs_five_are_named() -> None:
    told = str(health.judge(WELL, Trouble(failing=list("abcdefg")), NOW))
    assert told == "CRITICAL: 7 jobs failing: a, b, c, d, e and 2 more"


def test_nothing_is_taken_for_measured_values() -> None:
    assert str(Finding(Level.WARNING, "a|b")) == "WARNING: a/b"


def test_the_levels_are_the_exit_statuses_of_monitors() -> None:
    assert [(level.name, level.value) for level in Level] == [
        ("OK", 0), ("WARNING", 1), ("CRITICAL", 2), ("UNKNOWN", 3),
    ]  # fmt: skip
