"""What would run and what would not: the daemon on a clock that is wound."""

from __future__ import annotations

from collections import defaultdict
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
import reference
from clock_changes import CASES, Case
from fakes import FakeClock, utc
from hypothesis import given, settings
from hypothesis import strategies as st
from world import FILE, World, line

from scheduler.crontab import parser
from scheduler.daemon.incidents import Incident, Mishap, OutOfOrder, in_order
from scheduler.daemon.job_duration import usual_duration
from scheduler.daemon.simulation import Simulation
from scheduler.daemon.simulation_events import EventKind, SimulatedEvent
from scheduler.daemon.virtual_machine import VirtualClock
from scheduler.errors import BadValue, JournalError
from scheduler.journal.journal import Journal
from scheduler.run import Attempt, Ending, Exited, Outcome, Reason, State
from scheduler.schedule.expression import parse
from scheduler.schedule.upcoming import NOT_BEGUN, coming
from scheduler.system.crontab_loader import Loaded

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping, Sequence

UTC_ZONE = ZoneInfo("UTC")
DAY = utc(2027, 3, 1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
MOST = 200  # runs of one example


def at(time: str) -> datetime:
    """The instant of a time of 1 March 2027 in UTC, `12:00` or `12:00:30`."""
    hour, minute, *second = map(int, time.split(":"))
    return DAY.replace(hour=hour, minute=minute, second=sum(second))


def loaded(text: str) -> Loaded:
    table = parser.parse(text.encode(), file=FILE, zone=UTC_ZONE)
    return Loaded((table,), table.entries, table.problems)


def simulated(
    text: str,
    start: datetime,
    end: datetime,
    *incidents: Incident,
    lasts: Mapping[str, float] | None = None,
) -> list[SimulatedEvent]:
    return list(Simulation(loaded(text), start, end, incidents=incidents, lasts=lasts).events())


def incident(text: str) -> Incident:
    """`downtime 01:10..03:20` or `set-clock 01:10=03:20`."""
    kind, times = text.split()
    one, other = times.replace("..", "=").split("=")
    return Incident(Mishap(kind), at(one), at(other))


def summary(events: Sequence[SimulatedEvent], *kinds: EventKind) -> list[str]:
    """A line an event: when, what, the run's instant, the attempt; jumps and skips with reasons."""
    return [_told(event) for event in events if not kinds or event.kind in kinds]


def _told(event: SimulatedEvent) -> str:
    words = [f"{event.time:%H:%M:%S}".removesuffix(":00"), event.kind.value]
    words += [f"{event.at:%H:%M}"] if event.at else []
    words += [f"to {event.until:%H:%M}"] if event.until else []
    words += [f"#{event.attempt}"] if event.attempt else []
    return " ".join(words) + (f": {event.reason}" if event.reason else "")


# --- the life of a run ---------------------------------------------------------------------------


def test_a_run_starts_on_its_minute_and_succeeds() -> None:
    events = simulated(line("job", "0 12 * * *"), at("11:00"), at("13:00"))
    assert events == [
        SimulatedEvent(at("12:00"), EventKind.START, "job", at("12:00"), 1, None),
        SimulatedEvent(at("12:00:01"), EventKind.SUCCESS, "job", at("12:00"), 1, None),
    ]


@pytest.mark.parametrize(
    ("start", "end", "expected", "why"),
    [
        ("12:00", "12:05", ["12:00 start 12:00 #1"], "the first minute is in"),
        ("11:00", "12:00", [], "the last one is not"),
        ("11:00", "12:01", ["12:00 start 12:00 #1"], "but the one before it is"),
        ("12:01", "12:05", [], "what was before it began is not missed"),
    ],
)
def test_a_simulation_has_a_start_and_an_end(
    start: str, end: str, expected: list[str], why: str
) -> None:
    events = simulated(line("job", "0 12 * * *"), at(start), at(end))
    assert summary(events, EventKind.START, EventKind.SKIP, EventKind.JUMP) == expected, why


def test_what_still_runs_at_the_end_is_counted_and_not_told() -> None:
    world = Simulation(
        loaded(line("job", "0 12 * * *")), at("11:00"), at("12:30"), lasts={"job": 3600}
    )
    assert summary(list(world.events())) == ["12:00 start 12:00 #1"]
    assert world.running() == 1
    assert world.passed() == world.length() == 5400


def test_a_job_that_takes_longer_than_its_timeout_is_retried() -> None:
    text = line("job", "0 12 * * *", timeout="10s", retries=1, retry_delay="1m")
    events = simulated(text, at("11:00"), at("13:00"), lasts={"job": 15})
    assert summary(events) == [
        "12:00 start 12:00 #1",
        "12:00:10 retry 12:00 #1: timed out after 10 s; attempt 2 in 1 min",
        "12:01:10 start 12:00 #2",
        "12:01:20 failure 12:00 #2: timed out after 10 s; gave up after attempt 2: no attempts left",
    ]


@pytest.mark.parametrize(
    ("overlap", "expected", "why"),
    [
        ("skip", ["12:00 start 12:00 #1", "12:01 skip 12:01: overlap", "12:01:30 success 12:00 #1", "12:02 start 12:02 #1"], "one at a time"),
        ("allow", ["12:00 start 12:00 #1", "12:01 start 12:01 #1", "12:01:30 success 12:00 #1", "12:02 start 12:02 #1", "12:02:30 success 12:01 #1"], "beside each other"),
        ("queue", ["12:00 start 12:00 #1", "12:01:30 success 12:00 #1", "12:01:30 start 12:01 #1"], "one after the other"),
        ("replace", ["12:00 start 12:00 #1", "12:01 failure 12:00 #1: signal 15 after 1 min; gave up after attempt 1: replaced", "12:01 start 12:01 #1", "12:02 failure 12:01 #1: signal 15 after 1 min; gave up after attempt 1: replaced", "12:02 start 12:02 #1"], "the new one instead"),
    ],
)  # fmt: skip
def test_runs_that_overlap(overlap: str, expected: list[str], why: str) -> None:
    text = line("job", "0-2 12 * * *", overlap=overlap)
    events = simulated(text, at("11:00"), at("12:02:45"), lasts={"job": 90})
    assert summary(events) == expected, why


def test_a_run_that_waited_longer_than_a_minute_says_for_what() -> None:
    text = line("job", "0-1 12 * * *", overlap="queue")
    events = simulated(text, at("11:00"), at("12:10"), lasts={"job": 150})
    assert summary(events, EventKind.START) == [
        "12:00 start 12:00 #1",
        "12:02:30 start 12:01 #1: 1 min 30 s late: an earlier run of the job was under way",
    ]


def test_a_run_that_waited_for_a_place_says_so() -> None:
    text = line("a", "0 12 * * *", pool="db") + line("b", "0 12 * * *", pool="db")
    events = simulated(text, at("11:00"), at("12:10"), lasts={"a": 20})
    assert summary(events, EventKind.START) == [
        "12:00 start 12:00 #1",
        "12:00:20 start 12:00 #1: 20 s after its minute: the pool db was full",
    ]


def test_a_simulated_daemon_may_have_a_limit_of_its_own() -> None:
    text = line("a", "0 12 * * *") + line("b", "0 12 * * *")
    world = Simulation(loaded(text), at("11:00"), at("12:10"), most=1)
    starts = summary(list(world.events()), EventKind.START)
    assert starts[1].endswith("after its minute: as many run as may")


@pytest.mark.parametrize(
    ("incidents_of", "reason"),
    [
        ("suspend 12:02..12:55", "asleep from 12:02 until 12:55"),
        ("downtime 12:02..12:55", "daemon down from 12:01 until 12:55"),
        ("set-clock 12:02=12:55", "clock set forward from 12:02 until 12:55"),
    ],
)
def test_a_spread_start_that_went_by_unseen_says_what_took_it(
    incidents_of: str, reason: str
) -> None:
    text = line("job", "0 12 * * *", spread="50m")
    events = simulated(text, at("12:00"), at("13:00"), incident(incidents_of))
    (start,) = [event for event in events if event.kind is EventKind.START]
    assert start.reason is not None
    assert start.reason.endswith(f" late: {reason}")


def test_a_spread_start_says_so() -> None:
    (start,) = (
        event
        for event in simulated(line("job", "0 12 * * *", spread="50m"), at("11:00"), at("13:00"))
        if event.kind is EventKind.START
    )
    late = start.time - at("12:00")
    assert timedelta(0) < late < 50 * MINUTE
    assert start.reason is not None
    assert start.reason.endswith("after its minute, by CRON_SPREAD")


def test_reboot_entries_run_when_the_daemon_starts_and_not_when_it_is_back() -> None:
    events = simulated(
        line("job", "@reboot"), at("11:00"), at("13:00"), incident("downtime 11:30..12:00")
    )
    assert summary(events, EventKind.START, EventKind.SUCCESS) == [
        "11:00 start 11:00 #1",
        "11:00:01 success 11:00 #1",
    ]


def test_a_year_in_which_little_is_due_has_few_wake_ups(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[datetime] = []
    wait = VirtualClock.wait

    async def counted(clock: VirtualClock, until: datetime, wake: asyncio.Event) -> None:
        waits.append(until)
        await wait(clock, until, wake)

    monkeypatch.setattr(VirtualClock, "wait", counted)
    events = simulated(line("job", "0 0 1 * *"), DAY, DAY + timedelta(days=365))
    assert len(summary(events, EventKind.START)) == 12
    assert len(waits) < 2 * 365


def test_a_bug_of_the_daemon_ends_the_simulation(monkeypatch: pytest.MonkeyPatch) -> None:
    def stumble(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("scheduler.runs.lifecycle.Runs.fire", stumble)
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        simulated(line("job", "0 12 * * *"), at("11:00"), at("13:00"))


def test_a_journal_that_refuses_ends_the_simulation(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise JournalError("there is no room")

    monkeypatch.setattr("scheduler.runs.lifecycle.Runs.fire", refuse)
    with pytest.raises(JournalError, match="there is no room"):
        simulated(line("job", "0 12 * * *"), at("11:00"), at("13:00"))


# --- what happens to the machine --------------------------------------------------------------------

DAILY = line("job", "0 2 * * *")
HOURLY = line("job", "30 * * * *")
UNSEEN = [
    ("downtime 01:10..03:20", "no daemon ran for 2 h 11 min", "daemon down from 01:09 until 03:20"),
    ("suspend 01:10..03:20", "the machine slept for 2 h 10 min", "asleep from 01:10 until 03:20"),
    ("set-clock 01:10=03:20", "the clock was set forward by 2 h 10 min", "clock set forward from 01:10 until 03:20"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "size", "why"), UNSEEN)
def test_a_daily_run_that_was_missed_is_made_up_for(text: str, size: str, why: str) -> None:
    events = simulated(DAILY, at("01:00"), at("05:00"), incident(text))
    assert summary(events) == [
        f"03:20 jump: {size}: 1 missed run made up for",
        f"03:20 start 02:00 #1: made up for: {why}",
        "03:20:01 success 02:00 #1",
    ]


@pytest.mark.parametrize(("text", "size"), [(text, size) for text, size, _ in UNSEEN])
def test_hourly_runs_that_were_missed_are_accounted_for(text: str, size: str) -> None:
    events = simulated(HOURLY, at("01:00"), at("05:00"), incident(text))
    assert sorted(summary(events, EventKind.START, EventKind.SKIP, EventKind.JUMP)) == [
        f"03:20 jump: {size}: instants of 1 entry left out",
        "03:20 skip 01:30 to 02:30: missed",
        "03:30 start 03:30 #1",
        "04:30 start 04:30 #1",
    ]


@pytest.mark.parametrize("text", [text for text, *_ in UNSEEN])
def test_an_idle_daemon_sees_a_jump_as_a_busy_one_does(text: str) -> None:
    """It steps over minutes in which nothing is due, but a jump is measured from the last one."""
    idle, busy = (
        simulated(text_of, at("00:00"), at("05:00"), incident(text))
        for text_of in (line("job", "0 12 * * *"), line("job", "* * * * *"))
    )
    sizes = [summary(events, EventKind.JUMP)[0].split(":")[:3] for events in (idle, busy)]
    assert sizes[0] == sizes[1]


@pytest.mark.parametrize(
    ("text", "expected", "why"),
    [
        ("set-clock 02:40=02:10", ["00:30", "01:30", "02:30", "03:30", "04:30"], "what was done is waited out"),
        ("set-clock 02:20=01:20", ["00:30", "01:30", "02:30", "03:30", "04:30"], "even by an hour"),
        ("set-clock 04:40=00:40", ["00:30", *2 * ["01:30", "02:30", "03:30", "04:30"]], "beyond three hours it was wrong, and time comes again"),
    ],
)  # fmt: skip
def test_a_clock_set_back_doubles_no_run_of_a_time_that_was_real(
    text: str, expected: list[str], why: str
) -> None:
    events = simulated(HOURLY, at("00:00"), at("05:00"), incident(text))
    starts = [f"{event.at:%H:%M}" for event in events if event.kind is EventKind.START and event.at]
    assert starts == expected, why
    assert len(summary(events, EventKind.JUMP)) == 1


IN_ORDER = [
    ("01:00=02:00 02:10=01:10", "01:00=02:00 02:10=01:10", "forward and back again"),
    ("02:10=01:10 01:00=02:00", "01:00=02:00 02:10=01:10", "in whatever order they are given"),
    ("01:00=02:00 02:10=01:10 01:30=01:40", "01:00=02:00 02:10=01:10 01:30=01:40", "and then what lay between"),
    ("03:00=02:00 02:30=02:40", "02:30=02:40 03:00=02:00", "each happens the first time that it can"),
    ("01:00=02:00 01:30=01:40", None, "which the clock never shows"),
    ("01:00=02:00 02:00=01:30", None, "what is set to a time shows it no second time"),
]  # fmt: skip


@pytest.mark.parametrize(("texts", "order", "why"), IN_ORDER)
def test_a_clock_may_be_set_forward_and_back_again(texts: str, order: str | None, why: str) -> None:
    found = [incident(f"set-clock {text}") for text in texts.split()]
    if order is None:
        with pytest.raises(OutOfOrder):
            in_order(found)
    else:
        assert in_order(found) == [incident(f"set-clock {text}") for text in order.split()], why


def test_what_ran_while_the_clock_was_forward_runs_again_in_its_time() -> None:
    both = [incident("set-clock 01:10=02:40"), incident("set-clock 02:45=01:15")]
    events = simulated(DAILY, at("01:00"), at("03:00"), *both)
    starts = [f"{event.time:%H:%M:%S}" for event in events if event.kind is EventKind.START]
    assert starts == ["02:40:00", "02:00:00"]
    assert [each.split(":")[3] for each in summary(events, EventKind.JUMP)] == [
        " 1 missed run made up for",
        " begun anew there",
    ]


def test_after_a_clock_was_set_back_far_instants_run_in_their_time() -> None:
    events = simulated(
        line("job", "*/5 * * * *"), at("02:00"), at("06:30"), incident("set-clock 06:12=02:05")
    )
    starts = [f"{event.time:%H:%M}" for event in events if event.kind is EventKind.START]
    own = starts[starts.index("06:10") + 1 :]
    assert own[:3] == ["02:05", "02:10", "02:15"]
    assert len(own) == len(set(own))


def test_a_job_that_runs_when_the_daemon_is_killed_is_lost_and_retried() -> None:
    events = simulated(
        line("job", "0 2 * * *", retry_delay="1m"),
        at("01:00"),
        at("05:00"),
        incident("downtime 02:00:30..02:10"),
        lasts={"job": 60},
    )
    assert summary(
        events, EventKind.START, EventKind.FAILURE, EventKind.RETRY, EventKind.SUCCESS
    ) == [
        "02:00 start 02:00 #1",
        "02:10 retry 02:00 #1: lost; attempt 2 in 1 min",
        "02:11 start 02:00 #2",
        "02:12 success 02:00 #2",
    ]


def test_a_job_does_not_go_on_while_the_machine_sleeps() -> None:
    events = simulated(
        DAILY, at("01:00"), at("05:00"), incident("suspend 02:00:30..03:00"), lasts={"job": 60}
    )
    assert "03:00:30 success 02:00 #1" in summary(events)


def test_incidents_come_one_after_another() -> None:
    incidents_of = ("suspend 00:40..01:00", "downtime 01:10..01:50", "set-clock 02:10=02:50")
    events = simulated(HOURLY, at("00:00"), at("04:00"), *map(incident, incidents_of))
    assert sorted(summary(events, EventKind.START, EventKind.SKIP)) == [
        "00:30 start 00:30 #1",
        "01:50 skip 01:30: missed",
        "02:50 skip 02:30: missed",
        "03:30 start 03:30 #1",
    ]
    assert [f"{event.time:%H:%M}" for event in events if event.kind is EventKind.JUMP] == [
        "01:00",
        "01:50",
        "02:50",
    ]


# --- local clock changes -------------------------------------------------------------------------

NIGHTS: dict[tuple[ZoneInfo, str], list[Case]] = defaultdict(list)
for each in CASES:
    NIGHTS[each.zone, each.direction].append(each)


@pytest.mark.slow
@pytest.mark.parametrize(
    "night", NIGHTS.values(), ids=[f"{zone} {direction}" for zone, direction in NIGHTS]
)
def test_a_night_in_which_the_clock_changes(night: list[Case]) -> None:
    """Every row of the table as a job of one crontab, in spring and in autumn."""
    text = "".join(line(f"job{n}", case.text, tz=case.zone) for n, case in enumerate(night))
    starts: dict[str | None, list[datetime]] = defaultdict(list)
    for event in simulated(text, night[0].start, night[0].end):
        if event.kind is EventKind.START:
            assert event.at == event.time
            starts[event.job].append(event.time)
    for n, case in enumerate(night):
        assert [case.show(start) for start in starts[f"job{n}"]] == case.expected.split(), case


@pytest.mark.parametrize(
    ("day", "reason", "why"),
    [
        ("2027-03-28", ["the clock goes forward: stands for 02:00 and 1 more"], "spring"),
        ("2027-10-31", [None, None, "the clock goes back: the second 02:00", "the clock goes back: the second 02:30"], "autumn"),
    ],
)  # fmt: skip
def test_a_start_says_what_a_clock_change_has_to_do_with_it(
    day: str, reason: list[str | None], why: str
) -> None:
    start = datetime.fromisoformat(day).replace(tzinfo=UTC) - 2 * HOUR
    events = simulated(line("job", "*/30 2 * * *", tz="Europe/Berlin"), start, start + 20 * HOUR)
    assert [event.reason for event in events if event.kind is EventKind.START] == reason, why


# --- three that can't disagree -------------------------------------------------------------------


def comes(text: str) -> bool:
    try:
        parse(text)
    except BadValue:
        return False
    return True


texts = st.one_of(
    reference.expressions(every_day=True),
    reference.expressions().filter(comes),
    st.integers(1, 300).map(lambda minutes: f"@every {minutes}m"),
)
drawn_lines = st.tuples(texts, st.sampled_from(sorted(reference.CHANGES)))


@settings(max_examples=25)
@given(st.lists(drawn_lines, min_size=1, max_size=8), reference.changes(), st.integers(-3, 0))
def test_next_simulate_and_the_daemon_agree(
    drawn: list[tuple[str, str]], change: tuple[ZoneInfo, datetime], hours: int
) -> None:
    text = "".join(
        line(f"job{n}", schedule, tz=zone, overlap="allow")
        for n, (schedule, zone) in enumerate(drawn)
    )
    start = change[1] + hours * HOUR
    end = start + 4 * HOUR
    announced = takewhile(lambda run: run.at < end, coming(loaded(text).entries, start, {}))
    expected = sorted((run.at, run.entry.job, run.note) for run in announced)
    simulated_ones = [
        (event.time, str(event.job), event.reason or "")
        for event in simulated(text, start, end)
        if event.kind is EventKind.START and event.at == event.time
    ]
    is_noted = {job for _, job, note in expected if note != NOT_BEGUN}
    assert sorted(simulated_ones) == [
        (at, job, note if job in is_noted else "") for at, job, note in expected
    ]
    assert started(text, start, end) == [(at, job) for at, job, _ in expected]


@settings(max_examples=30)
@given(st.lists(drawn_lines, min_size=1, max_size=4), reference.changes(), st.integers(-200, 0))
def test_next_and_simulate_agree_on_weeks(
    drawn: list[tuple[str, str]], change: tuple[ZoneInfo, datetime], hours: int
) -> None:
    text = "".join(line(f"job{n}", each, tz=zone) for n, (each, zone) in enumerate(drawn))
    start = change[1] + hours * HOUR
    end = start + timedelta(days=14)
    announced = takewhile(lambda run: run.at < end, coming(loaded(text).entries, start, {}))
    expected = sorted((run.at, run.entry.job) for run in islice(announced, MOST))
    if len(expected) == MOST:  # up to the last one is enough, then
        end = expected[-1][0]
        expected = [each for each in expected if each[0] < end]
    events = simulated(text, start, end)
    assert sorted((e.time, e.job) for e in events if e.kind is EventKind.START) == expected


def started(text: str, start: datetime, end: datetime) -> list[tuple[datetime, str]]:
    """When the daemon starts which jobs, in the world of its own tests."""
    world = World(text)
    world.clock = world.spawner.clock = FakeClock(start)
    world.new_daemon()
    world.clock.at(end, world.daemon.stop)
    world.run()
    for each in world.spawner.launched:
        assert each.at == each.attempt.run.instant
    return sorted((each.at, each.entry.job) for each in world.spawner.launched)


# --- how long jobs take --------------------------------------------------------------------------


def took(journal: Journal, number: int, seconds: float, *outcomes: Outcome) -> None:
    """Journal a run whose attempts each took so long; without any, an instant left out."""
    if not outcomes:
        journal.skip("job", at("00:00") + number * MINUTE, "UTC", Reason.OVERLAP)
        return
    run = journal.claim("job", at("00:00") + number * MINUTE, "UTC")
    assert run is not None
    for n, outcome in enumerate(outcomes, 1):
        assert journal.claim_attempt(run, n, "output")
        journal.started(Attempt(run, n), run.instant, 1, 1)
        journal.ended(Attempt(run, n), Ending(outcome, run.instant, took=seconds))
    succeeded = outcomes[-1] == Exited(0)
    reason = None if succeeded else Reason.EXHAUSTED
    journal.finish(run, State.SUCCEEDED if succeeded else State.FAILED, reason)


WELL, BADLY = Exited(0), Exited(1)


@pytest.mark.parametrize(
    ("runs", "expected", "why"),
    [
        ([], None, "nothing is known"),
        ([(9.0, (WELL,))], 9.0, "one run tells"),
        ([(9.0, (WELL,)), (1.0, (WELL,)), (2.0, (WELL,))], 2.0, "the median does not mind one slow run"),
        ([(9.0, (BADLY,))], None, "a failure tells nothing about success"),
        ([(9.0, (BADLY,)), (3.0, (WELL,))], 3.0, "and is left out"),
        ([(3.0, (BADLY, WELL))], 3.0, "the attempt that succeeded counts"),
        ([(99.0, (WELL,))] * 30 + [(3.0, (WELL,))] * 20 + [(0.0, ())], 3.0, "what was long ago is over"),
        ([(3.0, (WELL,))] + [(9.0, (BADLY,))] * 25, 3.0, "failures do not hide it"),
        ([(3.0, (WELL,))] + [(0.0, ())] * 300, 3.0, "nor do skipped instants"),
        ([(3.0, (WELL,)), (0.0, ())] * 13 + [(9.0, (WELL,))] * 7, 3.0, "they do not count among the 20"),
        ([(3.0, (WELL,))] + [(0.0, ())] * 2000, None, "unless they are too many"),
    ],
)  # fmt: skip
def test_how_long_a_job_usually_takes(
    runs: list[tuple[float, tuple[Outcome, ...]]], expected: float | None, why: str
) -> None:
    with closing(Journal.in_memory()) as journal:
        for number, (seconds, outcomes) in enumerate(runs):
            took(journal, number, seconds, *outcomes)
        assert usual_duration(journal, "job") == expected, why
        assert usual_duration(journal, "other") is None


def test_intervals_count_from_where_they_are_told_to() -> None:
    whole = Simulation(
        loaded(line("job", "@every 90m")), at("02:00"), at("05:00"), anchors={"job": at("01:00")}
    )  # fmt: skip
    assert summary(list(whole.events()), EventKind.START) == [
        "02:30 start 02:30 #1",
        "04:00 start 04:00 #1",
    ]
