"""How many may run at once: pools, the daemon's own limit, and in which order the others start."""

from __future__ import annotations

import pytest
from fakes import Act
from frail_journal import FrailJournal
from world import World, line, when

from scheduler.errors import JournalError
from scheduler.run import Exited

MINUTE_LONG = [Act(lasts=60)]


def three(**settings: object) -> str:
    """Jobs a, b and c that are due at noon, each a minute long."""
    return "".join(line(job, "0 12 * * *", **settings) for job in "abc")


def world(text: str, **rest: object) -> World:
    return World(text, acts=dict.fromkeys("abcdxy", MINUTE_LONG), **rest)  # type: ignore[arg-type]  # any of World's


def starts(world: World, jobs: str = "abc") -> list[list[str]]:
    return [world.starts(job) for job in jobs]


# --- who may start ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "most", "expected", "why"),
    [
        (three(), None, ["12:00:00"] * 3, "without a limit all start at once"),
        (three(pool="db"), None, ["12:00:00", "12:01:00", "12:02:00"], "a pool holds one"),
        (three(pool="db:2"), None, ["12:00:00", "12:00:00", "12:01:00"], "or as many as it says"),
        (three(pool="db:3"), None, ["12:00:00"] * 3, "there is room for all"),
        (three(), 2, ["12:00:00", "12:00:00", "12:01:00"], "the daemon's own limit"),
        (three(pool="db:2"), 1, ["12:00:00", "12:01:00", "12:02:00"], "the least of both holds"),
        (
            line("a", "0 12 * * *", pool="db:3") + line("b", "0 12 * * *", pool="db:1")
            + line("c", "0 12 * * *", pool="db"),
            None, ["12:00:00", "12:01:00", "12:02:00"], "of several limits the least",
        ),
        (
            line("a", "0 12 * * *", pool="one") + line("b", "0 12 * * *", pool="two")
            + line("c", "0 12 * * *"),
            None, ["12:00:00"] * 3, "pools do not know one another",
        ),
    ],
)  # fmt: skip
def test_no_more_start_than_there_are_slots(
    text: str, most: int | None, expected: list[str], why: str
) -> None:
    assert starts(world(text, most=most).runs_until("12:30")) == [[at] for at in expected], why


def test_who_waits_for_a_place_says_so_on_disk_and_in_the_log() -> None:
    told = world(three(pool="db"))
    told.at("12:00:30", lambda: outcomes.extend(told.history(job)[0] for job in "abc"))
    outcomes: list[str] = []
    told.runs_until("12:30")
    assert outcomes == [
        "12:00 running: open",
        "12:00 scheduled (its pool is full): - -> 12:00:00",
        "12:00 scheduled (its pool is full): - -> 12:00:00",
    ]
    assert [(each["job"], each["pool"], each["reason"]) for each in told.said("waits")] == [
        ("b", "db", "its pool is full"),
        ("c", "db", "its pool is full"),
    ]
    assert [told.history(job) for job in "abc"] == [["12:00 succeeded: exit 0"]] * 3


def test_a_full_pool_holds_up_nobody_else() -> None:
    text = three(pool="db") + line("x", "0 12 * * *") + line("y", "1 12 * * *")
    told = world(text, most=2).runs_until("12:30")
    assert starts(told, "abcxy") == [
        ["12:00:00"],
        ["12:01:00"],
        ["12:02:00"],
        ["12:00:00"],
        ["12:01:00"],
    ]


def test_first_come_first_served() -> None:
    """A minutely job can't keep out a daily one that has waited longer for the same place."""
    text = line("a", "* * * * *", pool="db", overlap="queue") + line("b", "1 12 * * *", pool="db")
    told = World(text, acts={"a": [Act(lasts=90)], "b": [Act(lasts=10)]}, now="11:59:59")
    told.runs_until("12:06")
    assert told.starts("a")[:3] == ["11:59:59", "12:01:39", "12:03:09"]
    assert told.starts("b") == ["12:01:29"]


def test_a_place_is_free_again_whatever_way_the_run_ended() -> None:
    acts = {"a": [Act(lasts=20, outcome=Exited(3))], "b": [Act(lasts=999)], "c": [Act(lasts=5)]}
    text = three(pool="db", retries=0, timeout="30s")
    told = World(text, acts=acts).runs_until("12:30")
    assert starts(told) == [["12:00:00"], ["12:00:20"], ["12:00:50"]]


def test_while_a_retry_waits_for_its_time_its_place_is_free() -> None:
    acts = {"a": [Act(lasts=5, outcome=Exited(1)), Act(lasts=5)], "b": [Act(lasts=60)]}
    text = three(pool="db", retry_delay="10s")
    told = World(text, acts=acts).runs_until("12:30")
    assert starts(told) == [["12:00:00", "12:01:05"], ["12:00:05"], ["12:01:05"]]
    assert told.history("a") == ["12:00 succeeded: exit 1, exit 0"]


# --- beside other runs of the job -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("overlap", "outcome", "why"),
    [
        ("skip", ["12:00 succeeded: exit 0", "12:01 skipped (overlap): -"], "it waits: under way"),
        ("queue", ["12:00 succeeded: exit 0", "12:01 succeeded: exit 0"], "behind the one in line"),
        ("replace", ["12:00 skipped (replaced): -", "12:01 succeeded: exit 0"], "in its place"),
        ("allow", ["12:00 succeeded: exit 0", "12:01 succeeded: exit 0"], "both wait"),
    ],
)
def test_what_waits_for_a_place_counts_as_under_way(
    overlap: str, outcome: list[str], why: str
) -> None:
    text = line("x", "59 11 * * *", pool="db") + line(
        "job", "0-1 12 * * *", pool="db", overlap=overlap
    )
    told = World(text, acts={"x": [Act(lasts=300)], "job": [Act(lasts=5)]}, now="11:58:30")
    assert told.runs_until("12:30").history("job") == outcome, why
    assert told.starts("job")[0] == "12:04:00"


def test_who_replaces_a_run_in_line_has_its_turn() -> None:
    text = (
        line("x", "59 11 * * *", pool="db")
        + line("a", "0-1 12 * * *", pool="db", overlap="replace")
        + line("b", "0 12 * * *", pool="db")
    )
    acts = {"x": [Act(lasts=300)], "a": [Act(lasts=5)], "b": [Act(lasts=5)]}
    told = World(text, acts=acts, now="11:58:30").runs_until("12:30")
    assert (told.starts("a"), told.starts("b")) == (["12:04:00"], ["12:04:05"])


def test_a_retry_in_line_gives_way_to_the_jobs_next_instant() -> None:
    text = line("a", "0-2/2 12 * * *", pool="db", retry_delay="10s") + line(
        "b", "0 12 * * *", pool="db"
    )
    acts = {"a": [Act(lasts=5, outcome=Exited(1)), Act()], "b": [Act(lasts=300)]}
    told = World(text, acts=acts).runs_until("12:30")
    assert told.history("a") == [
        "12:00 failed (superseded): exit 1",
        "12:02 succeeded: exit 1, exit 0",
    ]
    assert told.starts("a") == ["12:00:00", "12:05:05", "12:05:20"]


def test_who_waits_longer_than_cron_within_does_not_start() -> None:
    told = world(three(pool="db", within="90s")).runs_until("12:30")
    assert starts(told) == [["12:00:00"], ["12:01:00"], []]
    assert told.history("c") == ["12:00 skipped (too late): -"]


# --- what happens to the line -----------------------------------------------------------------------


def test_the_line_outlives_a_daemon() -> None:
    told = world(three(pool="db"))
    told.crashes_at("12:00:30").runs_until("12:30")
    assert starts(told) == [["12:00:00", "12:03:00"], ["12:01:00"], ["12:02:00"]]
    assert [told.history(job)[0] for job in "bc"] == ["12:00 succeeded: exit 0"] * 2


@pytest.mark.parametrize(
    ("killed", "clock", "due", "why"),
    [
        ("12:11", "12:08", ": - -> 12:10:00", "the clock is before its own time"),
        ("12:11", "12:12", " (its pool is full): - -> 12:10:00", "its turn would be now"),
        ("12:22", "15:00", ": - -> 02T12:00:00", "it was missed, and its hours are over for today"),
    ],
)
def test_who_waits_for_a_time_after_a_restart_says_so(
    killed: str, clock: str, due: str, why: str
) -> None:
    text = line("long", "0 12 * * *", pool="db") + line("job", "10 12 * * *", pool="db")
    told = World(f"START_HOURS_RANGE=12-13\n{text}", acts={"long": [Act(lasts=3600)]})
    if killed > "12:20":
        told.sleep_at("12:05", "12:20")
    told.crashes_at(killed)
    assert "12:10 scheduled (its pool is full)" in told.history("job")[0]
    told.clock.set(when(clock))
    told.runs_until(f"{clock}:30")
    assert told.history("job") == [f"12:10 scheduled{due}"], why


def test_a_stop_leaves_the_line_to_the_next_daemon() -> None:
    told = world(three(pool="db"), grace=100).runs_until("12:00:30")
    assert starts(told) == [["12:00:00"], [], []]
    told.runs_until("12:30")
    assert starts(told) == [["12:00:00"], ["12:01:00"], ["12:02:00"]]


def test_who_is_taken_out_of_the_crontab_leaves_the_line() -> None:
    told = world(three(pool="db"))
    told.edit_at(
        "12:00:30", line("a", "0 12 * * *", pool="db") + line("c", "0 12 * * *", pool="db")
    )
    told.runs_until("12:30")
    assert starts(told) == [["12:00:00"], [], ["12:01:00"]]
    assert told.history("b") == ["12:00 skipped (no longer in a crontab): -"]


def test_a_pool_that_an_edit_widens_starts_who_waits() -> None:
    told = world(three(pool="db"))
    told.edit_at("12:00:20", three(pool="db:3"))
    told.reload_at("12:00:30")
    assert starts(told.runs_until("12:30")) == [["12:00:00"], ["12:00:30"], ["12:00:30"]]


def test_who_waits_in_a_pool_that_an_edit_dissolves_starts_and_keeps_nobody_up() -> None:
    told = world(three(pool="db"))
    other = line("x", "0 11 * * *", pool="db:1")
    told.edit_at(
        "12:00:20",
        line("a", "0 12 * * *", pool="db")
        + line("b", "0 12 * * *", pool="new")
        + line("c", "0 12 * * *")
        + other,
    )
    told.reload_at("12:00:30")
    assert starts(told.runs_until("12:30")) == [["12:00:00"], ["12:00:30"], ["12:00:30"]]


@pytest.mark.slow
@pytest.mark.parametrize("number", range(1, 40))
def test_a_refused_commit_neither_loses_nor_doubles_who_waits(number: int) -> None:
    told = world(three(pool="db"))

    def refused() -> None:
        assert isinstance(told.journal, FrailJournal)
        told.journal.accidents[told.journal.statements + number] = refuse

    told.at("12:00:50", refused)
    told.runs_until("12:30")
    assert [told.history(job) for job in "abc"] == [["12:00 succeeded: exit 0"]] * 3


def refuse() -> None:
    raise JournalError("the disk is full")
