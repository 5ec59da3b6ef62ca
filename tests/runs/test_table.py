"""The table of live runs: who is due, who waits in which line, who uses a slot."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from fakes import utc
from hypothesis import given
from hypothesis import strategies as st

from scheduler.entry import Entry, Pool, Reboot, Settings, pool_of
from scheduler.run import Run
from scheduler.runs.live_run import LiveRun, Phase
from scheduler.runs.table import RunTable

NOON = utc(2027, 1, 1, 12)
POOLS = {"a": None, "b": Pool("disk", 1), "c": Pool("disk", 1)}


def entry(job: str) -> Entry:
    settings = Settings(pool=POOLS[job])
    return Entry(job, Reboot(), "@reboot", ZoneInfo("UTC"), "true", settings=settings)


def live(
    number: int,
    phase: Phase = Phase.WAIT_TIME,
    job: str = "a",
    *,
    due: int = 0,
    instant: int = 0,
    ticket: int = 0,
    attempt: int = 1,
    made_up: bool = False,
    late: bool = False,
) -> LiveRun:
    """A run of an instant so many minutes after noon, and due so many seconds after it."""
    run = Run(number, job, NOON + timedelta(minutes=instant))
    at = NOON + timedelta(seconds=due)
    return LiveRun(run, entry(job), phase, at, attempt, made_up=made_up, late=late, ticket=ticket)


def filled(*runs: LiveRun) -> RunTable:
    table = RunTable()
    for each in runs:
        table.put(each)
    return table


def numbers(runs: list[LiveRun]) -> list[int]:
    return [each.run.number for each in runs]


# --- who waits for a time ------------------------------------------------------------------------


def test_a_run_is_due_at_its_time_and_not_before() -> None:
    table = filled(live(1, due=30))
    assert table.due(NOON + timedelta(seconds=29)) == []
    assert numbers(table.due(NOON + timedelta(seconds=30))) == [1]


def test_the_next_is_the_soonest_of_all() -> None:
    assert filled().next_due() is None
    table = filled(live(1, due=90), live(2, job="b", due=30), live(3, due=60))
    assert table.next_due() == NOON + timedelta(seconds=30)
    assert numbers(table.all_timed()) == [2, 3, 1]


def test_of_each_job_the_oldest_first_attempt_begins_first() -> None:
    newer, older = (
        live(3, due=120, instant=2),
        live(2, due=150, instant=1),
    )  # the clock was set back
    other = live(4, job="b", due=130, attempt=2)
    table = filled(newer, older, other)
    assert numbers(table.firsts_due(NOON + timedelta(seconds=140))) == [3, 4]
    assert numbers(table.firsts_due(NOON + timedelta(seconds=150))) == [2, 4]
    table.put(live(5, due=10, attempt=2))
    assert numbers(table.firsts_due(NOON + timedelta(seconds=150)))[0] == 5, (
        "a retry keeps its turn"
    )


# --- who waits in line ---------------------------------------------------------------------------


def test_lines_are_by_pool_and_in_the_order_of_tickets() -> None:
    some = [
        live(n, Phase.WAIT_SLOT, job, ticket=t)
        for n, job, t in [(1, "b", 7), (2, "c", 3), (3, "a", 5)]
    ]
    table = filled(*some)
    assert sorted(map(numbers, table.lines())) == [[2, 1], [3]]
    assert numbers(table.waiting()) == [2, 3, 1], "one line for who looks at all"
    table.put(live(1, Phase.WAIT_TIME, "b"))
    assert sorted(map(numbers, table.lines())) == [[2], [3]]


def test_a_queue_is_a_jobs_own_and_in_the_order_in_which_runs_came() -> None:
    table = filled(
        live(2, Phase.WAIT_RUN, ticket=1), live(1, Phase.WAIT_RUN, ticket=2), live(3, Phase.WAIT_RUN, "b", ticket=3)
    )  # fmt: skip
    assert (numbers(table.queued("a")), table.queues()) == ([2, 1], ["a", "b"])
    table.remove(2)
    table.remove(1)
    assert (table.queued("a"), table.queues()) == ([], ["b"])


@pytest.mark.parametrize(
    ("waits", "expected", "why"),
    [
        (live(2, Phase.WAIT_RUN, instant=2), True, "it is later, and waits for its turn"),
        (live(2, Phase.WAIT_SLOT, instant=2), True, "so does one that waits for a slot"),
        (live(2, Phase.WAIT_TIME, instant=2), False, "who waits for a time may not get its turn"),
        (live(2, Phase.WAIT_RUN, instant=0), False, "it is earlier"),
        (live(2, Phase.WAIT_RUN, instant=2, made_up=True), False, "it is only made up for"),
        (
            live(2, Phase.WAIT_RUN, instant=2, made_up=True, attempt=2),
            True,
            "its retry is as good as any",
        ),
        (live(2, Phase.WAIT_RUN, "b", instant=2), False, "it is another job's"),
    ],
)
def test_a_later_run_takes_the_place_of_a_retry(waits: LiveRun, expected: bool, why: str) -> None:
    assert filled(waits).has_later(Run(1, "a", NOON + timedelta(minutes=1))) == expected, why


@pytest.mark.parametrize(
    ("run", "expected", "why"),
    [
        (live(1), False, "it is in time"),
        (live(1, made_up=True), True, "it was missed"),
        (live(1, late=True), True, "it came a few minutes after its time"),
        (live(1, made_up=True, attempt=2), False, "its first attempt has been"),
    ],
)
def test_what_comes_in_time_waits_behind_what_is_late(
    run: LiveRun, expected: bool, why: str
) -> None:
    assert run.delays_others == expected, why


# --- who has begun -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("phase", "begun", "under_way"),
    [
        (Phase.PLANNED, True, True),
        (Phase.STARTING, True, True),
        (Phase.RUNNING, True, True),
        (Phase.STOPPING, True, True),
        (Phase.WAIT_SLOT, False, True),
        (Phase.WAIT_RUN, False, False),
        (Phase.WAIT_TIME, False, False),
    ],
)
def test_a_phase_says_who_uses_a_slot(phase: Phase, begun: bool, under_way: bool) -> None:
    table = filled(live(1, phase, "b"))
    assert (table.begun(), table.begun_in("disk")) == (int(begun), int(begun))
    assert (table.is_running("b"), table.is_under_way("b")) == (begun, under_way)
    assert (table.is_running("c"), table.is_under_way("c")) == (False, False)


def test_who_is_planned_starts_when_its_minute_comes_behind_who_starts_already() -> None:
    table = filled(live(2, Phase.PLANNED), live(3, Phase.PLANNED))
    table.put(live(7, Phase.STARTING))
    assert (numbers(table.starting()), numbers(table.planned())) == ([7], [2, 3])
    assert (table.plans("a"), table.is_running("a")) == (True, True)
    table.take_planned()
    assert (numbers(table.starting()), table.planned(), table.plans("a")) == ([7, 2, 3], [], False)


def test_who_is_planned_stays_so_whatever_else_changes() -> None:
    table = filled(live(2, Phase.PLANNED))
    table.put(replace(table.planned()[0], entry=entry("b")))
    assert (numbers(table.planned()), table.starting()) == ([2], [])


def test_what_waits_can_be_forgotten_and_what_runs_stays() -> None:
    table = filled(
        live(1), live(2, Phase.WAIT_RUN), live(3, Phase.WAIT_SLOT), live(4, Phase.RUNNING)
    )
    table.forget_waiting()
    assert (table.waiting(), numbers(list(table.all()))) == ([], [4])


# --- whatever happens ----------------------------------------------------------------------------

STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.integers(1, 6),
            st.sampled_from(Phase),
            st.sampled_from("abc"),
            st.integers(0, 3),
        ),
        st.integers(1, 6),
    ),
    max_size=30,
)


def shown(table: RunTable) -> dict[str, object]:
    """Everything that a table says of what it holds."""
    phases: dict[Phase, list[int]] = {phase: [] for phase in Phase}
    for each in table.waiting():
        phases[each.phase].append(each.run.number)
    return {
        "of": [numbers(table.of(job)) for job in "abc"],
        "running": [table.is_running(job) for job in "abc"],
        "under way": [table.is_under_way(job) for job in "abc"],
        "planned": sorted(numbers(table.planned())),
        "plans": [table.plans(job) for job in "abc"],
        "starting": sorted(numbers(table.starting())),
        "queued": [numbers(table.queued(job)) for job in "abc"],
        "timed": [numbers(table.timed(job)) for job in "abc"],
        "in line": [numbers(table.in_line(job)) for job in "abc"],
        "lines": sorted(map(numbers, table.lines())),
        "waiting": (
            phases[Phase.WAIT_TIME],
            sorted(phases[Phase.WAIT_RUN]),
            phases[Phase.WAIT_SLOT],
        ),
        "begun": (table.begun(), table.begun_in("disk")),
        "next due": table.next_due(),
    }


def expected(runs: dict[int, LiveRun]) -> dict[str, object]:
    """The same, found by looking at all of them."""
    some = [runs[number] for number in sorted(runs)]

    def of(*phases: Phase, job: str = "abc") -> list[LiveRun]:
        return [each for each in some if each.phase in phases and each.job in job]

    def ordered(phase: Phase, job: str = "abc", pool: object = ...) -> list[int]:
        found = [each for each in of(phase, job=job) if pool in (..., pool_of(each.entry))]
        if phase is Phase.WAIT_TIME:
            return numbers(sorted(found, key=lambda each: (each.due, each.run.number)))
        return numbers(sorted(found, key=lambda each: each.ticket))

    begun = (Phase.PLANNED, Phase.STARTING, Phase.RUNNING, Phase.STOPPING)
    lines = [ordered(Phase.WAIT_SLOT, pool=pool) for pool in (None, "disk")]
    timed = of(Phase.WAIT_TIME)
    return {
        "of": [numbers(of(*Phase, job=job)) for job in "abc"],
        "running": [bool(of(*begun, job=job)) for job in "abc"],
        "under way": [bool(of(*begun, Phase.WAIT_SLOT, job=job)) for job in "abc"],
        "planned": numbers(of(Phase.PLANNED)),
        "plans": [bool(of(Phase.PLANNED, job=job)) for job in "abc"],
        "starting": numbers(of(Phase.STARTING)),
        "queued": [ordered(Phase.WAIT_RUN, job) for job in "abc"],
        "timed": [ordered(Phase.WAIT_TIME, job) for job in "abc"],
        "in line": [ordered(Phase.WAIT_SLOT, job) for job in "abc"],
        "lines": sorted(filter(None, lines)),
        "waiting": (
            ordered(Phase.WAIT_TIME),
            sorted(numbers(of(Phase.WAIT_RUN))),
            ordered(Phase.WAIT_SLOT),
        ),
        "begun": (len(of(*begun)), sum(pool_of(each.entry) == "disk" for each in of(*begun))),
        "next due": min((each.due for each in timed), default=None),
    }


@given(STEPS)
def test_it_says_what_a_look_at_all_of_them_says(
    steps: list[tuple[int, Phase, str, int] | int],
) -> None:
    table = RunTable()
    runs: dict[int, LiveRun] = {}
    for step in steps:
        if isinstance(step, int):
            assert table.remove(step) == runs.pop(step, None)
            continue
        number, phase, job, place = step
        run = replace(live(number, phase, job, due=place), ticket=table.ticket())
        assert table.put(run) == runs.get(number)
        runs[number] = run
    assert shown(table) == expected(runs)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 100)), max_size=20))
def test_every_run_comes_out_once_and_none_too_early(rows: list[tuple[str, int]]) -> None:
    waiting = [live(n, job=job, due=due) for n, (job, due) in enumerate(rows)]
    table, out = filled(*waiting), []
    while (now := table.next_due()) is not None:
        for each in table.due(now):
            assert each.due == now
            table.remove(each.run.number)
            out.append(each)
    assert sorted(out, key=lambda each: each.run.number) == waiting
