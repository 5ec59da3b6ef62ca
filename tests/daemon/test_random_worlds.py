"""A daemon in random trouble: whatever happens, each minute that is due is accounted for once.

A world is drawn from its seed: a crontab in odd zones around a clock change, jobs that last, fail
or can't start, and a day of kills, stops, suspends, set clocks, a full journal, edits and requests by hand.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import pairwise, product
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

import day_reference
import pytest
import reference
from careful_spawner import CarefulSpawner
from day_reference import Written
from fakes import Act, FakeClock
from frail_journal import FrailJournal
from peers import ROOT
from world import Killed, World, line

from scheduler.entry import Catchup, Overlap
from scheduler.errors import JournalError
from scheduler.protocol import Kill, Pause, Reload, Resume, Retry, Trigger
from scheduler.run import Exited, NotStarted, Reason, Signalled
from scheduler.schedule.tick import era_of
from scheduler.status import Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from scheduler.process.launch import Launch
    from scheduler.protocol import Request

pytestmark = pytest.mark.slow  # hundreds of random nights

MINUTE = timedelta(minutes=1)
WORLDS = 12  # in a run of the tests; a failing one is named by its seed
DAY = 86_400.0
DAY_OF_MINUTES = 1440
SIZES = (0.4, 1.5, 20, 59, 61, 130, 299, 301, 400, 1800, 3000, 7200, 18_000)
SCHEDULES = (
    *("* * * * *", "*/5 * * * *", "*/10 * * * *", "0 * * * *", "15 * * * *", "30 * * * *"),
    *("0 */2 * * *", "*/30 2 * * *", "30 2 * * *", "15 1 * * *", "0 0 * * *", "59 23 * * *"),
    *("10,40 12 * * *", "0,30 1-3 * * *", "5 */3 * * *", "0 2 L * *", "45 1,2,3 * * 0"),
)
OUTCOMES = (Exited(0), Exited(0), Exited(1), Signalled(9), NotStarted("no memory"))
SETTINGS = {
    "catchup": ("auto", "none", "latest", "all"),
    "catchup_limit": ("1", "7", "10000"),
    "within": ("0", "30s", "10m", "3h", "12h"),
    "spread": ("0", "0", "90", "10m", "3h"),
    "overlap": ("skip", "allow", "queue", "replace"),
    "retries": ("0", "1", "3"),
    "retry_delay": ("0", "1s", "30s", "5m"),
    "timeout": ("10s", "10m", "1d"),
    "pool": ("db", "db:2", "disk"),
}


DAYS_OFF = (
    *(Written(), Written(), Written("sat,sun"), Written("sun"), Written(only="mon-thu,sun")),
    *(Written("sun", move="next"), Written("sat,sun", move="previous"), Written(only="fri")),
)


class Plan(NamedTuple):
    """A job: when it is due, where, on which days, and its line in the crontab."""

    job: str
    schedule: str
    zone: ZoneInfo
    days: Written
    line: str

    def asked(self, since: datetime, minutes: int) -> tuple[list[datetime], list[datetime]]:
        """The minutes in which it is due, and those in which a day off takes it away."""
        first, last = (since + n * MINUTE for n in (-2 * DAY_OF_MINUTES, minutes + DAY_OF_MINUTES))
        kept, away = day_reference.on_days(self.schedule, self.days, first.date(), last.date())
        shown = reference.walk(self.zone, since, minutes)
        due, off = (
            [each.at for each in shown if day_reference.is_due(self.schedule, each, some)]
            for some in (kept, away)
        )
        return due, sorted(set(off) - set(due))


class Pausing(CarefulSpawner):
    """It starts nothing by its schedule of what is paused."""

    def start(self, launch: Launch) -> int | NotStarted:
        run = launch.attempt.run
        world = self._world
        assert isinstance(world, Troubled)
        row = world.journal.queries.run(run.number)
        assert row is not None
        if launch.attempt.number == 1 and not row.by_hand and run.number not in world.by_hand:
            for pause in world.journal.daemon_state.pauses():
                is_over = pause.until is not None and run.instant >= pause.until
                assert pause.job != run.job or run.instant < pause.since or is_over, pause
        return super().start(launch)


class Troubled(World):
    """A world that is drawn from a seed, and lived through for about a day."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.plans = [self.plan(f"job{n}") for n in range(self.dice.randint(1, 6))]
        acts = {plan.job: [self.act() for _ in range(3)] for plan in self.plans}
        most = self.dice.choice((None, None, 1, 3))
        super().__init__("".join(plan.line for plan in self.plans), acts=acts, most=most)
        changes = [at for some in reference.CHANGES.values() for at in some]
        self.start = self.dice.choice(changes) - timedelta(seconds=self.dice.uniform(0, DAY / 2))
        self.clock = FakeClock(self.start, limit=timedelta(days=400))
        self.spawner = Pausing(self.clock, acts, self)
        self.first: datetime | None = None  # the first minute that was handled
        self.first_era = 0
        self.by_hand: set[int] = set()  # runs that were tried again because somebody asked
        self.tasks: list[asyncio.Task[None]] = []
        self.new_daemon()

    # --- what there is -----------------------------------------------------------------------

    def plan(self, job: str) -> Plan:
        schedule, zone = self.dice.choice(SCHEDULES), self.dice.choice(sorted(reference.CHANGES))
        chosen = {
            name: self.dice.choice(some)
            for name, some in SETTINGS.items()
            if self.dice.random() < 0.5
        }
        days = self.dice.choice(DAYS_OFF)
        of_days = {"except": days.excepted, "only": days.only, "except_move": days.move}
        chosen |= {name: text for name, text in of_days.items() if text}
        return Plan(job, schedule, ZoneInfo(zone), days, line(job, schedule, tz=zone, **chosen))

    def act(self) -> Act:
        lasts = self.dice.choice((0, 0, 0.5, 20, 70, 400, 4000))
        return Act(lasts=lasts, outcome=self.dice.choice(OUTCOMES))

    # --- what happens ------------------------------------------------------------------------

    def lives_through(self, seconds: float) -> None:
        """Let daemons come and go, in trouble, and then one run in peace."""
        while self.clock.monotonic() < seconds:
            was_killed = self.lives(self.dice.choice((5, 70, 600, 3600, 20_000)))
            if self.dice.random() < 0.5:
                self.clock.pass_to(self.clock.now() + timedelta(seconds=self.size()))
            # Killed right after a start, before its record, and set back to before that minute:
            # then nothing on disk can tell that the run has been, and it may be started again.
            if self.dice.random() < 0.2 and not was_killed:
                self.sets_the_clock()
            self.new_daemon()
        self.ends_after(7200)
        self.run()

    def lives(self, seconds: float) -> bool:
        """Let one daemon live so long, unless it can't begin; True if it is killed."""
        daemon = self.daemon
        troubles = (
            *(self.sets_the_clock, self.sleeps, self.hangs, self.fails_once, self.is_edited),
            *(self.is_asked, self.is_asked),
        )
        for _ in range(self.dice.randint(0, 6)):
            trouble = self.dice.choice(troubles)
            after = self.dice.uniform(0, seconds)
            self.clock.after(after, self.only(daemon, trouble))
        ends = self.dice.choice((daemon.stop, self.kill, self.kill))
        self.clock.after(seconds, self.only(daemon, ends))
        self.clock.after(seconds + 20, self.only(daemon, self.kill))
        was_killed = True
        with suppress(Killed, JournalError):
            asyncio.run(daemon.run())
            was_killed = False
        assert isinstance(self.journal, FrailJournal)
        self.journal.accidents.clear()
        if self.first is None and (last := self.journal.daemon_state.last_tick()) is not None:
            self.first, self.first_era = last, len(self.journal.daemon_state.eras())
        self.spawner.crash()
        self.new_daemon()
        return was_killed

    def only(self, daemon: object, happening: Callable[[], object]) -> Callable[[], object]:
        """Let something happen if this daemon is still the one there is."""
        return lambda: happening() if self.daemon is daemon else None

    def ends_after(self, seconds: float) -> None:
        for more in (0, 1, 2):
            self.clock.after(seconds + more, self.daemon.stop)

    def size(self) -> float:
        return self.dice.choice(SIZES)

    def sets_the_clock(self) -> None:
        """Forward by anything or back, and often back again at once, or nearly."""
        self.clock.set(self.clock.now() + timedelta(seconds=self.size() * self.sign()))
        if self.dice.random() < 0.5:
            undone = timedelta(seconds=self.size() * self.sign())
            after = self.dice.choice((0.5, 3, 40, 400))
            self.clock.after(after, lambda: self.clock.set(self.clock.now() + undone))

    def sign(self) -> int:
        return self.dice.choice((1, -1))

    def sleeps(self) -> None:
        self.clock.suspend(self.size())

    def hangs(self) -> None:
        self.clock.advance(self.size())

    def is_edited(self) -> None:
        """Another line comes, or goes again."""
        extra = line("extra", "* * * * *") if self.dice.random() < 0.5 else ""
        self.edit(self.text + extra)
        self.daemon.reload()

    def is_asked(self) -> None:
        """Somebody at a terminal asks the daemon for something."""
        job, run = self.dice.choice(self.plans).job, self.dice.randint(1, 60)
        until = self.clock.now() + timedelta(seconds=self.size())
        request: Request = self.dice.choice(
            (
                *(Trigger(job), Retry(run), Kill(run), Status(), Reload(), Resume((job,))),
                *(Pause((job,)), Pause((job,), until, "for a while")),
            )
        )
        daemon = self.daemon

        async def ask() -> None:
            if isinstance(request, Retry):
                self.by_hand.add(request.run)
            await daemon.ask(request, ROOT)

        self.tasks.append(asyncio.get_running_loop().create_task(ask()))

    def fails_once(self) -> None:
        """One of the next statements is refused, or the last thing this daemon did."""
        assert isinstance(self.journal, FrailJournal)
        number = self.journal.statements + self.dice.randint(1, 12)
        self.journal.accidents[number] = self.dice.choice((refuse, self.kill))

    # --- what is seen ------------------------------------------------------------------------

    def eras(self) -> list[tuple[int, datetime, datetime]]:
        """The eras of the clock, each with its first minute and the last one handled in it."""
        first, last = self.first, self.journal.daemon_state.last_tick()
        assert first is not None
        assert last is not None
        begun = [
            (each.number, each.since) for each in self.journal.daemon_state.eras()[self.first_era :]
        ]
        ends = [each.last for each in self.journal.daemon_state.eras()[self.first_era :]]
        begins = [(self.first_era, first + MINUTE), *begun]
        return [(*begin, end) for begin, end in zip(begins, [*ends, last], strict=True)]

    def accounted(self, job: str, era: int) -> Counter[datetime]:
        """How often the journal has each minute of the job, as a run or in a stretch left out."""
        found: Counter[datetime] = Counter()
        rows = self.journal.queries.history(job)
        single = {(row.run.era, row.run.instant) for row in rows if row.until is None}
        for row in rows:
            if row.run.era != era:
                continue
            if row.until is None:
                found[row.run.instant] += 1
                continue
            stretch = (row.run.instant + n * MINUTE for n in spans(row.run.instant, row.until))
            # What was to come again in an era that was wrong, and ended before it, runs after all.
            is_back = row.reason is Reason.SET_BACK
            found.update(at for at in stretch if not (is_back and (era, at) in single))
        if backlog := self.journal.daemon_state.backlog(job):
            left = (backlog.next + n * MINUTE for n in spans(backlog.next, backlog.last))
            eras = self.journal.daemon_state.eras()
            found.update(at for at in left if era_of(at, eras) == era and at not in found)
        return found


def spans(first: datetime, last: datetime) -> range:
    return range((last - first) // MINUTE + 1)


def refuse() -> None:
    raise JournalError("the disk is full")


# The seed of pytest-randomly has been set when this file is read: a run can be had again.
SEEDS = [random.randrange(1_000_000) for _ in range(WORLDS)]


@pytest.fixture(scope="module", params=SEEDS)
def world(request: pytest.FixtureRequest) -> Troubled:
    world = Troubled(request.param)
    world.lives_through(DAY)
    return world


def test_every_minute_that_is_due_is_in_the_journal_once(world: Troubled) -> None:
    """In each era of the clock."""
    for plan, (era, since, last) in product(world.plans, world.eras()):
        minutes = (last - since) // MINUTE + 1
        due, off = plan.asked(since, minutes)
        accounted = world.accounted(plan.job, era)
        assert [(at, accounted[at]) for at in (*due, *off) if accounted[at] != 1] == [], (plan, era)


def test_an_era_begins_where_the_clock_was_set_back_far_or_into_time_left_out(
    world: Troubled,
) -> None:
    for era in world.journal.daemon_state.eras():
        if era.since > era.last:  # it goes on where an earlier one had come
            continue
        by = era.last - era.noticed.replace(second=0, microsecond=0)
        assert by > 5 * MINUTE
        leaps = world.journal.daemon_state.leaps(era.number - 1, era.noticed)
        assert by > timedelta(hours=3) or leaps


def test_no_more_than_three_hours_are_ever_waited_out(world: Troubled) -> None:
    last = world.journal.daemon_state.last_tick()
    assert last is not None
    assert last - world.clock.now() <= timedelta(hours=3)


def test_nothing_else_runs(world: Troubled) -> None:
    for plan in world.plans:
        for row in world.journal.queries.history(plan.job):
            at = row.run.instant
            due, off = plan.asked(at, 1)
            asked = off if row.reason is Reason.EXCLUDED else due
            was_asked = row.by_hand or row.run.number in world.by_hand
            assert was_asked or asked == [at], (plan, row)


def test_no_attempt_is_left_open_and_none_is_started_twice(world: Troubled) -> None:
    """That nothing is started before its claim, beside another run or beyond a limit, the world
    itself asserts.
    """
    attempts = Counter((each.attempt.run.job, each.attempt) for each in world.spawner.launched)
    assert [each for each, times in attempts.items() if times > 1] == []
    for plan in world.plans:
        assert not any(row.state == "running" for row in world.journal.queries.history(plan.job)), (
            plan
        )


def test_no_run_begins_when_it_is_too_late(world: Troubled) -> None:
    entries = {entry.job: entry for entry in world.library.load().entries}
    for each in world.spawner.launched:
        entry = entries.get(each.entry.job)
        if entry is None or each.attempt.number > 1 or each.attempt.run.number in world.by_hand:
            continue
        late = (each.at - each.attempt.run.instant).total_seconds() - entry.delay
        assert late < 61 or late <= entry.settings.within + 1, each


def test_with_all_wanted_first_attempts_begin_in_the_order_of_their_instants(
    world: Troubled,
) -> None:
    """Through pools, pacing, new instants, restarts and kills; runs by hand have no place in it.

    What comes again in a new era of the clock is later than what was; what that era never came to
    is an earlier one's, and behind it.
    """
    entries = {entry.job: entry for entry in world.library.load().entries}
    for plan in world.plans:
        entry = entries[plan.job]
        if entry.settings.catchup is not Catchup.ALL or entry.settings.overlap is Overlap.REPLACE:
            continue
        rows = {row.run.number: row for row in world.journal.queries.history(plan.job)}
        firsts = [
            each.attempt.run
            for each in world.spawner.launched
            if each.attempt.run.job == plan.job
            and each.attempt.number == 1
            and each.attempt.run.number not in world.by_hand
            and not rows[each.attempt.run.number].by_hand
        ]
        for before, after in pairwise(firsts):
            is_of_an_end = after.era < before.era and before.instant <= after.instant
            assert before.order <= after.order or is_of_an_end, plan


def test_a_backlog_knows_how_many_are_left(world: Troubled) -> None:
    for plan in world.plans:
        if backlog := world.journal.daemon_state.backlog(plan.job):
            minutes = (backlog.last - backlog.next) // MINUTE + 1
            due, _ = plan.asked(backlog.next, minutes)
            assert (due[0], due[-1]) == (backlog.next, backlog.last), plan
            known = world.journal.queries.history(plan.job)
            rows = {(row.run.era, row.run.instant) for row in known if row.until is None}
            left = [
                at for at in due if (era_of(at, world.journal.daemon_state.eras()), at) not in rows
            ]
            assert len(left) == backlog.left, plan


def test_the_daemon_met_no_bug(world: Troubled) -> None:
    assert '"message": "bug"' not in world.log.getvalue()
