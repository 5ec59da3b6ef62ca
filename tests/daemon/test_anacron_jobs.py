"""Jobs of anacron in a daemon: due by their stamps, made up for, stamped, and run once a period."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fakes import Act
from memory_library import UTC_ZONE, MemoryLibrary
from world import FILE, World, when

from scheduler.crontab import anacrontab
from scheduler.crontab.anacrontab import AnacronFacts
from scheduler.daemon.stamp_writer import StampWriter
from scheduler.run import Exited, NotStarted
from scheduler.system.anacron_stamps import STAMPS, AnacronStamps
from scheduler.system.crontab_files import stamp
from scheduler.system.crontab_loader import Loaded
from scheduler.system.log import open_log

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scheduler.system.clock import Clock
    from scheduler.system.crontab_files import Stamp

DAILY = "1 5 daily daily\n"  # due at 07:35, as where Debian's timer starts anacron
WEEKLY = "7 10 weekly weekly\n"  # at 07:40


@dataclass(slots=True)
class AnacronLibrary(MemoryLibrary):
    """An anacrontab in memory, with stamps on disk."""

    root: Path = Path()
    today: Clock | None = None
    names: set[str] = field(default_factory=set)
    own: AnacronStamps = field(default_factory=AnacronStamps)

    def stamps(self) -> Mapping[str, Stamp]:
        assert self.today
        found = {name: stamp(self.root / STAMPS / name) or () for name in self.names}
        texts = {name: (text,) for name, text in self.files.items() if text is not None}
        return {**texts, **found, "day": (str(self.today.now().date()),)}

    def load(self) -> Loaded:
        assert self.today
        facts = AnacronFacts(self.own.last_run, self.today.now().date())
        text = (self.files[FILE] or "").encode()
        table = anacrontab.parse(text, file=FILE, zone=UTC_ZONE, facts=facts)
        self.names = {each.stamp for each in table.entries}
        assert all(self.own.lock(name) for name in self.names)
        return Loaded((table,), table.entries, table.problems)


class AnacronWorld(World):
    """A world with anacron's table and stamps; the machine's zone is UTC."""

    def __init__(self, root: Path, text: str, now: str, acts: Mapping[str, list[Act]] = {}) -> None:
        self.root = root
        own = AnacronStamps(root)
        super().__init__(text, now, acts, lasts=timedelta(days=10))
        self.in_loop = (StampWriter(own, open_log("json", self.log)),)
        self.library = AnacronLibrary({FILE: text}, root=root, today=self.clock, own=own)
        self.new_daemon()

    def stamped(self, job: str) -> str:
        path = self.root / STAMPS / job
        return path.read_text().strip() if path.exists() else ""


def ran(root: Path, job: str, day: str) -> None:
    path = root / STAMPS / job
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{day}\n")


def test_a_daily_job_runs_once_a_day_and_is_stamped(tmp_path: Path) -> None:
    ran(tmp_path, "daily", "20270228")
    world = AnacronWorld(tmp_path, DAILY, "07:00")
    world.runs_until("03T12:00")
    assert world.starts("daily") == ["07:35:00", "02T07:35:00", "03T07:35:00"]
    assert world.stamped("daily") == "20270303"


def test_a_weekly_job_is_due_a_week_after_its_last_run(tmp_path: Path) -> None:
    ran(tmp_path, "weekly", "20270226")  # due again on the 5th, and not before the 12th
    world = AnacronWorld(tmp_path, WEEKLY, "07:00")
    world.runs_until("10T12:00")
    assert world.starts("weekly") == ["05T07:40:00"]
    assert world.stamped("weekly") == "20270305"


@pytest.mark.parametrize(
    ("stamped", "starts"),
    [
        pytest.param("20270301", [], id="it ran today under anacron: not again"),
        pytest.param("20270228", ["10:00:00"], id="it is due, and its minute is over: now"),
        pytest.param("20270101", ["10:00:00"], id="long due: once"),
        pytest.param("", ["10:00:00"], id="it never ran"),
    ],
)
def test_a_job_that_is_adopted_in_the_middle_of_its_day(
    stamped: str, starts: list[str], tmp_path: Path
) -> None:
    ran(tmp_path, "daily", stamped)
    world = AnacronWorld(tmp_path, DAILY, "10:00")
    world.reload_at("10:10")
    world.reload_at("10:20")
    world.runs_until("23:00")
    assert world.starts("daily") == starts
    assert world.stamped("daily") == "20270301"


@pytest.mark.parametrize("was_down", [False, True], ids=["adopted", "missed"])
def test_what_is_overdue_waits_for_the_hours_in_which_jobs_start(
    tmp_path: Path, *, was_down: bool
) -> None:
    text = f"START_HOURS_RANGE=3-22\n{DAILY}{WEEKLY}"
    for job, day in [("daily", "20270228"), ("weekly", "20270222")]:
        ran(tmp_path, job, day)
    world = AnacronWorld(tmp_path, text, "02:00", {"daily": [Act(lasts=600)]})
    if was_down:
        world.runs_until("02:30")
    world.clock.advance((when("23:00") - world.clock.now()).total_seconds())
    world.runs_until("02T12:00")
    assert world.starts("daily") == ["02T03:05:00"]  # at its own time, and once
    assert world.starts("weekly") == ["02T03:15:00"]
    assert world.stamped("weekly") == "20270302"


def test_two_jobs_that_are_overdue_start_one_after_the_other(tmp_path: Path) -> None:
    world = AnacronWorld(tmp_path, DAILY + WEEKLY, "10:00", {"daily": [Act(lasts=600)]})
    world.runs_until("11:00")
    assert world.starts("daily") == ["10:00:00"]
    assert world.starts("weekly") == ["10:10:00"]


@pytest.mark.parametrize("is_killed", [False, True], ids=["stopped", "killed"])
def test_a_laptop_that_slept_over_it_makes_up_for_it_once(
    tmp_path: Path, *, is_killed: bool
) -> None:
    ran(tmp_path, "weekly", "20270223")  # due on the 2nd
    world = AnacronWorld(tmp_path, WEEKLY, "07:00")
    _ = world.crashes_at("12:00") if is_killed else world.runs_until("12:00")
    world.clock.advance((when("04T09:00") - world.clock.now()).total_seconds())
    world.library.own.release()  # type: ignore[attr-defined]  # as the end of its process does
    world.runs_until("04T10:00")
    assert world.starts("weekly") == ["04T09:00:00"]
    assert world.stamped("weekly") == "20270304"


def test_a_run_that_makes_up_for_a_day_is_that_of_the_next_where_it_lasts(tmp_path: Path) -> None:
    ran(tmp_path, "daily", "20270228")
    world = AnacronWorld(tmp_path, DAILY, "07:00", {"daily": [Act(lasts=3600)]})
    world.sleep_at("07:10", "02T07:20")
    world.runs_until("02T20:00")
    assert world.starts("daily") == ["02T07:20:00"]  # and goes on at its own 07:35
    assert world.stamped("daily") == "20270302"


def test_a_daemon_that_starts_again_runs_nothing_twice(tmp_path: Path) -> None:
    world = AnacronWorld(tmp_path, DAILY, "07:30", {"daily": [Act(lasts=3600)]})
    world.crashes_at("07:50")  # while it runs; nobody has written a stamp
    world.runs_until("12:00")
    assert world.starts("daily") == ["07:35:00"]


@pytest.mark.parametrize(
    ("act", "stamped"),
    [
        pytest.param(Act(), "20270301", id="it succeeded"),
        pytest.param(Act(outcome=Exited(1)), "20270301", id="it failed: anacron stamps that too"),
        pytest.param(Act(outcome=NotStarted("no memory")), "", id="it never began: due again"),
        pytest.param(Act(lasts=20 * 3600), "20270301", id="the day on which it began"),
    ],
)
def test_what_is_stamped(act: Act, stamped: str, tmp_path: Path) -> None:
    world = AnacronWorld(tmp_path, DAILY, "07:00", {"daily": [act]})
    world.runs_until("02T04:00")
    assert world.stamped("daily") == stamped


def test_a_failed_job_is_not_tried_again(tmp_path: Path) -> None:
    world = AnacronWorld(tmp_path, DAILY, "07:00", {"daily": [Act(outcome=Exited(1)), Act()]})
    world.runs_until("23:00")
    assert world.starts("daily") == ["07:35:00"]


def test_a_stamp_that_another_writes_counts(tmp_path: Path) -> None:
    world = AnacronWorld(tmp_path, DAILY, "07:00")
    world.at("07:10", lambda: ran(tmp_path, "daily", "20270301"))  # anacron -u daily
    world.runs_until("23:00")
    assert world.starts("daily") == []
