"""A daemon and days on which a job does not run: what it journals, makes up for and tries again.

1 March 2027 is a Monday.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
from fakes import Act
from peers import ROOT
from world import Asked, World, line, shown

from scheduler.protocol import Trigger
from scheduler.run import Exited, Reason
from scheduler.schedule import catchup
from scheduler.status import Status

MINUTES = "* * * * *"
FAILS = Act(outcome=Exited(1))


def a_world(text: str, now: str = "11:59:30", **more: Any) -> World:
    return World(text, now=now, lasts=timedelta(days=40), **more)


def skips(world: World, job: str) -> list[tuple[str, str, str]]:
    """The first and the last instant of each row that is a skip, and its reason."""
    rows = world.journal.queries.history(job)
    return [
        (shown(row.run.instant), shown(row.until or row.run.instant), str(row.reason))
        for row in rows
        if row.reason is not None and not row.attempts
    ]


def test_a_minutely_job_has_one_row_for_a_day_off() -> None:
    world = a_world(line("beat", MINUTES, **{"except": "tue"}), now="23:58:00")
    world.runs_until("02T03:00:10")
    assert world.starts("beat") == ["23:58:00", "23:59:00"]
    assert skips(world, "beat") == [("02T00:00:00", "02T03:00:00", "excluded")]


def test_a_row_ends_where_the_job_runs_again() -> None:
    world = a_world(line("beat", "0 */6 * * *", only="mon,wed"), now="17:00:00")
    world.runs_until("05T00:00:30")
    assert world.starts("beat")[:2] == ["18:00:00", "03T00:00:00"]
    assert skips(world, "beat") == [
        ("02T00:00:00", "02T18:00:00", "excluded"),
        ("04T00:00:00", "05T00:00:00", "excluded"),
    ]


def test_a_restart_on_a_day_off_goes_on_with_its_row() -> None:
    world = a_world(line("beat", MINUTES, **{"except": "mon"}), now="12:00:30")
    world.runs_until("12:10:30")
    world.new_daemon()
    world.runs_until("12:20:30")
    assert skips(world, "beat") == [("12:00:00", "12:20:00", "excluded")]


def test_before_its_first_and_after_its_last_day_nothing_is_due_and_nothing_skipped() -> None:
    text = line("summer", "0 12 * * *", **{"from": "2027-03-02", "until": "2027-03-03"})
    world = a_world(text, now="11:00:00")
    world.runs_until("06T13:00:00")
    assert world.starts("summer") == ["02T12:00:00", "03T12:00:00"]
    assert skips(world, "summer") == []


def test_what_falls_on_a_day_off_is_one_run_on_the_day_that_it_is_moved_to() -> None:
    for move, start in (("next", "05T12:00:00"), ("previous", "01T12:00:00")):
        settings = {"except": "tue-thu", "except_move": move}
        world = a_world(line("pay", "0 12 3 * *", **settings), now="00:30:00")
        world.runs_until("08T13:00:00")
        expected = start.removeprefix("01T")
        assert world.starts("pay") == [expected], move
        assert skips(world, "pay") == []
    world = a_world(line("daily", "0 12 * * *", **{"except": "tue", "except_move": "next"}))
    world.runs_until("03T13:00:00")
    assert world.starts("daily") == ["12:00:00", "03T12:00:00"], "with its own, one run"


def test_a_retry_is_tried_over_a_day_off_until_the_next_instant_that_runs() -> None:
    """An excluded instant supersedes nothing."""
    settings = {"except": "tue", "retries": 1, "retry_delay": "26h", "retry_max_delay": "2d"}
    acts = {"backup": [FAILS, Act()]}
    text = line("backup", "0 12 * * *", retry_jitter=0, **settings)
    world = a_world(text, acts=acts, now="11:59:30")
    world.runs_until("02T14:30:00")
    assert world.starts("backup") == ["12:00:00", "02T14:00:00"]
    assert skips(world, "backup") == [("02T12:00:00", "02T12:00:00", "excluded")]


def test_a_sleep_over_days_off_misses_nothing_of_them() -> None:
    """Monday's run was in time, those of the days off are not missed, Friday's is made up for."""
    text = line("report", "0 9 * * *", **{"except": "tue-thu"})
    world = a_world(text, now="08:59:30")
    world.sleep_at("17:00", "05T10:00")
    world.runs_until("05T10:10:00")
    assert world.starts("report") == ["09:00:00", "05T10:00:00"]
    assert skips(world, "report") == [("02T09:00:00", "04T09:00:00", "excluded")]


def test_missed_instants_are_told_round_a_day_off() -> None:
    text = line("hours", "0 */12 * * *", catchup="none", **{"except": "tue"})
    world = a_world(text, now="11:00:00")
    world.sleep_at("11:30", "04T06:00")
    world.runs_until("04T06:10:00")
    assert sorted(skips(world, "hours")) == sorted(
        [
            ("12:00:00", "12:00:00", "missed"),
            ("02T00:00:00", "02T12:00:00", "excluded"),
            ("03T00:00:00", "04T00:00:00", "missed"),
        ]
    )


def test_catch_up_of_all_runs_what_was_missed_and_no_day_off() -> None:
    text = line("hours", "0 */12 * * *", catchup="all", within="7d", **{"except": "tue"})
    world = a_world(text, now="11:00:00")
    world.sleep_at("11:30", "04T06:00")
    world.runs_until("04T06:10:00")
    rows = world.journal.queries.history("hours")
    instants = [shown(row.run.instant) for row in rows if row.attempts]
    assert instants == ["12:00:00", "03T00:00:00", "03T12:00:00", "04T00:00:00"]


def test_an_interval_keeps_its_step_over_a_day_off() -> None:
    text = line("every", "@every 10h", **{"except": "tue"})
    world = a_world(text, now="00:00:30")
    world.runs_until("03T12:00:00")
    # from 00:00 on: 10, 20, and 06 and 16 on Tuesday, 02 and 12 on Wednesday
    assert world.starts("every") == ["10:00:00", "20:00:00", "03T02:00:00"]
    assert skips(world, "every") == [("02T06:00:00", "02T16:00:00", "excluded")]


def test_at_reboot_a_day_off_is_a_skip() -> None:
    world = a_world(line("boot", "@reboot", **{"except": "mon"}), now="12:00:30")
    world.runs_until("12:05:00")
    assert world.starts("boot") == []
    assert [reason for *_, reason in skips(world, "boot")] == [Reason.EXCLUDED]
    world = a_world(line("boot", "@reboot", **{"from": "2027-03-02"}), now="12:00:30")
    world.runs_until("12:05:00")
    assert (world.starts("boot"), skips(world, "boot")) == ([], []), "it is not alive yet"


def test_a_job_runs_by_hand_on_a_day_off() -> None:
    world = a_world(line("report", "0 12 * * *", **{"except": "mon"}), now="11:59:30")
    asked: list[asyncio.Task[object]] = []

    def ask() -> None:
        asked.append(
            asyncio.get_running_loop().create_task(world.daemon.ask(Trigger("report"), ROOT))
        )

    world.at("12:00:10", ask)
    world.runs_until("12:05:00")
    assert world.starts("report") == ["12:00:10"]
    assert skips(world, "report") == [("12:00:00", "12:00:00", "excluded")]


def test_of_a_long_outage_the_newest_days_off_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catchup, "_STRETCHES", 2)
    text = line("daily", "0 9 * * *", catchup="none", **{"except": "tue"})
    world = a_world(text, now="08:00:00")
    world.sleep_at("08:30", "29T12:00")
    world.runs_until("29T12:05:00")
    assert [first for first, _, why in skips(world, "daily") if why == "excluded"] == [
        "16T09:00:00",
        "23T09:00:00",
    ]


# --- what status says ----------------------------------------------------------------------------


NEXT = [
    # settings, when it comes next on a Monday at 12:30, reason
    ({}, "13:00:00", "no day off"),
    ({"except": "mon"}, "02T12:00:00", "tomorrow's first"),
    ({"except": "tue"}, "13:00:00", "today is none"),
    ({"except": "2027-03-01", "except_move": "next"}, "02T12:00:00", "moved"),
    ({"except": "mon,tue"}, None, "more than a day ahead"),
    ({"only": "workdayL", "except": "sat,sun"}, None, "it is the first"),
    ({"until": "2027-03-01"}, "13:00:00", "its last day"),
    ({"from": "2027-03-02"}, "02T12:00:00", "its first day"),
]


@pytest.mark.parametrize(("settings", "at", "reason"), NEXT, ids=[row[2] for row in NEXT])
def test_status_shows_the_next_run_that_is_on_no_day_off(
    settings: dict[str, str], at: str | None, reason: str
) -> None:
    world = Asked(line("job", "0 12,13 * * *", **settings), now="12:30:10")
    world.ask_at("12:30:20", Status())
    world.runs_until("12:31:30")
    (status,) = world.replies
    found = [shown(datetime.fromisoformat(row["at"])) for row in status["next"]]
    assert found == ([] if at is None else [at]), reason
