"""Why a job did what it did: what a small world's journal and the rules answer."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from fakes import Act
from world import World, line, when

from scheduler.cli.commands.why import known_of
from scheduler.cli.why_answer import answer
from scheduler.cli.why_not_due import misses
from scheduler.entry import Expression
from scheduler.run import Attempt, Exited, Limit, Signalled
from scheduler.schedule.expression import parse

BERLIN = ZoneInfo("Europe/Berlin")
FAILS = Act(outcome=Exited(3))


def why(world: World, job: str, time: str, *, now: str = "18:00") -> str:
    """What the world's journal and its crontab as it stands answer."""
    entry = next((e for e in world.library.load().entries if e.job == job), None)
    zone = ZoneInfo("UTC")
    return " ".join(answer(known_of(world.journal, job, entry, when(time), zone, when(now))))


def a_gap(text: str, until: str = "12:45:20") -> World:
    """A world whose clock was set forward at 12:05:20."""
    world = World(text, "11:59:30")
    world.at("12:05:20", lambda: world.clock.set(when(until)))
    world.at(until, lambda: world.stop_at("18:00"))
    world.run()
    return world


FORWARD = (
    "The clock was set forward from about Mon 2027-03-01 12:05 UTC to 12:45:20 (40 min):"
    " missed runs are made up for, or left out with a reason."
)


def test_it_ran() -> None:
    world = World(line("job", "0 12 * * *"), "11:59:30").runs_until("12:01")
    assert why(world, "job", "12:00") == (
        "It ran: run 1 of Mon 2027-03-01 12:00 UTC started at 12:00:00 and succeeded."
    )


def test_it_failed() -> None:
    text = line("job", "0 12 * * *", retries=1, retry_delay="5s")
    world = World(text, "11:59:30", {"job": [FAILS]}).runs_until("12:01")
    assert why(world, "job", "12:00").endswith(
        "started at 12:00:00 and failed (exit 3) in attempt 2, for good: "
        "no attempts left (CRON_RETRIES)."
    )


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"retry_delay": "10m"}, "the job's next run took the place of its retry"),
        ({"no_retry_on": "3"}, "this ending is not retried (CRON_RETRY_ON, CRON_NO_RETRY_ON)"),
        ({"retry_within": "1s", "retry_delay": "20s"}, "the time for retries was over (CRON_RETRY_WITHIN)"),
    ],
)  # fmt: skip
def test_why_it_is_not_tried_again_is_told_in_words(options: dict[str, str], told: str) -> None:
    text = line("job", "0-5 12 * * *", **options)
    world = World(text, "11:59:30", {"job": [FAILS]}).runs_until("12:00:40")
    assert why(world, "job", "12:00").endswith(f"failed (exit 3), for good: {told}.")


def test_something_of_it_got_away_when_it_was_ended() -> None:
    world = World(line("job", "0 12 * * *", retries=0), "11:59:30", {"job": [FAILS]})
    world.runs_until("12:01")
    run = world.journal.queries.history(limit=1)[0].run
    world.journal.left_behind(Attempt(run, 1), 2)
    told = why(world, "job", "12:00")
    assert "failed (exit 3, left 2 processes behind, which got SIGTERM too)" in told


def test_a_limit_ended_it() -> None:
    text = line("job", "0 12 * * *", retries=1, retry_delay="5s")
    act = Act(outcome=Signalled(24), limit=Limit.CPU)
    told = why(World(text, "11:59:30", {"job": [act]}).runs_until("12:01"), "job", "12:00")
    assert "failed (signal 24, its CRON_CPU was used up) in attempt 2, for good" in told


def test_it_waits_to_be_tried_again() -> None:
    text = line("job", "0 12 * * *", retry_delay="10m")
    world = World(text, "11:59:30", {"job": [FAILS]}).runs_until("12:01")
    assert why(world, "job", "12:00").endswith(
        "started at 12:00:00, attempt 1 failed (exit 3), the next is due at 12:10:00."
    )


def test_it_runs_still() -> None:
    world = World(line("job", "0 12 * * *"), "11:59:30", {"job": [Act(lasts=600)]})
    world.crashes_at("12:01")
    assert why(world, "job", "12:00").endswith("started at 12:00:00 and has not ended yet.")


def test_it_ran_late_because_the_clock_was_set_forward() -> None:
    world = a_gap(line("job", "30 12 * * *"))
    assert why(world, "job", "12:30") == (
        "It ran: run 1 of Mon 2027-03-01 12:30 UTC started at 12:45:20 and succeeded."
        f" That is 15 min 20 s late. {FORWARD}"
    )


def test_it_ran_late_behind_an_earlier_run() -> None:
    text = line("job", "0,5 12 * * *", overlap="queue")
    world = World(text, "11:59:30", {"job": [Act(lasts=500)]}).runs_until("12:20")
    assert why(world, "job", "12:05").endswith(
        "That is 3 min 20 s late. It waited for an earlier run of the job or for a place "
        "(CRON_POOL, --max-running), or the machine was busy."
    )


def test_it_was_spread() -> None:
    world = World(line("job", "0 12 * * *", spread="10m"), "11:59:30").runs_until("12:20")
    told = why(world, "job", "12:00")
    assert "CRON_SPREAD or RANDOM_DELAY start it " in told
    assert "late" not in told


def test_it_waits_for_its_spread_start() -> None:
    world = World(line("job", "0 12 * * *", spread="10m"), "11:59:30")
    world.crashes_at("12:00:01")
    assert why(world, "job", "12:00", now="12:00:01").startswith(
        "Run 1 of Mon 2027-03-01 12:00 UTC waits: it starts at 12:0"
    )


def test_it_waits_for_a_place() -> None:
    text = line("a", "0 12 * * *", pool="db") + line("b", "0 12 * * *", pool="db")
    world = World(text, acts={"a": [Act(lasts=90)]}).crashes_at("12:00:30")
    assert why(world, "b", "12:00", now="12:00:30") == (
        "Run 2 of Mon 2027-03-01 12:00 UTC waits for a place: its pool is full (CRON_POOL)."
    )


def test_it_waits_for_an_earlier_run() -> None:
    text = line("job", "0,1 12 * * *", overlap="queue")
    world = World(text, "11:59:30", {"job": [Act(lasts=500)]})
    world.crashes_at("12:02")
    assert why(world, "job", "12:01", now="12:02") == (
        "Run 2 of Mon 2027-03-01 12:01 UTC waits for an earlier run of the job to end."
    )


def test_it_is_one_of_many_that_are_still_to_run() -> None:
    text = line("job", "*/10 * * * *", catchup="all")
    world = World(text, "12:05", {"job": [Act(lasts=500)]})
    world.at("12:05:20", lambda: world.clock.set(when("12:45:20")))
    world.at("12:45:25", lambda: world.kill())  # noqa: PLW0108 (it raises)
    world.crashes()
    assert why(world, "job", "12:30", now="12:46").startswith(
        "It waits its turn: 3 instants of the job that came too late, or behind those, are still to"
        " run, one after the other. The next is Mon 2027-03-01 12:20 UTC. The clock was set forward"
    )


SKIPS = [
    # settings, schedule, asked, the answer's beginning, why
    ({}, "*/10 * * * *", "12:20", "It did not run: nobody handled that minute, and it is not made up for. The same holds for all its instants from Mon 2027-03-01 12:10 UTC to Mon 2027-03-01 12:40 UTC. It is @every, or its minute or hour field starts with *: only CRON_CATCHUP=latest or =all makes up for that.", "an interval"),
    ({"catchup": "none"}, "30 12 * * *", "12:30", "It did not run: nobody handled that minute, and it is not made up for. CRON_CATCHUP=none says so.", "asked for"),
    ({}, "10,30 12 * * *", "12:10", "It did not run: a newer instant of the job was run in its place.", "the newest runs"),
    ({"catchup": "all", "catchup_limit": "1"}, "10,30 12 * * *", "12:10", "It did not run: nobody handled that minute, and it is not made up for. Of so many the newest 1 are (CRON_CATCHUP_LIMIT).", "beyond the limit"),
    ({"within": "5m"}, "30 12 * * *", "12:30", "It did not run: by the time it could start it was later than CRON_WITHIN allows.", "too late"),
]  # fmt: skip


@pytest.mark.parametrize(("settings", "schedule", "asked", "expected", "reason"), SKIPS)
def test_it_did_not_run_in_a_gap(
    settings: dict[str, str], schedule: str, asked: str, expected: str, reason: str
) -> None:
    world = a_gap(line("job", schedule, **settings))
    assert why(world, "job", asked) == f"{expected} {FORWARD}", reason


def test_the_daemon_was_down() -> None:
    world = World(line("job", "*/10 * * * *"), "11:59:30").runs_until("12:05:20")
    world.clock.advance(2400)
    world.runs_until("12:46")
    assert why(world, "job", "12:30").endswith(
        "The daemon was down from Mon 2027-03-01 12:05 UTC to 12:45:20 (40 min 20 s):"
        " missed runs are made up for, or left out with a reason."
    )


def test_it_met_an_earlier_run() -> None:
    world = World(line("job", "0,5 12 * * *"), "11:59:30", {"job": [Act(lasts=500)]})
    world.runs_until("12:20")
    assert why(world, "job", "12:05") == (
        "It did not run: an earlier run of the job was still going (CRON_OVERLAP)."
    )


def test_it_was_taken_out_of_the_crontab() -> None:
    world = World(line("job", "0 12 * * *", spread="10m"), "11:59:30")
    world.edit_at("12:00:01", "")
    world.reload_at("12:00:02")
    world.runs_until("12:30")
    assert why(world, "job", "12:00") == (
        "It did not run: its line was taken out of the crontab before it started."
    )


WITHOUT = [
    # asked, now, the answer, why
    ("13:00", "12:30", "It is due then, which is still to come: in 30 min.", "to come"),
    ("13:00", "18:00", "It was due then, but no daemon has handled that minute: the last was Mon 2027-03-01 12:01 UTC.", "nobody ran"),
    ("11:00", "18:00", "By the crontab as it is today it was due then, but the journal has no record of it. Either no daemon ran yet, or the line was not in the crontab at that time.", "before everything"),
    ("12:30", "18:00", "It was not due at Mon 2027-03-01 12:30 UTC: the minute 30 is not in 0. The instant before it is Mon 2027-03-01 12:00 UTC. The next one after it is Mon 2027-03-01 13:00 UTC.", "not due"),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "now", "expected", "reason"), WITHOUT)
def test_where_the_journal_knows_nothing_the_rules_answer(
    asked: str, now: str, expected: str, reason: str
) -> None:
    world = World(line("job", "0 11-13 * * *"), "11:59:30").runs_until("12:01:30")
    assert why(world, "job", asked, now=now) == expected, reason


def test_nothing_ever_ran() -> None:
    world = World(line("job", "0 12 * * *"))
    assert why(world, "job", "12:00") == (
        "It was due then, but no daemon has ever run with this state folder."
    )


def test_a_stretch_says_nothing_of_minutes_that_are_no_instants() -> None:
    world = a_gap(line("job", "*/10 * * * *"))
    assert why(world, "job", "12:25").startswith("It was not due at")


def test_a_job_without_a_line_is_known_to_the_journal_alone() -> None:
    world = World(line("job", "0 12 * * *"), "11:59:30").runs_until("12:01")
    world.edit("")
    assert why(world, "job", "12:00").startswith("It ran: run 1")
    assert why(world, "job", "12:30") == (
        "The journal has no record of Mon 2027-03-01 12:30 UTC, and no crontab has this job."
    )


# --- a clock that was set back -----------------------------------------------------------------


def set_back(text: str, at: str, to: str, stop: str) -> World:
    """A world whose clock was set back at a time, and whose daemon was stopped after that."""
    world = World(text, "11:59:30")
    world.set_clock_at(at, to, stop=stop)
    world.run()
    return world


def test_what_ran_in_a_time_that_was_not_real_is_told_as_such() -> None:
    text = line("job", "0 12 * * *")
    world = set_back(text, "12:30:20", "08:00:20", stop="08:01")
    unreal = (
        "Run 1 of Mon 2027-03-01 12:00 UTC started at 12:00:00 in a time that was not real:"
        " then the clock was set back to Mon 2027-03-01 08:00:20 UTC."
    )
    assert why(world, "job", "12:00", now="08:01").startswith(
        "It is due then, which is still to come: in 3 h 59 min."
    )
    assert why(world, "job", "12:00", now="08:01").endswith(unreal)
    world.runs_until("12:01")
    assert why(world, "job", "12:00", now="12:01").startswith(
        "It ran: run 2 of Mon 2027-03-01 12:00 UTC started at 12:00:00 and succeeded."
    )
    assert why(world, "job", "12:00", now="12:01").endswith(unreal)


def test_what_ran_before_the_clock_went_wrong_is_real() -> None:
    world = World(line("job", "0,10 12 * * *"), "11:59:30")
    world.at("12:05:20", lambda: world.clock.set(when("18:05:20")))
    world.at("18:05:21", lambda: world.set_clock_at("18:06:20", "12:06:20", stop="12:11"))
    world.run()
    told = why(world, "job", "12:00", now="12:11")
    assert told == "It ran: run 1 of Mon 2027-03-01 12:00 UTC started at 12:00:00 and succeeded."
    assert "not real" not in why(world, "job", "12:10", now="12:11")  # it had not run in that time


def test_a_minute_that_is_waited_out_is_not_announced() -> None:
    world = set_back(line("job", "*/10 * * * *"), "12:35:20", "12:05:20", stop="12:06")
    world.edit(line("job", "*/10 * * * *") + line("new", "*/10 * * * *"))
    assert why(world, "new", "12:30", now="12:06").startswith(
        "That minute was handled before the clock was set back, and nothing runs in it again"
    )
    assert why(world, "job", "12:30", now="12:06").startswith("It ran")
    assert why(world, "new", "12:40", now="12:06").startswith("It is due then, which is still")


MISSES = [
    # expression, minute (UTC), what keeps Berlin's clock from it, why
    ("*/20 * * * *", "2027-03-29T10:15", ["the minute 15 is not in */20"], "a step"),
    ("0 9 * * *", "2027-03-29T09:00", ["the hour 11 is not in 9"], "its own zone's hour"),
    ("0 11 * 4 *", "2027-03-29T09:00", ["the month 3 is not in 4"], "the month"),
    ("0 11 1 * *", "2027-03-29T09:00", ["the day 29 is not in 1"], "the day"),
    ("0 11 * * 0", "2027-03-29T09:00", ["the day of the week, Monday, is not in 0"], "the weekday"),
    ("0 11 1 * 0", "2027-03-29T09:00", ["the day 29 is not in 1, and the day of the week, Monday, is not in 0"], "either would do"),
    ("0 11 */2 * 0", "2027-03-29T09:00", ["the day 29 is not in */2, or the day of the week, Monday, is not in 0"], "both must"),
    ("30 2 * * *", "2027-10-31T01:30", ["this is the second 02:30 of that night, and it ran the first time only"], "autumn"),
    ("30 2 * * *", "2027-10-31T00:30", [], "the first time"),
    ("15 2 * * *", "2027-10-31T01:30", ["the minute 30 is not in 15"], "in the repeated hour, too, what is not asked for is the reason"),
    ("30 3 * * *", "2027-10-31T01:30", ["the hour 2 is not in 3"], "nor did it run the first time"),
    ("30 2 * * 1", "2027-10-31T01:30", ["the day of the week, Sunday, is not in 1"], "nor on that day"),
    ("15 */2 * * *", "2027-10-31T01:30", ["the minute 30 is not in 15"], "a star, neither time"),
    ("30 2 * * *", "2027-03-28T01:00", [], "what the gap skipped, at the first minute after it"),
    ("30 3 * * *", "2027-03-28T01:00", ["the minute 0 is not in 30"], "and what it did not"),
    ("*/30 2 * * *", "2027-10-31T01:30", [], "a star runs both times"),
    ("30 2 * * *", "2027-03-28T00:30", ["the hour 1 is not in 2"], "spring"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "minute", "expected", "reason"), MISSES)
def test_what_keeps_an_expression_from_a_minute(
    text: str, minute: str, expected: list[str], reason: str
) -> None:
    expression = parse(text)
    assert isinstance(expression, Expression)
    at = datetime.fromisoformat(minute).replace(tzinfo=UTC)
    assert misses(expression, BERLIN, at) == expected, reason
