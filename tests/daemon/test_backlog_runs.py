"""A daemon and missed instants that all run: their order, what they cost, and who waits for whom."""

from __future__ import annotations

import tracemalloc
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from fakes import Act
from frail_journal import FrailJournal
from world import Asked, Killed, World, line, shown, when

from scheduler.errors import JournalError
from scheduler.protocol import Pause, Resume
from scheduler.run import Exited
from scheduler.runs.backfill import Backfill
from scheduler.status import Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from scheduler.schedule.backlog import Backlog

EVERY_MINUTE = "* * * * *"
TENS = "*/10 * * * *"
YEAR = timedelta(days=365)


def instants(world: World, job: str = "job") -> list[str]:
    """The instants whose first attempts began, in the order in which they did."""
    launched = world.spawner.launched
    firsts = [each.attempt for each in launched if each.attempt.number == 1]
    return [shown(each.run.instant) for each in firsts if each.run.job == job]


def left(world: World) -> list[str]:
    """What is still to run by the journal: `12:20-12:40 3`."""
    backlogs = world.journal.daemon_state.backlogs()
    return [f"{shown(b.next)[:-3]}-{shown(b.last)[:-3]} {b.left}" for b in backlogs]


def missed(world: World, since: str, until: str, stop: str) -> World:
    """Let the clock jump over a stretch of time, and a daemon run until it is to stop."""

    def happens() -> None:
        world.clock.set(when(until))
        world.stop_at(stop)

    world.at(since, happens)
    world.run()
    return world


def kills(world: World, *times: str) -> None:
    for time in times:
        world.crash_at(time)


# --- the order -----------------------------------------------------------------------------------

HOLDS_UP: dict[str, dict[str, Any]] = {
    "its own length": {},
    "a pool that another job fills": {"pool": "db"},
    "hours to come": {"start_hours": "START_HOURS_RANGE=14-24\n"},
    "CRON_OVERLAP=queue": {"overlap": "queue"},
    "CRON_OVERLAP=replace": {"overlap": "replace"},
    "CRON_OVERLAP=allow": {"overlap": "allow"},
    "a spread": {"spread": "5m"},
}


@pytest.mark.slow
@pytest.mark.parametrize("ends", ["in one daemon", "over a stop", "over kill -9"])
@pytest.mark.parametrize("delays_others", HOLDS_UP)
def test_the_newest_instant_never_overtakes(delays_others: str, ends: str) -> None:
    """Missed from 12:10 to 13:00, and new ones come while they run."""
    chosen = dict(HOLDS_UP[delays_others])
    head = chosen.pop("start_hours", "")
    text = head + line("job", TENS, catchup="all", retries=0, **chosen)
    text += line("filler", "5 13 * * *", pool="db", retries=0)
    acts = {"job": [Act(lasts=130)], "filler": [Act(lasts=600)]}
    world = World(text, "12:05", acts)
    world.at("12:05:20", lambda: world.clock.set(when("13:04:50")))
    for _ in range(0 if ends == "in one daemon" else 3):
        stop = when("13:04:50") if world.clock.now() < when("13:00") else world.clock.now()
        stop += timedelta(seconds=200)
        if ends == "over a stop":
            world.clock.at(max(stop, when("13:08")), lambda: world.daemon.stop())  # noqa: PLW0108 (whichever runs by then)
            world.run()
        else:
            world.clock.at(max(stop, when("13:08")), world.kill)
            world.crashes()
    world.runs_until("16:05")
    began = instants(world)
    assert began == sorted(began)
    assert len(began) == len(set(began))
    assert began[:7] == [f"12:{ten}0:00" for ten in range(1, 6)] + ["13:00:00", "13:10:00"]
    assert left(world) == []


def test_new_instants_wait_behind_them_and_then_the_job_is_in_time() -> None:
    text = line("job", TENS, catchup="all")
    world = World(text, "12:05", {"job": [Act(lasts=130)]})
    missed(world, "12:05:20", "13:04:50", "13:45")
    assert world.starts("job")[:3] == ["13:04:50", "13:07:00", "13:09:10"]
    assert world.starts("job")[-3:] == ["13:20:00", "13:30:00", "13:40:00"]
    assert all("succeeded" in told for told in world.history("job"))


@pytest.mark.slow
@pytest.mark.parametrize("number", range(1, 60))
@pytest.mark.parametrize("what", ["refused", "killed"])
def test_each_runs_once_and_in_order_whichever_statement_is_the_last(
    number: int, what: str
) -> None:
    """Of those that account for the gap and draw its runs."""
    world = World(line("job", TENS, catchup="all"), "12:05")

    def refuse() -> None:
        raise JournalError("the disk is full")

    def happens() -> None:
        world.clock.set(when("12:45:20"))
        assert isinstance(world.journal, FrailJournal)
        accident = refuse if what == "refused" else world.kill
        world.journal.accidents[world.journal.statements + number] = accident

    world.at("12:05:20", happens)
    world.at("12:45:50", lambda: world.daemon.stop())  # noqa: PLW0108 (whichever runs by then)
    try:
        world.run()
    except Killed:
        world.spawner.crash()
        world.new_daemon()
    world.runs_until("12:46:30")
    assert [told.split()[0] for told in world.history("job")] == [f"12:{n}0" for n in range(1, 5)]
    assert left(world) == []
    began = instants(world)
    assert began == sorted(set(began))


# --- a year of minutes ---------------------------------------------------------------------------


def year_of_minutes(**settings: object) -> Asked:
    """525,599 instants are missed; another job is due each minute, and somebody asks."""
    text = line("job", EVERY_MINUTE, catchup="all", within="400d", retries=0, **settings)
    world = Asked(text + line("other", EVERY_MINUTE), "11:59:30")
    world.clock._limit += 2 * YEAR
    return world


@pytest.mark.slow  # half a million minutes
@pytest.mark.parametrize(
    ("settings", "number", "row"),
    [
        ({}, 10_000, 515_599),
        ({"catchup_limit": 400_000}, 400_000, 125_599),
        ({"catchup_limit": 600_000}, 525_599, 0),
    ],
)
def test_a_year_of_minutes_costs_no_more_than_one(
    settings: dict[str, object], number: int, row: int
) -> None:
    world = year_of_minutes(**settings)
    now = when("12:00:30") + YEAR
    peaks: list[int] = []

    def happens() -> None:
        tracemalloc.start()
        world.clock.set(now)
        world.clock.after(300, lambda: peaks.append(tracemalloc.get_traced_memory()[1]))
        world.clock.after(300, lambda: world._tasks.append(ask()))
        world.clock.after(310, lambda: world.daemon.stop())  # noqa: PLW0108 (whichever runs by then)

    def ask() -> Any:
        import asyncio  # noqa: PLC0415 (for this line alone)

        async def asks() -> None:
            world.replies.append(await world.ask(Status()))

        return asyncio.get_running_loop().create_task(asks())

    world.at("12:00:30", happens)
    try:
        world.run()
    finally:
        tracemalloc.stop()
    assert peaks[0] < 20_000_000  # 679 MB it was, with an object for each
    # Other jobs keep their minute, and the socket answers.
    late = [at.second for at, _ in world.spawner.starts("other")][-5:]
    assert late == [0, 0, 0, 0, 0]
    (reply,) = world.replies
    (behind,) = reply["catching_up"]
    drawn = len(instants(world)) - 2  # two were in time, before
    assert 290 <= drawn <= 320
    assert abs(behind["left"] - (number - drawn + 5)) < 15
    # One row for all that is left out, and one for each that ran.
    rows = [each for each in world.journal.queries.history("job") if each.until is not None]
    spans = [
        (each.until - each.run.instant) // timedelta(minutes=1) + 1 for each in rows if each.until
    ]
    assert spans == ([row] if row else [])
    assert all(told.reason == "missed" for told in rows)
    began = instants(world)
    assert began[2] == shown(now.replace(second=0) - number * timedelta(minutes=1))


def test_many_jobs_that_catch_up_are_not_all_looked_at_for_each_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks: list[str] = []
    real = Backfill._is_blocked

    def counted(self: Backfill, backlog: Backlog) -> bool:
        looks.append(backlog.job)
        return real(self, backlog)

    monkeypatch.setattr(Backfill, "_is_blocked", counted)
    jobs = [f"job{n}" for n in range(300)]
    text = "".join(line(job, TENS, catchup="all") for job in jobs)
    world = World(text, "12:05", {job: [Act(lasts=0.5)] for job in jobs})
    missed(world, "12:05:20", "13:04:50", "13:05:50")
    starts = len(world.spawner.launched)
    assert starts > 50
    assert len(looks) < 30 * starts  # 1,500 it was


def test_what_is_owed_for_longest_is_drawn_before_what_is_put_off() -> None:
    """Asleep from 12:11, the job catches up; then a spread start comes while the last one runs."""
    text = line("job", EVERY_MINUTE, catchup="all", overlap="queue", spread="5m")
    world = World(text, "12:05", {"job": [Act(lasts=130)]})
    world.sleep_at("12:11", "12:12:30")
    world.runs_until("12:45")
    began = instants(world)
    assert began == sorted(began)
    assert shown(when("12:26")) in began
    assert shown(when("12:27")) not in began


# --- who gives them up -----------------------------------------------------------------------------


def edits(world: World, text: str) -> None:
    world.edit_at("12:45:25", text)
    world.reload_at("12:45:25.1")


LONG = {"job": [Act(lasts=400)]}
ALL = line("job", TENS, catchup="all")
GONE: dict[str, tuple[str, Callable[[World], None]]] = {
    "its line is removed": ("no longer in a crontab", lambda world: edits(world, "")),
    "its schedule is another": (
        "no longer in a crontab",
        lambda world: edits(world, line("job", "*/15 * * * *", catchup="all")),
    ),
}


@pytest.mark.parametrize("what", GONE)
def test_what_is_left_when_it_is_edited_is_one_row(what: str) -> None:
    reason, happens = GONE[what]
    world = World(ALL, "12:05", LONG)
    happens(world)
    missed(world, "12:05:20", "12:45:20", "12:45:50")
    assert world.history("job")[1:] == [f"12:20-12:40 skipped ({reason}): -"]
    assert left(world) == []


def test_a_line_that_is_removed_while_no_daemon_runs_leaves_one_row_too() -> None:
    world = missed(World(ALL, "12:05", LONG), "12:05:20", "12:45:20", "12:45:30")
    assert left(world) == ["12:20-12:40 3"]
    world.edit("")
    world.new_daemon()
    world.runs_until("12:50")
    assert world.history("job")[1:] == ["12:20-12:40 skipped (no longer in a crontab): -"]


def test_another_command_or_setting_changes_nothing_of_them() -> None:
    world = World(ALL, "12:05", {"job": [Act(lasts=20)]})
    edits(world, line("job", TENS, catchup="all", timeout="1h"))
    missed(world, "12:05:20", "12:45:20", "12:47")
    assert instants(world) == [f"12:{ten}0:00" for ten in range(1, 5)]


def test_a_pause_lets_go_of_them() -> None:
    world = Asked(ALL, "12:05", LONG)
    world.ask_at("12:46", Pause(("job",)))
    world.ask_at("12:46:30", Resume(("job",)))
    missed(world, "12:05:20", "12:45:20", "13:08")
    assert world.history("job")[1:] == [
        "12:20-12:40 skipped (paused): -",
        "12:50 succeeded: exit 0",
        "13:00 succeeded: exit 0",
    ]
    assert left(world) == []


def test_what_is_too_late_by_its_turn_is_one_row() -> None:
    text = line("job", TENS, catchup="all", within="30m")
    world = World(text, "12:05", {"job": [Act(lasts=2400)]})
    missed(world, "12:05:20", "12:45:20", "14:00")
    assert world.history("job")[:4] == [
        "12:10 skipped (too late): -",
        "12:20 succeeded: exit 0",
        "12:30-12:40 skipped (too late): -",  # which were missed
        "12:50 skipped (too late): -",  # and this one waited behind them
    ]
    assert world.starts("job")[1] == "13:25:20"


# --- again and again -------------------------------------------------------------------------------


def test_a_second_gap_is_added_to_the_first() -> None:
    world = World(ALL, "12:05", {"job": [Act(lasts=130)]})
    world.at("12:45:30", lambda: world.sleep_at("12:46", until="13:25"))
    missed(world, "12:05:20", "12:45:20", "14:00")
    began = instants(world)
    assert began == sorted(set(began))
    assert began[0] == "12:10:00"
    assert len(began) == len({*began} | {"13:20:00"})


def test_what_an_earlier_daemon_had_claimed_one_by_one_runs_first() -> None:
    """Before stretches there was a row for each missed instant."""
    world = World(ALL, "12:30", {"job": [Act(lasts=50)]})
    world.journal.daemon_state.set_last_tick(when("12:29"))
    for ten in ("12:10", "12:20"):
        run = world.journal.claim("job", when(ten), "UTC")
        assert run is not None
        world.journal.put_off(run, when("12:29"), made_up=True)
    world.runs_until("12:45")
    assert instants(world) == [f"12:{ten}0:00" for ten in range(1, 5)]
    assert left(world) == []


def test_nothing_of_them_runs_before_its_own_time() -> None:
    """Forward by an hour, and back at once: what is left comes in its time."""
    world = World(line("job", TENS, catchup="all"), "12:00:30", {"job": [Act(lasts=20)]})
    world.at("12:00:40", lambda: world.clock.set(when("13:00:40")))
    world.at("13:00:45", lambda: world.clock.set(when("12:00:45")))
    world.clock.at(when("12:00:46"), lambda: None)
    world.at("12:00:50", lambda: world.stop_at("13:15"))
    try:
        world.run()
    finally:
        pass
    for each in world.spawner.launched[1:]:
        assert each.at >= each.attempt.run.instant, each


# --- a few minutes late ------------------------------------------------------------------------------


@pytest.mark.parametrize("overlap", ["skip", "queue", "replace", "allow"])
@pytest.mark.parametrize("catchup", ["auto", "latest", "all"])
def test_the_present_instant_waits_behind_replays(overlap: str, catchup: str) -> None:
    """Whatever CRON_OVERLAP says: they are only late."""
    text = line("job", "1-59 12 * * *", overlap=overlap, catchup=catchup)
    world = World(text, "11:59:30", {"job": [Act(lasts=40)]})
    world.at("12:00:50", lambda: world.clock.advance(250))  # until 12:05:00
    world.runs_until("12:07:50")
    assert world.history("job")[:4] == [f"12:0{n} succeeded: exit 0" for n in range(1, 5)]
    began = [f"12:0{n}:00" for n in range(1, 8 if overlap == "allow" else 6)]
    assert instants(world) == began
    assert left(world) == ([] if overlap == "allow" else ["12:06-12:07 2"])


def test_a_replay_is_not_held_back_to_hours_to_come() -> None:
    text = "START_HOURS_RANGE=18-20\n" + line("job", EVERY_MINUTE)
    world = World(text, "11:59:30", {"job": [Act(lasts=20)]})
    world.at("12:00:50", lambda: world.clock.advance(130))
    world.runs_until("12:05")
    assert all("succeeded" in each for each in world.history("job"))


# --- what takes a retry's place ----------------------------------------------------------------------

FAILS = [Act(outcome=Exited(1)), Act(lasts=1), Act(lasts=1)]


def test_a_retry_gives_way_to_no_run_that_is_only_made_up_for() -> None:
    acts = {"job": FAILS}
    text = line("job", "0,20 12 * * *", retry_delay="5m", retry_jitter="0")
    world = World(text, "11:59:30", acts)
    missed(world, "12:00:30", "12:40:20", "12:50")
    assert world.history("job") == [
        "12:00 succeeded: exit 1, exit 0",
        "12:20 succeeded: exit 1, exit 0",
    ]


def test_nor_to_one_that_was_missed() -> None:
    text = line("job", TENS, retry_delay="5m", retry_jitter="0")
    world = World(text, "11:59:30", {"job": FAILS})
    missed(world, "12:00:30", "12:42:20", "12:45")
    assert world.history("job") == [
        "12:00 succeeded: exit 1, exit 0",
        "12:10-12:40 skipped (missed): -",
    ]


def test_but_to_one_that_runs() -> None:
    text = line("job", TENS, retry_delay="9m", retry_jitter="0")
    world = World(text, "11:59:30", {"job": [Act(lasts=50, outcome=Exited(1)), Act()]})
    missed(world, "12:01", "12:10:00", "12:15")
    assert world.history("job")[0] == "12:00 failed (superseded): exit 1"
