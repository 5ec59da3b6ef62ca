"""Tables that another cron ran until now: nothing of theirs runs twice, and nothing is lost."""

from __future__ import annotations

import pytest
from world import FILE, World, line, when

from scheduler.system.crontab_loader import TakenTables

OWN = "own"
CRONS = line("minutes", "* * * * *") + line("noon", "0 12 * * *") + line("boot", "@reboot")


class TwoTables(World):
    """A daemon with a table of its own and one of cron's."""

    def __init__(self, now: str, taken: TakenTables, text: str = CRONS) -> None:
        super().__init__(text, now)
        self.library.files[OWN] = line("own", "0 12 * * *")
        self.library.taken = taken
        self.new_daemon()


def taken(until: str | None = None, *, has_rebooted: bool = False) -> TakenTables:
    return TakenTables(frozenset({FILE}), None if until is None else when(until), has_rebooted)


@pytest.mark.parametrize(
    ("until", "noon"),
    [
        pytest.param("12:00:20", [], id="cron ran it in the minute of the change"),
        pytest.param(None, ["12:00:20"], id="no cron did: the machine has just booted"),
    ],
)
def test_the_minute_of_the_change(noon: list[str], until: str | None) -> None:
    world = TwoTables("12:00:20", taken(until))
    world.runs_until("12:03:30")
    assert world.starts("noon") == noon
    assert world.starts("own") == ["12:00:20"]  # no cron has run that
    assert world.starts("minutes")[len(noon) :] == ["12:01:00", "12:02:00", "12:03:00"]


def test_what_cron_ran_while_there_was_no_daemon_is_not_made_up_for() -> None:
    world = TwoTables("11:00", TakenTables(), "")
    world.runs_until("11:30")
    world.clock.advance((when("13:00:20") - world.clock.now()).total_seconds())
    world.edit(CRONS)
    world.library.taken = taken("13:00:20")
    world.runs_until("13:01:30")
    assert world.starts("noon") == []
    assert world.starts("own") == ["13:00:20"]  # it missed it, and makes up for it
    assert world.starts("minutes") == ["13:01:00"]


def test_minutes_that_calendars_delay_the_first_reading_by_are_made_up_for() -> None:
    """Cron has ended by then, so nobody else has run them."""
    world = TwoTables("11:00", TakenTables(), "")
    world.runs_until("11:30")
    world.clock.advance((when("12:02:20") - world.clock.now()).total_seconds())
    world.edit(CRONS + line("one", "1 12 * * *") + line("two", "2 12 * * *"))
    world.library.taken = taken("12:00:50")
    world.runs_until("12:03:30")
    assert world.starts("noon") == []  # cron ran it
    assert world.starts("one") == ["12:02:21"]
    assert world.starts("two") == ["12:02:20"]  # its own minute, late
    assert world.starts("minutes") == ["12:02:20", "12:03:00"]


@pytest.mark.parametrize("is_killed", [False, True], ids=["stopped", "killed"])
def test_what_is_missed_once_the_tables_are_taken_is_made_up_for(*, is_killed: bool) -> None:
    world = TwoTables("11:00:20", taken("11:00:20"))
    _ = world.crashes_at("11:30") if is_killed else world.runs_until("11:30")
    world.clock.advance((when("13:00:20") - world.clock.now()).total_seconds())
    world.library.taken = taken()  # nobody had the lock meanwhile
    world.runs_until("13:01:30")
    assert world.starts("noon") == ["13:00:20"]


def test_tables_that_a_running_daemon_can_take_are_due_from_the_next_minute_on() -> None:
    world = TwoTables("11:58:30", TakenTables(), "")

    def take() -> None:
        world.edit(CRONS)
        world.library.taken = taken("11:59:50")

    world.at("11:59:50", take)  # cron has ended
    world.runs_until("12:01:30")
    assert world.starts("noon") == ["12:00:00"]
    assert world.starts("minutes") == ["12:00:00", "12:01:00"]
    assert world.starts("boot") == []  # as under any cron, for one that came later


@pytest.mark.parametrize(
    ("has_rebooted", "boots"),
    [
        pytest.param(True, [], id="cron ran them when the machine booted"),
        pytest.param(False, ["11:00:00"], id="nobody did"),
    ],
)
def test_reboot_jobs_run_once_a_boot(boots: list[str], *, has_rebooted: bool) -> None:
    world = TwoTables("11:00", taken(has_rebooted=has_rebooted))
    world.runs_until("11:01")
    assert world.starts("boot") == boots
    assert world.library.reboots == 1
    world.library.taken = taken(has_rebooted=True)
    world.runs_until("11:03")
    assert world.starts("boot") == boots


def test_reboot_jobs_of_its_own_run_whatever_cron_did() -> None:
    world = TwoTables("11:00", taken(has_rebooted=True))
    world.library.files[OWN] = line("own", "@reboot")
    world.runs_until("11:01")
    assert world.starts("own") == ["11:00:00"]


def test_tables_taken_by_a_clock_that_was_ahead_run_once_it_is_right() -> None:
    world = TwoTables("18:00:20", taken("18:00:20"))
    world.runs_until("18:02:30")
    world.clock.set(when("11:58:30"))
    world.runs_until("12:01:30")
    assert world.starts("noon") == ["12:00:00"]
