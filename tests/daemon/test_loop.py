"""What a daemon does with what is due: starts it, retries it, ends it, and never twice."""

from __future__ import annotations

import pytest
from fakes import Act
from memory_library import UTC_ZONE
from world import World, line, when

from scheduler.entry import Overlap
from scheduler.run import Exited, Limit, NotStarted, Signalled, State
from scheduler.text import LAST_DAY

FAILS = Act(outcome=Exited(1))
EVERY_MINUTE = "* * * * *"


# --- on the minute ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schedule", "zone", "start"),
    [
        ("0 12 * * *", "UTC", "12:00:00"),
        ("0 13 * * *", "Europe/Berlin", "12:00:00"),
        ("30 17 * * *", "Asia/Kolkata", "12:00:00"),
        ("45 0 2 3 *", "Pacific/Chatham", "11:00:00"),  # at UTC+13:45, so it is tomorrow there
        ("0 7 * * mon", "America/New_York", "12:00:00"),
    ],
)
def test_a_run_starts_on_the_minute_in_its_own_zone(schedule: str, zone: str, start: str) -> None:
    world = World(line("job", schedule, tz=zone), now="10:30")
    assert world.runs_until("12:30").starts("job") == [start]


def test_nothing_else_starts() -> None:
    world = World(line("job", "1 12 * * *"))
    world.runs_until("12:00:59")
    assert world.starts("job") == []
    assert world.history("job") == []


def test_the_minute_in_which_a_daemon_starts_is_owed() -> None:
    world = World(line("job", EVERY_MINUTE), now="12:00:59")
    assert world.runs_until("12:01:30").starts("job") == ["12:00:59", "12:01:00"]


def test_a_minute_that_an_earlier_daemon_handled_is_not_owed() -> None:
    world = World(line("job", EVERY_MINUTE), now="12:00:10")
    world.runs_until("12:00:20").runs_until("12:01:20")
    assert world.starts("job") == ["12:00:10", "12:01:00"]


@pytest.mark.parametrize(
    ("schedule", "zone", "starts"),
    [
        ("0 * * * *", "UTC", ["11:00:00", "12:00:00"]),
        ("0 20 * * *", "Asia/Tokyo", ["11:00:00"]),
        ("0 9 * * *", "Asia/Tokyo", []),  # the year 10000 there
        ("@every 1h", "UTC", ["11:30:00", "12:30:00"]),
        ("@every 2d", "UTC", []),
    ],
)
def test_a_daemon_works_on_the_last_day_of_the_calendar(
    monkeypatch: pytest.MonkeyPatch, schedule: str, zone: str, starts: list[str]
) -> None:
    monkeypatch.setattr("world.DAY", LAST_DAY)
    world = World(line("job", schedule, tz=zone), now="31T10:30", style="human")
    assert world.runs_until("31T12:40").starts("job") == starts


def test_a_key_that_is_claimed_is_not_started() -> None:
    world = World(line("job", EVERY_MINUTE))
    run = world.journal.claim("job", when("12:00"), UTC_ZONE.key)
    assert run is not None
    world.journal.finish(run, State.SUCCEEDED)
    world.runs_until("12:01:30")
    assert world.starts("job") == ["11:59:30", "12:01:00"]
    assert world.history("job")[1] == "12:00 succeeded: -"


def test_a_retry_just_before_the_minute_wakes_nobody_early() -> None:
    """What is planned for 12:00 is ready by then, and still waits."""
    text = line("busy", "59 11 * * *", retry_delay="29.9") + line("job", "0 12 * * *")
    world = World(text, acts={"busy": [FAILS, Act()]})
    world.runs_until("12:00:30")
    assert world.starts("busy") == ["11:59:30", "11:59:59.9"]
    assert world.starts("job") == ["12:00:00"]


def test_a_childs_end_or_a_signal_just_before_the_minute_wakes_nobody_early() -> None:
    text = line("busy", "59 11 * * *") + line("job", "0 12 * * *")
    world = World(text, acts={"busy": [Act(lasts=29.85)]})
    world.reload_at("11:59:59.95")
    assert world.runs_until("12:00:30").starts("job") == ["12:00:00"]


def test_the_time_that_preparing_takes_does_not_make_it_early() -> None:
    world = World("".join(line(f"job{n}", "0 12 * * *") for n in range(300)))
    world.runs_until("12:00:30")
    assert {at for n in range(300) for at in world.starts(f"job{n}")} == {"12:00:00"}


def test_a_burst_that_takes_long_does_not_stop_the_loop() -> None:
    """Five seconds of starting: in between, what ended is seen and who is over time is ended."""
    text = "".join(line(f"job{n}", "0 12 * * *", timeout="1s") for n in range(50))
    world = World(text, acts={"job0": [Act(lasts=60)]})
    world.spawner.start_takes = 0.1
    world.runs_until("12:00:30")
    assert all(len(world.starts(f"job{n}")) == 1 for n in range(1, 50))
    ((at, number),) = world.signals()
    assert (number, at < "12:00:05") == (15, True)


# --- retries ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("draw", "starts"),
    [
        (0.0, ["12:00:00", "12:00:30", "12:01:30", "12:03:30"]),  # 30, 60, 120 s apart
        (1.0, ["12:00:00", "12:00:33", "12:01:39", "12:03:51"]),  # and 10 % more
        (-1.0, ["12:00:00", "12:00:27", "12:01:21", "12:03:09"]),  # and 10 % less
    ],
)
def test_a_failure_is_retried_with_backoff_and_jitter(draw: float, starts: list[str]) -> None:
    world = World(line("job", "0 12 * * *"), acts={"job": [FAILS]}, draw=draw)
    assert world.runs_until("12:30").starts("job") == starts
    assert world.history("job") == [
        "12:00 failed (no attempts left): exit 1, exit 1, exit 1, exit 1"
    ]


def test_a_retry_waits_from_the_end_of_the_attempt() -> None:
    acts = {"job": [Act(lasts=100, outcome=Exited(1)), Act()]}
    world = World(line("job", "0 12 * * *"), acts=acts)
    assert world.runs_until("12:30").starts("job") == ["12:00:00", "12:02:10"]


@pytest.mark.parametrize(
    ("settings", "act", "outcome"),
    [
        ({}, Act(), "succeeded: exit 0"),
        ({"retries": 1}, FAILS, "failed (no attempts left): exit 1, exit 1"),
        ({"retries": 0}, FAILS, "failed (no attempts left): exit 1"),
        ({"success": "0,1"}, FAILS, "succeeded: exit 1"),
        ({"success": "1"}, Act(), "failed (no attempts left): exit 0, exit 0, exit 0, exit 0"),
        ({"retry_on": "75"}, FAILS, "failed (this ending is not retried): exit 1"),
        ({"no_retry_on": "1"}, FAILS, "failed (this ending is not retried): exit 1"),
        ({"no_retry_on": "signal"}, Act(outcome=Signalled(9)), "failed (this ending is not retried): signal 9"),
        ({"retry_within": "40"}, FAILS, "failed (retry window over): exit 1, exit 1"),
        ({"retry_delay": "0", "retries": 2}, FAILS, "failed (no attempts left): exit 1, exit 1, exit 1"),
        ({"retries": 1}, Act(outcome=NotStarted("no shell")), "failed (no attempts left): not started: no shell, not started: no shell"),
        ({"retries": 1}, Act(outcome=NotStarted("no disk"), is_early=True), "failed (no attempts left): not started: no disk, not started: no disk"),
        ({"no_retry_on": "start"}, Act(outcome=NotStarted("no shell")), "failed (this ending is not retried): not started: no shell"),
        ({"retries": 1, "timeout": "5s"}, Act(lasts=60), "failed (no attempts left): timed out, timed out"),
        ({"no_retry_on": "timeout", "timeout": "5s"}, Act(lasts=60), "failed (this ending is not retried): timed out"),
    ],
)  # fmt: skip
def test_what_a_run_comes_to(settings: dict[str, object], act: Act, outcome: str) -> None:
    world = World(line("job", "0 12 * * *", **settings), acts={"job": [act]})
    assert world.runs_until("12:30").history("job") == [f"12:00 {outcome}"]


def test_a_retry_that_would_start_at_the_next_instant_is_superseded() -> None:
    world = World(line("job", EVERY_MINUTE, retry_delay="60"), "11:59:50", {"job": [FAILS]})
    world.runs_until("12:00:30")
    assert world.starts("job") == ["11:59:50", "12:00:00"]
    assert world.history("job")[0] == "11:59 failed (superseded): exit 1"


def test_a_retry_that_is_pending_at_the_next_instant_is_superseded() -> None:
    """An edit has brought the next instant near."""
    world = World(line("job", "0 12 * * *", retry_delay="10m"), acts={"job": [FAILS, Act()]})
    world.edit_at("12:04", line("job", "5 * * * *", retry_delay="10m"))
    world.runs_until("12:30")
    assert world.starts("job") == ["12:00:00", "12:05:00", "12:15:00"]
    assert world.history("job") == [
        "12:00 failed (superseded): exit 1",
        "12:05 succeeded: exit 1, exit 0",
    ]


def test_what_an_attempt_used_is_kept() -> None:
    world = World(line("job", "0 12 * * *"), acts={"job": [Act(cpu_s=1.5, memory_bytes=4096)]})
    world.runs_until("12:00:30")
    ((attempt,),) = [row.attempts for row in world.journal.queries.history("job")]
    assert (attempt.cpu_s, attempt.memory_bytes) == (1.5, 4096)
    assert attempt.output == "outputs/job/1.1.log"


@pytest.mark.parametrize(
    ("timeout", "limit", "why"),
    [
        ("5m", Limit.CPU, "the limit ended it"),
        ("10s", None, "the daemon did, whatever it had used by then"),
    ],
)
def test_the_journal_says_which_limit_ended_an_attempt(
    timeout: str, limit: Limit | None, why: str
) -> None:
    act = Act(lasts=60, outcome=Signalled(24), limit=Limit.CPU)
    text = line("job", "0 12 * * *", retries=0, cpu="1m", timeout=timeout)
    world = World(text, acts={"job": [act]}).runs_until("12:02")
    ((attempt,),) = [row.attempts for row in world.journal.queries.history("job")]
    assert attempt.limit == limit, why


def test_an_attempt_that_emptied_its_output_is_journalled_and_told() -> None:
    world = World(line("job", "0 12 * * *"), acts={"job": [Act(empties=True)]}).runs_until("12:02")
    ((attempt,),) = [row.attempts for row in world.journal.queries.history("job")]
    assert attempt.emptied
    assert world.journal.queries.emptiers() == {"job"}
    assert [each["output"] for each in world.lines() if each["message"] == "succeeded"] == [
        "emptied"
    ]


# --- overlap ------------------------------------------------------------------------------------

# A job that is due every minute from 12:00 to 12:03; its attempts take 150 s or more.
LONG = Act(lasts=150)


@pytest.mark.parametrize(
    ("overlap", "starts", "outcome"),
    [
        (
            Overlap.SKIP,  # what comes meanwhile is not run
            ["12:00:00", "12:03:00"],
            ["12:00 succeeded: exit 0", "12:01 skipped (overlap): -",
             "12:02 skipped (overlap): -", "12:03 succeeded: exit 0"],
        ),
        (
            Overlap.ALLOW,  # all run, beside one another
            ["12:00:00", "12:01:00", "12:02:00", "12:03:00"],
            ["12:00 succeeded: exit 0", "12:01 succeeded: exit 0",
             "12:02 succeeded: exit 0", "12:03 succeeded: exit 0"],
        ),
        (
            Overlap.QUEUE,  # one waits, and a second is one too many
            ["12:00:00", "12:02:30", "12:05:00"],
            ["12:00 succeeded: exit 0", "12:01 succeeded: exit 0",
             "12:02 skipped (overlap): -", "12:03 succeeded: exit 0"],
        ),
        (
            Overlap.REPLACE,  # the newest is all that counts
            ["12:00:00", "12:01:00", "12:02:00", "12:03:00"],
            ["12:00 failed (replaced): signal 15", "12:01 failed (replaced): signal 15",
             "12:02 failed (replaced): signal 15", "12:03 succeeded: exit 0"],
        ),
    ],
)  # fmt: skip
def test_what_a_run_does_beside_an_earlier_one(
    overlap: Overlap, starts: list[str], outcome: list[str]
) -> None:
    world = World(line("job", "0-3 12 * * *", overlap=overlap), acts={"job": [LONG]})
    world.runs_until("12:30")
    assert world.starts("job") == starts
    assert world.history("job") == outcome


def test_a_replaced_job_that_ignores_sigterm_is_killed_and_waited_for() -> None:
    text = line("job", "0-1 12 * * *", overlap="replace", kill_after="7s")
    world = World(text, acts={"job": [Act(lasts=300, on_term=None)]})
    world.runs_until("12:30")
    assert world.signals() == [("12:01:00", 15), ("12:01:07", 9)]
    assert world.starts("job") == ["12:00:00", "12:01:07"]


def test_who_waits_to_replace_is_replaced_in_turn() -> None:
    """A job that takes its time to die is not signalled again for each run that wants its place."""
    text = line("job", "0-3 12 * * *", overlap="replace", kill_after="150s")
    world = World(text, acts={"job": [Act(lasts=600, on_term=None)]})
    world.runs_until("12:04")
    assert world.signals()[:2] == [("12:01:00", 15), ("12:03:30", 9)]
    assert world.starts("job") == ["12:00:00", "12:03:30"]
    assert world.history("job")[:3] == [
        "12:00 failed (replaced): signal 9",
        "12:01 skipped (replaced): -",
        "12:02 skipped (replaced): -",
    ]


def test_the_retries_of_a_run_end_where_the_next_run_waits() -> None:
    text = line("job", "0-1 12 * * *", overlap="queue", retry_delay="5s")
    acts = {"job": [Act(lasts=90, outcome=Exited(1)), Act()]}
    world = World(text, acts=acts).runs_until("12:30")
    assert world.starts("job") == ["12:00:00", "12:01:30", "12:03:05"]
    assert world.history("job") == [
        "12:00 failed (superseded): exit 1",
        "12:01 succeeded: exit 1, exit 0",
    ]


def test_the_retries_of_a_run_end_where_a_later_one_has_run_beside_it() -> None:
    text = line("job", "0-1 12 * * *", overlap="allow", retry_delay="5s")
    acts = {"job": [Act(lasts=90, outcome=Exited(1))]}
    world = World(text, acts=acts).runs_until("12:02")
    assert world.history("job")[0] == "12:00 failed (superseded): exit 1"


def test_a_run_that_took_long_and_failed_is_retried_all_the_same() -> None:
    """The instants that it ran past were skipped, so none of them has taken its place."""
    text = line("job", "0-1,10 12 * * *", retry_delay="5s")
    acts = {"job": [Act(lasts=90, outcome=Exited(1)), Act()]}
    world = World(text, acts=acts).runs_until("12:05")
    assert world.history("job")[0] == "12:00 succeeded: exit 1, exit 0"


def test_a_pending_retry_does_not_delay_the_next_run() -> None:
    world = World(line("job", EVERY_MINUTE, retry_delay="40"), "12:00:10", {"job": [FAILS]})
    world.runs_until("12:01:05")
    assert world.starts("job") == ["12:00:10", "12:00:50", "12:01:00"]


# --- time limits --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("act", "signals"),
    [
        (Act(lasts=4), []),  # in time
        (Act(lasts=99), [("12:00:05", 15)]),  # it ends on SIGTERM
        (Act(lasts=99, term_takes=1), [("12:00:05", 15)]),  # and may take its time
        (Act(lasts=99, term_takes=3), [("12:00:05", 15), ("12:00:07", 9)]),  # but not longer
        (Act(lasts=99, on_term=None), [("12:00:05", 15), ("12:00:07", 9)]),  # it ignores SIGTERM
        (Act(lasts=99, on_term=Exited(0)), [("12:00:05", 15)]),  # exit 0 is no excuse
        (Act(lasts=99, leaves=True), [("12:00:05", 15)]),  # the whole group ends on SIGTERM
        (Act(lasts=99, leaves=True, is_stubborn=True), [("12:00:05", 15), ("12:00:07", 9)]),
        (Act(lasts=1, leaves=True), []),  # a job may leave a daemon behind
    ],
)
def test_a_timeout_ends_the_whole_process_group(act: Act, signals: list[tuple[str, int]]) -> None:
    world = World(
        line("job", "0 12 * * *", retries=0, timeout="5s", kill_after="2s"), acts={"job": [act]}
    )
    world.runs_until("12:01")
    assert world.signals() == signals
    assert ("timed out" in world.history("job")[0]) == bool(signals)


def test_the_clock_of_a_timeout_cannot_be_set() -> None:
    world = World(
        line("job", "0 12 * * *", retries=0, timeout="90s"), acts={"job": [Act(lasts=999)]}
    )
    world.at("12:00:30", lambda: world.clock.set(when("12:02:30")))
    world.runs_until("12:05")
    assert world.signals() == [("12:03:30", 15)]


# --- what a person is told ----------------------------------------------------------------------


def test_a_person_sees_what_comes_what_runs_and_what_follows() -> None:
    text = line("job", "0 13 * * *", tz="Europe/Berlin", retry_delay="2s") + line("late", "@daily")
    world = World(text, acts={"job": [FAILS, Act(lasts=3)]}, style="human")
    world.runs_until("12:00:30")
    said = [line[27:] for line in world.log.getvalue().splitlines()]
    assert said == [
        "crontabs   2 entries in 2 zones",
        "next       job                     in 30 s: 13:00 Europe/Berlin",
        "next       late                    in 12 h: Tue 2027-03-02 00:00 UTC",
        "started    job                     run 1: 13:00 Europe/Berlin",
        "next       in 12 h: late",
        "retry      job                     run 1: exit 1 after 0 ms; attempt 2 in 2 s",
        "started    job                     run 1: 13:00 Europe/Berlin, attempt 2",
        "succeeded  job                     run 1: exit 0 after 3 s",
        "stopping   no new runs, no jobs running",
        "stopped    nothing is running",
    ]


def test_of_a_quiet_entry_the_log_tells_failures_alone_and_the_journal_everything() -> None:
    quiet = "CRON_NAME=job CRON_RETRY_DELAY=5 CRON_RETRY_JITTER=0  0 12 * * *  -q x\n"
    world = World(quiet + line("loud", "0 12 * * *"), acts={"job": [FAILS, Act()]})
    world.runs_until("12:01:30")
    assert world.history("job") == ["12:00 succeeded: exit 1, exit 0"]
    told = [(each["message"], each["job"]) for each in world.lines() if "run" in each]
    assert sorted(told) == [("retry", "job"), ("started", "loud"), ("succeeded", "loud")]


def test_many_coming_jobs_are_told_shortly() -> None:
    text = "".join(line(f"job{n}", "0 12 * * *") for n in range(20)) + line("then", "1 12 * * *")
    world = World(text, style="human")
    world.runs_until("12:00:30")
    said = [line[27:] for line in world.log.getvalue().splitlines()]
    assert len([line for line in said if line.startswith("next       job")]) == 8
    assert "next       in 1 min: then" in said
