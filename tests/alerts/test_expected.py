"""CRON_EXPECT: who has been without a success for too long, whatever the cause, and how often told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from alerting import FAILS, WELL, alerting, change, notices, told
from world import line, when

from scheduler.pause import Paused

if TYPE_CHECKING:
    from pathlib import Path

    from fakes import Act

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


def test_successes_of_a_time_with_nobody_to_tell_count(tmp_path: Path) -> None:
    world = alerting(line("job", "0 * * * *", retries=0, expect="2h"), tmp_path, now=NOON)
    world.edit_at("18:30:10", line("job", "0 * * * *", **EVERY))
    world.reload_at("18:30:20")
    world.runs_until("20:30")
    assert told(world) == []


def test_successes_of_a_time_without_its_cron_expect_count(tmp_path: Path) -> None:
    world = alerting(line("job", "0 * * * *", **EVERY), tmp_path, now=NOON)
    for at, settings in [("12:30", {"retries": 0, "alert": "desktop"}), ("18:30", EVERY)]:
        world.edit_at(f"{at}:10", line("job", "0 * * * *", **settings))
        world.reload_at(f"{at}:20")
    world.runs_until("20:30")
    assert told(world) == []


def test_a_job_that_nobody_was_to_hear_of_meanwhile_begins_anew(tmp_path: Path) -> None:
    heard, unheard = (
        line("job", "0 * * * *", retries=0, **each) for each in ({"alert": "desktop"}, {})
    )
    world = alerting(heard, tmp_path, acts={"job": [FAILS]}, now=NOON)
    world.edit_at("12:30:10", unheard)
    world.reload_at("12:30:20")
    change(world, "12:31", WELL)
    world.edit_at("17:30:10", heard)
    world.reload_at("17:30:20")
    change(world, "17:31", FAILS)
    world.runs_until("18:30")
    assert told(world) == ["12:00:01 desktop failure job", "18:00:00 desktop failure job"]
    assert (notices(world)[1].facts.count, notices(world)[1].facts.since) == (1, when("18:00"))


WRONG_FUTURES = [
    # what the job does after it, when it has been silent for too long, reason
    (FAILS, ["14:00:01"], "its success in that future is none by now"),
    (WELL, [], "successes go on to count"),
]


@pytest.mark.parametrize(("act", "silent", "reason"), WRONG_FUTURES)
def test_a_clocks_wrong_future_makes_nobody_deaf(
    tmp_path: Path, act: Act, silent: list[str], reason: str
) -> None:
    lines = line("job", "0 * * * *", retries=0, alert="desktop,after,99", expect="2h")
    world = alerting(lines, tmp_path, now=NOON)
    world.at("12:30", lambda: world.clock.set(when("03T05:59:30")))

    def is_set_right() -> None:
        world.clock.set(when("12:50"))
        world.acts.update(job=[act])  # type: ignore[attr-defined] # a dict
        world.stop_at("17:30")

    world.at("03T06:20", is_set_right)
    world.run()
    found = [each.split()[0] for each in told(world) if "silent" in each and "T" not in each]
    assert found == silent, reason


def test_a_clock_that_was_set_back_and_is_waited_out_makes_no_silence(tmp_path: Path) -> None:
    """Its last success lies in the future for an hour, and counts after that."""
    world = alerting(
        line("job", "0 12 * * *", retries=0, alert="desktop", expect="26h"), tmp_path, now=NOON
    )
    world.set_clock_at("02T12:00:30", "02T11:00", "02T18:00")
    world.run()
    assert told(world) == []


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
