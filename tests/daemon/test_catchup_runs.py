"""A daemon and the minutes that nobody handled: what it makes up for, when, and what it journals."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from fakes import Act
from frail_journal import FrailJournal
from world import Killed, World, line, shown, when

from scheduler.errors import JournalError
from scheduler.run import Exited
from scheduler.schedule.catchup import accounts

if TYPE_CHECKING:
    from scheduler.entry import Entry
    from scheduler.schedule.catchup import OutageAccount

EVERY_MINUTE = "* * * * *"
LINES = (
    line("fixed", "30 12 * * *")
    + line("twice", "10,40 12 * * *")
    + line("now", "0,30 12-14 * * *")
    + line("early", "5 9 * * *")
    + line("minutes", EVERY_MINUTE)
    + line("tens", "*/10 * * * *", catchup="all")
    + line("never", "15 12 * * *", catchup="none")
)


def is_down(world: World, since: str, until: str) -> None:
    world.runs_until(since)
    world.clock.advance((when(until) - world.clock.now()).total_seconds())


def is_killed(world: World, since: str, until: str) -> None:
    world.crashes_at(since)
    world.clock.advance((when(until) - world.clock.now()).total_seconds())


def sleeps(world: World, since: str, until: str) -> None:
    world.sleep_at(since, until)


def jumps_ahead(world: World, since: str, until: str) -> None:
    world.at(since, lambda: world.clock.set(when(until)))


def is_held_up(world: World, since: str, until: str) -> None:
    world.at(since, lambda: world.clock.advance((when(until) - when(since)).total_seconds()))


GAPS = {
    "down": is_down,
    "asleep": sleeps,
    "set forward": jumps_ahead,
    "held up": is_held_up,
}
Happening = Callable[[World, str, str], None]


@pytest.mark.parametrize(("kind", "happens"), GAPS.items(), ids=list(GAPS))
def test_40_minutes_that_nobody_handled_are_one_thing_whatever_took_them(
    kind: str, happens: Happening
) -> None:
    world = World(LINES, "11:59:30")
    happens(world, "12:05:20", "12:45:20")
    world.at("12:45:30", lambda: world.stop_at("12:47:30"))
    world.run()
    assert world.history("fixed") == ["12:30 succeeded: exit 0"]
    assert world.history("twice") == ["12:10 skipped (superseded): -", "12:40 succeeded: exit 0"]
    assert world.history("now") == ["12:00 succeeded: exit 0", "12:30 succeeded: exit 0"]
    assert world.history("early") == []
    assert world.history("never") == ["12:15 skipped (missed): -"]
    assert world.history("minutes")[-4:] == [
        "12:06-12:44 skipped (missed): -",
        *(f"12:{n} succeeded: exit 0" for n in (45, 46, 47)),
    ]
    assert world.history("tens") == [f"12:{n}0 succeeded: exit 0" for n in range(5)]
    # What is made up for starts one a second, the oldest first; so do those of one job.
    assert world.starts("minutes")[-3:] == ["12:45:20", "12:46:00", "12:47:00"]
    starts = [world.starts(job)[-1] for job in ("now", "fixed", "twice")]
    assert starts == ["12:45:22", "12:45:21", "12:45:23"]
    assert world.starts("tens")[1:] == [f"12:45:2{n}" for n in range(4)]
    (jump,) = world.jumps()
    assert jump.startswith("12:05->12:45:20")
    assert jump.endswith(f"{kind}: accounted")


@pytest.mark.parametrize(("kind", "happens"), GAPS.items(), ids=list(GAPS))
def test_after_5_hours_what_is_more_than_3_hours_old_is_too_late(
    kind: str, happens: Happening
) -> None:
    world = World(LINES, "11:59:30")
    happens(world, "12:05:20", "17:05:20")
    world.at("17:05:30", lambda: world.stop_at("17:06:30"))
    world.run()
    assert world.history("fixed") == ["12:30 skipped (too late): -"]
    assert world.history("twice") == ["12:10-12:40 skipped (too late): -"]
    assert world.history("now")[1:] == [
        "12:30-14:00 skipped (superseded): -",
        "14:30 succeeded: exit 0",
    ]
    assert world.history("never") == ["12:15 skipped (missed): -"]
    assert world.history("minutes")[-3:] == [
        "12:06-17:04 skipped (missed): -",
        "17:05 succeeded: exit 0",
        "17:06 succeeded: exit 0",
    ]
    tens = world.history("tens")[1:]
    assert tens[0] == "12:10-14:00 skipped (too late): -"
    made_up = [f"{hour}:{ten}0" for hour in (14, 15, 16) for ten in range(6)][1:]
    assert [each.split()[0] for each in tens[1:]] == [*made_up, "17:00"]
    assert [jump.split(" s ")[1] for jump in world.jumps()] == [f"{kind}: accounted"]


def test_an_entry_that_is_due_right_now_has_its_newest_run_anyway() -> None:
    world = World(line("job", "0,30 12 * * *"), "11:59:30")
    jumps_ahead(world, "12:05:20", "12:30:05")
    world.at("12:30:06", lambda: world.stop_at("12:31"))
    world.run()
    assert world.history("job") == ["12:00 succeeded: exit 0", "12:30 succeeded: exit 0"]
    assert world.starts("job") == ["12:00:00", "12:30:05"]


def test_the_older_ones_gave_way_to_it() -> None:
    world = World(line("job", "0,10,20,30 12 * * *"), "11:59:30")
    jumps_ahead(world, "12:05:20", "12:30:05")
    world.at("12:30:06", lambda: world.stop_at("12:31"))
    world.run()
    assert world.history("job")[1:] == [
        "12:10-12:20 skipped (superseded): -",
        "12:30 succeeded: exit 0",
    ]


@pytest.mark.parametrize(("kind", "happens"), GAPS.items(), ids=list(GAPS))
def test_a_daemon_that_is_killed_after_a_gap_leaves_nothing_out(
    kind: str, happens: Happening
) -> None:
    """What is made up for and not yet started is on disk: the next daemon starts it."""
    if kind in ("set forward", "asleep", "held up"):
        world = World(LINES, "11:59:30")
        happens(world, "12:05:20", "12:45:20")
        world.at("12:45:21.5", world.kill)
    else:
        world = World(LINES, "11:59:30")
        is_killed(world, "12:05:20", "12:45:20")
        world.at("12:45:21.5", world.kill)
    world.crashes()
    world.runs_until("12:46:30")
    assert world.history("fixed") == ["12:30 succeeded: exit 0"]
    assert world.history("twice") == ["12:10 skipped (superseded): -", "12:40 succeeded: exit 0"]
    assert world.history("tens") == [f"12:{n}0 succeeded: exit 0" for n in range(5)]
    assert len(world.jumps()) == 1


def test_what_is_made_up_for_gives_way_to_the_next_instant() -> None:
    lines = [line(f"job{n:02}", "30 12 * * *") for n in range(80)]
    world = World("".join(lines) + line("job", "58,0 12-13 * * *"), "11:59:30")
    jumps_ahead(world, "12:05:20", "12:59:20")
    world.at("12:59:30", lambda: world.stop_at("13:01"))
    world.run()
    assert world.history("job")[1:] == ["12:58 skipped (superseded): -", "13:00 succeeded: exit 0"]


def test_with_all_of_them_wanted_none_gives_way_and_all_wait_their_turn() -> None:
    world = World(line("job", "*/10 * * * *", catchup="all"), "11:59:30", {"job": [Act(lasts=400)]})
    jumps_ahead(world, "12:09:20", "12:49:50")
    world.at("12:49:55", lambda: world.stop_at("14:00"))
    world.run()
    assert world.history("job")[:7] == [
        f"{at} succeeded: exit 0"
        for at in ("12:00", "12:10", "12:20", "12:30", "12:40", "12:50", "13:00")
    ]
    assert world.starts("job")[1:4] == ["12:49:50", "12:56:30", "13:03:10"]


def test_one_that_waits_until_it_is_too_late_is_let_go() -> None:
    text = line("job", "*/10 * * * *", catchup="all", within="20m")
    world = World(text, "12:05", {"job": [Act(lasts=700)]})
    jumps_ahead(world, "12:09:20", "12:29:50")
    world.at("12:29:55", lambda: world.stop_at("12:45"))
    world.run()
    assert world.history("job")[:2] == ["12:10 succeeded: exit 0", "12:20 skipped (too late): -"]
    assert world.starts("job") == ["12:29:50", "12:41:30"]


def test_missed_runs_keep_to_the_hours_that_they_are_given() -> None:
    world = World("START_HOURS_RANGE=13-14\n" + line("job", "10 12 * * *"), "11:59:30")
    jumps_ahead(world, "12:05:20", "12:20:20")
    world.at("12:20:30", lambda: world.stop_at("13:01"))
    world.run()
    assert world.starts("job") == ["13:00:00"]
    assert world.history("job") == ["12:10 succeeded: exit 0"]


def test_the_time_for_which_they_are_held_back_makes_them_not_too_late() -> None:
    text = "START_HOURS_RANGE=20-22\n" + line("job", "10 12 * * *") + line("long", "10 9 * * *")
    world = World(text, "09:05")
    jumps_ahead(world, "09:05:20", "12:20:20")
    world.at("12:20:30", lambda: world.stop_at("12:30"))
    world.run()
    world.runs_until("20:05")
    assert (world.starts("long"), world.starts("job")) == (["20:00:00"], ["20:00:01"])


def test_a_retry_of_a_missed_run_counts_from_its_late_start() -> None:
    acts = {"job": [Act(outcome=Exited(1)), Act()]}
    world = World(line("job", "10 12 * * *", retry_delay="10s"), "11:59:30", acts)
    jumps_ahead(world, "12:05:20", "12:20:20")
    world.at("12:20:21", lambda: world.stop_at("12:21"))
    world.run()
    assert world.starts("job") == ["12:20:20", "12:20:30"]


# --- runs that are late, and runs that are spread ------------------------------------------------


def test_a_late_minute_is_run_within_what_its_entry_allows() -> None:
    world = World(line("strict", EVERY_MINUTE, within="0") + line("job", EVERY_MINUTE))
    world.at("12:00:10", lambda: world.clock.advance(150))
    world.runs_until("12:03:30")
    assert world.history("strict") == [
        "11:59 succeeded: exit 0",
        "12:00 succeeded: exit 0",
        "12:01 skipped (too late): -",
        "12:02 succeeded: exit 0",
        "12:03 succeeded: exit 0",
    ]
    assert len(world.starts("job")) == 5


def test_a_queued_run_that_waited_too_long_is_not_started() -> None:
    world = World(
        line("job", "0,1 12 * * *", overlap="queue", within="2m"),
        "11:59:30",
        {"job": [Act(lasts=300)]},
    )
    world.runs_until("12:07")
    assert world.history("job") == ["12:00 succeeded: exit 0", "12:01 skipped (too late): -"]


def test_a_spread_job_starts_at_its_own_second_of_every_hour_and_after_a_restart() -> None:
    world = World(line("job", "0 * * * *", spread="10m"), "11:59:30")
    world.runs_until("12:30")
    world.runs_until("13:30")
    first, second = world.starts("job")
    assert "12:00:00" < first < "12:10:00"
    assert second == first.replace("12:", "13:")
    assert world.history("job") == ["12:00 succeeded: exit 0", "13:00 succeeded: exit 0"]


def test_a_spread_start_is_on_disk() -> None:
    world = World(line("job", "0 * * * *", spread="10m"), "11:59:30")
    world.crashes_at("12:00:00.5")
    assert world.history("job")[0].startswith("12:00 scheduled: - -> 12:0")
    world.runs_until("12:30")
    assert world.history("job") == ["12:00 succeeded: exit 0"]


def test_a_spread_that_is_longer_than_the_interval_loses_no_run() -> None:
    world = World(line("job", EVERY_MINUTE, spread="10m"), "11:59:30")
    world.runs_until("12:30:30")
    starts = world.starts("job")
    assert len(starts) >= 20
    assert [each[6:] for each in starts] == [starts[0][6:]] * len(starts)


def test_jobs_spread_out() -> None:
    lines = "".join(line(f"job{n}", "0 12 * * *", spread="10m") for n in range(30))
    world = World(lines, "11:59:30")
    world.runs_until("12:20")
    starts = {world.starts(f"job{n}")[0] for n in range(30)}
    assert len(starts) > 25
    assert max(starts) > "12:08"
    assert min(starts) < "12:02"


def test_a_spread_run_beside_an_earlier_one_does_as_its_overlap_says() -> None:
    world = World(line("job", "0,30 * * * *", spread="10m"), "11:59:30", {"job": [Act(lasts=3000)]})
    world.runs_until("12:41")
    assert world.history("job")[1] == "12:30 skipped (overlap): -"


def test_a_removed_entry_loses_the_start_that_was_put_off() -> None:
    world = World(line("job", "0 * * * *", spread="10m"), "11:59:30")
    world.edit_at("12:00:01", "")
    world.reload_at("12:00:02")
    world.runs_until("12:30")
    assert world.history("job") == ["12:00 skipped (no longer in a crontab): -"]


def test_random_delay_moves_all_jobs_of_a_machine_alike() -> None:
    world = World(
        "RANDOM_DELAY=20\n" + line("a", "0 12 * * *") + line("b", "1 12 * * *"), "11:59:30"
    )
    world.runs_until("12:40")
    (a,), (b,) = world.starts("a"), world.starts("b")
    assert (when(b) - when(a)).total_seconds() == 60


# --- the clock set back, and restarts --------------------------------------------------------------


def test_a_clock_set_back_by_30_minutes_is_one_row_even_over_a_restart() -> None:
    world = World(line("job", EVERY_MINUTE) + line("half", "45 11 * * *"))
    world.at("12:00:10", lambda: world.clock.set(when("11:30:10")))
    world.at("11:30:11", lambda: world.stop_at("11:40"))
    world.run()
    world.runs_until("12:02:30")
    assert [each.split()[0] for each in world.history("job")] == [
        "11:59",
        "12:00",
        "12:01",
        "12:02",
    ]
    assert world.history("half") == []
    (jump,) = world.jumps()
    assert jump == "12:00->11:30:10 -1800 s set back: waited out"


def test_nor_is_it_two_when_the_machine_slept_meanwhile() -> None:
    world = World(line("job", EVERY_MINUTE))

    def is_set_back() -> None:
        world.clock.set(when("11:30:10"))
        world.sleep_at("11:35", "11:36")
        world.stop_at("11:40")

    world.at("12:00:10", is_set_back)
    world.run()
    world.runs_until("12:02:30")
    assert [jump.split(" s ")[1].split(":")[0] for jump in world.jumps()] == [
        "set back",
        "asleep",
    ]


def test_suspend_is_told_from_a_set_clock_within_a_minute_too() -> None:
    world = World(line("job", EVERY_MINUTE))
    world.at("12:00:10", lambda: world.clock.suspend(20))
    world.at("12:00:50", lambda: world.clock.set(when("12:00:55")))
    world.runs_until("12:01:30")
    assert world.jumps() == [
        "12:00->12:00:30 +20 s asleep: nothing missed",
        "12:00->12:00:55 +5 s set forward: nothing missed",
    ]
    assert world.starts("job") == ["11:59:30", "12:00:00", "12:01:00"]


def test_a_clock_set_forward_in_an_idle_minute_runs_what_came_to_be_due() -> None:
    world = World(line("job", "0-5 12 * * *"), "11:30")
    jumps_ahead(world, "11:58:10", "12:02:10")
    world.at("12:02:11", lambda: world.stop_at("12:04:30"))
    world.run()
    assert world.starts("job") == ["12:02:10"] * 3 + ["12:03:00", "12:04:00"]


# --- what wakes it ---------------------------------------------------------------------------------


def test_an_idle_daemon_wakes_up_once_a_minute() -> None:
    world = World(line("job", "0 18 * * *"))
    waits: list[str] = []
    wait = world.clock.wait

    async def counted(*arguments: object) -> None:
        waits.append(str(arguments[0]))
        await wait(*arguments)  # type: ignore[arg-type]  # passed on as they came

    world.clock.wait = counted  # type: ignore[method-assign,assignment]
    world.runs_until("12:29:45")
    assert len(waits) == 32  # one each from 11:58:30 on, the first minute's own and the stop


def test_an_edit_in_an_idle_minute_does_not_run_what_it_says_of_that_minute() -> None:
    world = World(line("other", "0 18 * * *"))
    world.edit_at("12:00:20", line("job", EVERY_MINUTE))
    world.reload_at("12:00:30")
    world.runs_until("12:02:30")
    assert world.starts("job") == ["12:01:00", "12:02:00"]


# --- what a stop, a bug, a wrong clock may not do ------------------------------------------------


def test_a_stop_while_missed_runs_wait_loses_none_of_them() -> None:
    text = line("job", "*/10 * * * *", catchup="all")
    world = World(text, "12:05", {"job": [Act(lasts=20)]})
    jumps_ahead(world, "12:05:20", "12:35:20")
    world.at("12:35:25", lambda: world.stop_at("12:35:30"))
    world.run()
    assert world.history("job") == ["12:10 succeeded: exit 0"]
    assert [(shown(left.next), left.left) for left in world.journal.daemon_state.backlogs()] == [
        ("12:20:00", 2)
    ]
    world.runs_until("12:39")
    assert world.history("job") == [f"12:{ten}0 succeeded: exit 0" for ten in (1, 2, 3)]


def test_new_instants_wait_behind_the_last_one_that_is_made_up_for() -> None:
    """Even when no other waits; once it has ended, CRON_OVERLAP is in force again."""
    text = line("job", "*/10 * * * *", catchup="all")
    world = World(text, "12:05", {"job": [Act(lasts=700)]})
    jumps_ahead(world, "12:09:20", "12:19:50")
    world.at("12:19:55", lambda: world.stop_at("13:00"))
    world.run()
    assert [each.split(":")[1] for each in world.history("job")] == [
        "10 succeeded",
        "20 succeeded",
        "30 succeeded",
        "40 skipped (overlap)",
        "50 skipped (overlap)",
    ]


def test_those_that_wait_for_an_hour_start_one_after_the_other_in_it() -> None:
    text = "START_HOURS_RANGE=13-14\n" + "".join(line(f"job{n}", "10 12 * * *") for n in range(5))
    world = World(text, "11:59:30")
    jumps_ahead(world, "12:05:20", "12:20:20")
    world.at("12:20:30", lambda: world.stop_at("13:01"))
    world.run()
    starts = sorted(start for n in range(5) for start in world.starts(f"job{n}"))
    assert starts == [f"13:00:0{n}" for n in range(5)]


def test_a_bug_in_one_entrys_account_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def buggy(entry: Entry, *arguments: Any, **options: Any) -> list[OutageAccount]:
        if entry.job == "buggy":
            raise RuntimeError("what a day")
        return accounts(entry, *arguments, **options)

    monkeypatch.setattr("scheduler.daemon.entries.accounts", buggy)
    world = World(line("buggy", "10 12 * * *") + line("job", "10 12 * * *"), "11:59:30")
    jumps_ahead(world, "12:05:20", "12:20:20")
    world.at("12:20:30", lambda: world.stop_at("12:22"))
    with pytest.raises(AssertionError, match="what a day"):
        world.run()  # it is in the log
    assert world.history("job") == ["12:10 succeeded: exit 0"]
    assert len(world.said("bug")) == 1


@pytest.mark.parametrize("number", range(1, 40))
def test_a_minute_that_is_refused_after_a_gap_is_run_with_its_own_entries(number: int) -> None:
    """Whichever statement fails once, when the gap is accounted for or the minute claimed."""
    world = World(line("six", "6 12 * * *") + line("late", "45 12 * * *"), "11:59:30")

    def happens() -> None:
        world.clock.set(when("12:45:20"))
        world.stop_at("12:47")
        assert isinstance(world.journal, FrailJournal)
        world.journal.accidents[world.journal.statements + number] = refuse

    world.at("12:05:20", happens)
    world.run()
    assert world.history("six") == ["12:06 succeeded: exit 0"]
    assert world.history("late") == ["12:45 succeeded: exit 0"]


def refuse() -> None:
    raise JournalError("the disk is full")


def test_an_interval_counts_from_the_present_when_the_clock_had_been_wrong() -> None:
    """It keeps its step: every ten minutes from eight o'clock, there and back."""
    world = World(line("job", "@every 10m"), "20:00")
    world.set_clock_at("20:05:30", "12:03:30", stop="12:31")
    world.run()
    assert [each.split()[0] for each in world.history("job")] == ["12:10", "12:20", "12:30"]


def test_time_that_was_jumped_over_by_mistake_is_lived_when_it_comes() -> None:
    world = World(line("tens", "*/10 * * * *") + line("fixed", "30 12 * * *"), "11:59:30")
    jumps_ahead(world, "12:05:20", "13:05:20")
    world.at("13:05:21", lambda: world.set_clock_at("13:06:20", "12:06:20", stop="13:12"))
    world.run()
    assert [each.split()[0] for each in world.history("tens")] == [
        *("12:00", "12:10-13:00"),
        *(f"12:{ten}0" for ten in range(1, 6)),
        *("13:00", "13:10"),
    ]
    assert world.history("fixed") == ["12:30 succeeded: exit 0"] * 2
    assert world.starts("fixed") == ["13:05:20", "12:30:00"]  # made up for, and in its time
    assert [jump.split(" s ")[1] for jump in world.jumps()] == [
        "set forward: accounted",
        "set back: begun anew",
    ]


def test_only_what_comes_again_runs() -> None:
    world = World(line("tens", "*/10 * * * *"), "11:59:30")
    jumps_ahead(world, "12:05:20", "13:05:20")
    world.at("13:05:21", lambda: world.set_clock_at("13:06:20", "12:36:20", stop="12:38"))
    world.run()
    assert world.history("tens")[1:] == ["12:10-13:00 skipped (missed): -"]
    assert [row.run.era for row in world.journal.queries.history("tens")] == [0, 0]


RETRIED = [
    ("12:00:20", "12:00:10", "12:00:55", "it waits as long as it was to wait"),
    ("12:00:30", "11:30:30", "12:00:00", "but no attempt starts before its run's own instant"),
    ("12:00:30", "08:00:30", "12:00:00", "what ran in a wrong time runs in its own, and once"),
]


@pytest.mark.parametrize(("at", "back", "resumed", "why"), RETRIED)
def test_a_retry_moves_with_a_clock_that_is_set_back(
    at: str, back: str, resumed: str, why: str
) -> None:
    acts = {"job": [Act(outcome=Exited(1)), Act()]}
    text = line("job", "0 12 * * *", retry_delay="65s", retry_jitter="0")
    world = World(text, "11:59:30", acts)
    world.set_clock_at(at, back, stop="12:02")
    world.run()
    assert world.starts("job")[:2] == ["12:00:00", resumed], why


@pytest.mark.parametrize("back", ["11:30:01", "08:00:01"])
def test_a_spread_start_is_back_at_its_own_time(back: str) -> None:
    world = World(line("job", "0 12 * * *", spread="10m"), "11:59:30").runs_until("12:20")
    again = World(line("job", "0 12 * * *", spread="10m"), "11:59:30")
    again.set_clock_at("12:00:01", back, stop="12:20")
    again.run()
    assert again.starts("job") == world.starts("job")


def test_a_spread_start_of_a_reboot_entry_waits_like_any_other() -> None:
    world = World(line("job", "@reboot", spread="10m"), "11:59:30")
    world.runs_until("12:15")
    (start,) = world.starts("job")
    assert "11:59:30" < start < "12:09:30"


def test_crontabs_are_looked_at_while_a_clock_that_was_set_back_is_waited_out() -> None:
    world = World(line("job", "0 18 * * *"))

    def stops() -> None:
        world.clock.set(when("10:30"))
        world.edit_at("10:35", line("new", "0 18 * * *"))
        world.stop_at("10:40")

    world.at("12:00:20", stops)
    world.run()
    assert [said["new"] for said in world.said("crontabs")] == [1, 1]


# --- runs of one job that might overlap ----------------------------------------------------------

FAILS_ONCE = [Act(lasts=0.3, outcome=Exited(1)), Act(lasts=300)]


def test_a_retry_waits_for_another_run_of_its_job() -> None:
    """The world itself holds that no two runs of a job go on at once."""
    text = line("job", "*/10 * * * *", catchup="all", retry_delay="5s", retry_jitter="0")
    world = World(text, "12:05", {"job": FAILS_ONCE})
    jumps_ahead(world, "12:09:20", "12:49:50")
    world.at("12:49:55", lambda: world.stop_at("13:30"))
    world.run()
    assert len(world.starts("job")) >= 6


def test_a_retry_of_an_earlier_boots_run_gives_way_to_this_boots() -> None:
    acts = {"job": [Act(lasts=100_000)]}
    world = World(line("job", "@reboot", retry_delay="30s"), acts=acts, boot="one")
    world.crashes_at("12:00:30")
    world.spawner.leave()
    for group in world.spawner._groups.values():
        group.leader = "gone"  # the machine went down
    world.boot = "two"
    world.clock.advance(60)
    world.new_daemon()
    world.crashes_at("12:05")
    outcomes = [told.split(": ", 1)[0].split(" ", 1)[1] for told in world.history("job")]
    assert outcomes == ["failed (superseded)", "running"]


def test_two_boots_in_one_minute_are_two_runs() -> None:
    world = World(line("job", "@reboot"), "11:59:10", boot="one").runs_until("11:59:15")
    world.boot = "two"
    world.new_daemon()
    world.runs_until("11:59:30")
    assert len(world.starts("job")) == 2


def test_what_is_made_up_for_is_not_replaced_by_a_new_instant() -> None:
    text = line("job", "*/10 * * * *", catchup="all", overlap="replace")
    world = World(text, "12:05", {"job": [Act(lasts=400)]})
    jumps_ahead(world, "12:09:20", "12:49:50")
    world.at("12:49:55", lambda: world.stop_at("12:51"))
    world.run()
    assert not any("replaced" in told for told in world.history("job"))


@pytest.mark.parametrize("crash", [False, True])
def test_late_minutes_that_wait_their_turn_outlive_a_daemon(crash: bool) -> None:
    world = World(line("job", EVERY_MINUTE), "11:59:30", {"job": [Act(lasts=50)]})
    world.at("11:59:50", lambda: world.clock.advance(270))
    if crash:
        world.crashes_at("12:04:40")
    else:
        world.runs_until("12:04:40")
    world.runs_until("12:04:59")
    told = [each.split(":")[1].split(" ")[1] for each in world.history("job")[2:5]]
    assert all(state in ("scheduled", "running", "succeeded") for state in told), told


# --- hours, and one after the other ----------------------------------------------------------------

HOURS = "START_HOURS_RANGE=13-14\n"


def test_the_hours_are_asked_again_when_it_starts() -> None:
    world = World(HOURS + line("job", "10 12 * * *", within="2d"), "11:59:30")
    jumps_ahead(world, "12:05:20", "12:20:20")
    world.at("12:50", lambda: world.stop_at("12:50:01"))
    world.run()
    world.clock.set(when("15:30"))
    world.runs_until("16:00")
    assert world.starts("job") == []
    assert world.history("job")[0].startswith("12:10 scheduled: - -> 02T13:00:00")


def test_missed_starts_that_went_by_meanwhile_do_not_start_at_once() -> None:
    lines = "".join(line(f"job{n}", "10 12 * * *") for n in range(50))
    world = World(lines, "11:59:30")
    jumps_ahead(world, "12:05:20", "12:20:20")
    world.at("12:20:22.5", world.kill)
    world.crashes()
    world.clock.advance(60)
    world.runs_until("12:30")
    starts = [world.starts(f"job{n}") for n in range(50)]
    assert all(len(each) == 1 for each in starts)
    assert len({each[0] for each in starts}) >= 48


# --- a wrong clock -----------------------------------------------------------------------------------


def test_what_was_claimed_of_a_wrong_future_is_still_to_come() -> None:
    lines = "".join(line(f"job{n:02}", "10 20 * * *") for n in range(20))
    world = World(lines, "11:59:30")
    jumps_ahead(world, "12:05:20", "20:15:20")
    world.at("20:15:25", lambda: world.set_clock_at("20:15:25.5", "12:05:30", stop="20:11"))
    world.run()
    starts = [world.starts(f"job{n:02}") for n in range(20)]
    early = [each for each in starts if each[0].startswith("20:15")]
    assert [each for each in starts if each not in early] == [["20:10:00"]] * (20 - len(early))
    assert 1 <= len(early) < 10


def test_a_daemon_that_starts_on_a_clock_that_is_far_behind_looks_at_once() -> None:
    world = World(line("job", "0 12 * * *"), "20:00").runs_until("20:00:30")
    world.clock.set(when("12:00:05"))
    world.runs_until("12:01")
    assert world.starts("job") == ["12:00:05"]
    assert world.jumps() == ["20:00->12:00:05 -28795 s set back: begun anew"]


@pytest.mark.parametrize("number", range(1, 12))
def test_beginning_anew_is_told_once_wherever_the_daemon_is_killed(number: int) -> None:
    world = World(line("job", "0 12 * * *"), "20:00").runs_until("20:00:30")
    world.clock.set(when("12:00:05"))
    assert isinstance(world.journal, FrailJournal)
    world.journal.accidents[world.journal.statements + number] = world.kill
    try:
        world.runs_until("12:01")
    except Killed:
        world.spawner.crash()
        world.new_daemon()
        world.runs_until("12:01")
    assert len(world.jumps()) == 1
    assert [told.split(":")[1].split(" ")[1] for told in world.history("job")] == ["succeeded"]


def test_what_ran_in_a_time_that_was_not_real_splits_no_stretch() -> None:
    world = World(line("job", "0 * * * *"), "18:00").runs_until("19:30")
    world.clock.set(when("13:59:30"))  # the clock had been wrong
    world.runs_until("14:00:30")
    world.sleep_at("14:00:40", until="21:00:30")
    world.stop_at("21:01")
    world.run()
    assert world.history("job") == [
        "18:00 succeeded: exit 0",
        "19:00 succeeded: exit 0",
        "14:00 succeeded: exit 0",
        "15:00-20:00 skipped (missed): -",
        "21:00 succeeded: exit 0",
    ]


def test_a_run_that_was_started_before_a_crash_is_not_forgotten_with_a_clock_set_back() -> None:
    world = World(line("job", "0 * * * *", spread="10m"), "11:59:30")
    world.spawner.then = world.kill  # before it is journalled
    world.crashes()
    world.spawner.then = lambda: None
    world.clock.set(when("11:35"))
    world.runs_until("11:36")
    assert len(world.history("job")) == 1


def test_a_run_that_may_never_have_begun_is_not_begun_when_it_is_too_late() -> None:
    world = World(line("job", "0 12 * * *"), "11:59:30")
    world.crashes_at("11:59:59.9")
    world.clock.advance(8 * 3600)
    world.runs_until("20:10")
    assert world.starts("job") == []
    assert world.history("job") == ["12:00 failed (too late): lost"]


def test_a_spread_that_is_edited_meanwhile_makes_no_run_late() -> None:
    world = World(line("job", "0 6 * * *", spread="12h"), "05:59:30")
    world.edit_at("06:10", line("job", "0 6 * * *"))
    world.runs_until("18:30")
    assert len(world.starts("job")) == 1


@pytest.mark.parametrize("restarts", [False, True])
def test_an_at_reboot_run_that_waits_outlives_a_clock_that_begins_anew(*, restarts: bool) -> None:
    """The machine booted with a wrong clock: its boot does not come again."""
    text = line("spread", "@reboot", spread="10m") + line("x", "@reboot", pool="db")
    text += line("line", "@reboot", pool="db")
    world = World(text, "18:00:10", {"x": [Act(lasts=900)]}, boot="one")
    if restarts:
        world.crashes_at("18:00:15")
    world.set_clock_at("18:00:20", "12:00:20", stop="13:00")
    world.run()
    for job in ("spread", "line"):
        assert [each.split(" ", 1)[1] for each in world.history(job)] == ["succeeded: exit 0"], job
