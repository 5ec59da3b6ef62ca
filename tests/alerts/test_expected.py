"""CRON_EXPECT: who has been without a success for too long, whatever the cause, and how often told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from alerting import FAILS, WELL, alerting, change, notices, told
from world import line, when

from scheduler.pause import Paused

if TYPE_CHECKING:
    from pathlib import Path

EVERY = {"retries": 0, "alert": "desktop", "expect": "2h"}
NOON = "12:00:01"


def test_a_job_that_is_never_due_is_silent_from_when_it_was_first_seen(tmp_path: Path) -> None:
    world = alerting(line("job", "0 0 31 2 *", **EVERY), tmp_path, now=NOON)
    world.runs_until("15:00")
    assert told(world) == ["14:00:01 desktop silent job"]
    facts = notices(world)[0].facts
    assert facts.since == when(NOON)
    assert facts.reason == "it should succeed every 2 h, and has never run"


def test_it_counts_from_the_last_success(tmp_path: Path) -> None:
    world = alerting(line("job", "0 12,13 * * *", **EVERY), tmp_path, now=NOON)
    world.runs_until("16:00")
    assert told(world) == ["15:00:00 desktop silent job"]
    assert notices(world)[0].facts.reason.endswith("and has not been due since")


def test_a_success_in_time_is_nothing_to_tell(tmp_path: Path) -> None:
    world = alerting(line("job", "0 * * * *", **EVERY), tmp_path, now=NOON)
    world.runs_until("20:00")
    assert told(world) == []


def test_a_paused_job_is_silent_too(tmp_path: Path) -> None:
    world = alerting(line("job", "0 * * * *", **EVERY), tmp_path, now=NOON)
    with world.journal.transaction():
        world.journal.daemon_state.pause(Paused("job", when(NOON)))
    world.runs_until("15:00")
    assert told(world) == ["14:00:01 desktop silent job"]
    assert notices(world)[0].facts.reason.endswith("and is paused")


def test_a_job_with_a_day_off_is_silent_too(tmp_path: Path) -> None:
    off = {"except": "2027-03-01"}
    world = alerting(line("job", "0 * * * *", **EVERY, **off), tmp_path, now=NOON)
    world.runs_until("15:00")
    assert told(world) == ["14:00:01 desktop silent job"]
    assert notices(world)[0].facts.reason.endswith("and its last run never started: excluded")


def test_who_heard_of_a_failure_does_not_hear_of_the_silence_as_well(tmp_path: Path) -> None:
    world = alerting(line("job", "0 * * * *", **EVERY), tmp_path, acts={"job": [FAILS]}, now=NOON)
    world.runs_until("20:00")
    assert told(world) == ["12:00:01 desktop failure job"]


def test_a_streak_that_is_not_yet_long_enough_is_silence(tmp_path: Path) -> None:
    lines = line("job", "0 * * * *", retries=0, alert="desktop,after,9", expect="2h")
    world = alerting(lines, tmp_path, acts={"job": [FAILS]}, now=NOON)
    world.runs_until("15:30")
    assert told(world) == ["14:00:01 desktop silent job"]
    assert notices(world)[0].facts.reason.endswith("and its last run failed: exit 1")


def test_a_success_ends_it_with_one_recovery(tmp_path: Path) -> None:
    lines = line("job", "0 * * * *", retries=0, alert="desktop,after,9", expect="2h")
    world = alerting(lines, tmp_path, acts={"job": [FAILS]}, now=NOON)
    change(world, "14:30", WELL)
    world.runs_until("17:30")
    assert told(world) == ["14:00:01 desktop silent job", "15:00:00 desktop recovery job"]


def test_it_is_told_again_after_a_day(tmp_path: Path) -> None:
    world = alerting(line("job", "0 0 31 2 *", **EVERY), tmp_path, now=NOON)
    world.runs_until("02T15:00")
    assert told(world) == ["14:00:01 desktop silent job", "02T14:00:01 desktop silent job"]


def test_a_daemon_that_was_down_tells_once_when_it_starts(tmp_path: Path) -> None:
    world = alerting(line("job", "0 12 * * *", **EVERY), tmp_path, now=NOON)
    world.runs_until("12:30")
    world.at("12:31", lambda: None)
    world.clock.suspend(5 * 3600)
    world.runs_until("18:00")
    world.runs_until("19:00")
    assert told(world) == ["17:30:00 desktop silent job"]


def test_a_new_crontab_is_looked_at_at_once(tmp_path: Path) -> None:
    world = alerting(line("job", "0 12 * * *", retries=0), tmp_path, now=NOON)
    world.edit_at("15:30:10", line("job", "0 12 * * *", **EVERY))
    world.reload_at("15:30:20")
    world.runs_until("16:00")
    assert told(world) == ["15:30:20 desktop silent job"]


HEARD = [
    # the crontab above the line, its settings, who hears of it
    ("MAILTO=ops\n", {}, ["mail:ops"]),
    ("MAILTO=ops\n", {"alert": "none"}, []),
    ("", {}, []),
    ("", {"alert": "mail"}, ["mail"]),
]


@pytest.mark.parametrize(("top", "settings", "targets"), HEARD)
def test_who_hears_of_it(
    tmp_path: Path, top: str, settings: dict[str, str], targets: list[str]
) -> None:
    world = alerting(top + line("job", "0 0 31 2 *", expect="1h", **settings), tmp_path, now=NOON)
    world.runs_until("14:00")
    assert [each.target for each in notices(world)] == targets


def test_a_journal_that_refuses_is_asked_again(tmp_path: Path) -> None:
    world = alerting(line("job", "0 0 31 2 *", **EVERY), tmp_path, now=NOON)
    world.at("14:00", lambda: setattr(world.journal, "is_full", True))
    world.at("14:00:05", lambda: setattr(world.journal, "is_full", False))
    world.runs_until("15:00")
    assert [each.split()[2] for each in told(world)] == ["silent"]


def test_a_thousand_are_told_of_in_time(tmp_path: Path) -> None:
    lines = "".join(line(f"job{n}", "0 0 31 2 *", **EVERY) for n in range(1000))
    world = alerting(lines, tmp_path, now=NOON)
    world.runs_until("14:01")
    assert len(told(world)) == 1000
