"""A daemon in a small world: crontabs by name, a clock, jobs by script and a journal in memory.

    world = World(line("backup", "0 12 * * *", retries=1), now="11:59:30")
    world.runs_until("12:00:30")
    assert world.starts("backup") == ["12:00:00"]

Times are written as the clock of 1 March 2027 shows them in UTC. A daemon that has a bug of its
own logs it and goes on, so the world looks for that.
"""

from __future__ import annotations

import asyncio
import io
import json
import weakref
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from fakes import Act, FakeClock, FakeSpawner

from scheduler.codec import encode
from scheduler.crontab import parser
from scheduler.daemon import wiring
from scheduler.daemon.wiring import Parts
from scheduler.entry import Crontab, Overlap, Problem, Reboot, Severity, pool_of
from scheduler.errors import JournalError
from scheduler.journal.connection import Connection
from scheduler.journal.journal import Journal
from scheduler.protocol import Refused
from scheduler.runs.table import RunTable
from scheduler.status import Reads
from scheduler.system.crontab_loader import Loaded
from scheduler.system.log import open_log

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from scheduler.daemon.loop import Daemon
    from scheduler.entry import Entry
    from scheduler.journal.journal import RunRow
    from scheduler.journal.retention import Retention
    from scheduler.process.launch import Launch
    from scheduler.protocol import Received, Request
    from scheduler.run import Attempt, NotStarted
    from scheduler.runs.events import Listener
    from scheduler.runs.lifecycle import Runs
    from scheduler.schedule.tick import Jump
    from scheduler.system.crontab_files import Stamp
    from scheduler.system.log import Format

DAY = datetime(2027, 3, 1, tzinfo=UTC)
UTC_ZONE = ZoneInfo("UTC")
FILE = "crontab"


class Killed(BaseException):
    """kill -9: nothing of the daemon's own runs after it."""


def when(text: str) -> datetime:
    """The instant of `12:00`, `12:00:30.5`, or `02T12:00` (another day of that March)."""
    day, _, time = text.rpartition("T")
    hour, minute, *seconds = time.split(":")
    parts = {"hours": int(hour), "minutes": int(minute), "seconds": float(*seconds or ["0"])}
    return DAY.replace(day=int(day or 1)) + timedelta(**parts)


def shown(at: datetime) -> str:
    """The time as a test writes it: with a day if it is another, with a fraction if it has one."""
    day = "" if at.date() == DAY.date() else f"{at:%dT}"
    fraction = f"{at:.%f}".rstrip("0").rstrip(".")
    return f"{day}{at:%H:%M:%S}{fraction}"


def line(job: str, schedule: str, **settings: object) -> str:
    """One line of a crontab; `retry_delay="5s"` is CRON_RETRY_DELAY."""
    assignments = {"NAME": job} | {name.upper(): str(value) for name, value in settings.items()}
    words = [f"CRON_{name}={value}" for name, value in assignments.items()]
    return f"{' '.join(words)} {schedule} {job}\n"


@dataclass(slots=True)
class Shelf:
    """Crontabs in memory: missing ones (None) that were named can't be read, as on a disk."""

    files: dict[str, str | None]
    named: bool = True
    loads: int = 0

    def stamps(self) -> Mapping[str, Stamp]:
        return {name: (text,) for name, text in self.files.items() if text is not None}

    def load(self) -> Loaded:
        self.loads += 1
        tables = parser.unique([_read(name, text) for name, text in self.files.items()])
        missing = {name for name, text in self.files.items() if text is None}
        return Loaded(
            crontabs=tables,
            entries=tuple(entry for table in tables for entry in table.entries),
            problems=tuple(problem for table in tables for problem in table.problems),
            failed=frozenset(missing if self.named else ()),
        )

    def reads(self) -> Reads:
        return Reads(is_named=self.named, is_system_format=False, zone="UTC")


def _read(name: str, text: str | None) -> Crontab:
    if text is None:
        why = Problem(name, 0, 0, Severity.ERROR, "missing", "there is no such file")
        return Crontab(name, b"", (), (why,))
    return parser.parse(text.encode(), file=name, zone=UTC_ZONE)


class Careful(FakeSpawner):
    """It starts nothing that the journal has not heard of, for good, before; and nothing twice.

    Nor does it start anything beside a run of the same job, unless that is allowed, or more than
    its pool or the daemon lets run at once.
    """

    def __init__(self, clock: FakeClock, acts: Mapping[str, Sequence[Act]], world: World) -> None:
        super().__init__(clock, acts)
        self._world = world
        self._seen: set[Attempt] = set()
        self._turned_away: set[int] = set()
        self.then: Callable[[], None] = lambda: None

    def start(self, launch: Launch) -> int | NotStarted:
        self._world.hears_of(launch.attempt)
        assert launch.attempt not in self._seen, f"started twice: {launch.attempt}"
        self._seen.add(launch.attempt)
        entry = self._entries[launch.output]
        assert entry.settings.overlap is Overlap.ALLOW or not self._alive(entry.job)
        self._has_place(entry)
        self._is_in_its_time(entry, launch.attempt)
        result = super().start(launch)
        self.then()
        return result

    def _is_in_its_time(self, entry: Entry, attempt: Attempt) -> None:
        """Assert that the clock has come to the instant, whatever was set, missed or retried."""
        row = self._world.journal.queries.run(attempt.run.number)
        assert row is not None
        if not (row.by_hand or isinstance(entry.schedule, Reboot)):
            assert self.clock.now() >= attempt.run.instant, f"too early: {attempt}"

    def _has_place(self, entry: Entry) -> None:
        groups = self._groups.items()
        alive = {pid for pid, group in groups if group.leader in ("child", "orphan")}
        running = [each.entry for each in self.launched if each.pid in alive - self._turned_away]
        most = self._world.most
        assert most is None or len(running) < most
        pool = entry.settings.pool
        if pool is not None:
            limits = [each.settings.pool for each in self._world.shelf.load().entries]
            known = [
                each.limit for each in limits if each and each.name == pool.name and each.limit
            ]
            beside = [each for each in running if pool_of(each) == pool.name]
            assert len(beside) < min(known, default=1)

    def _alive(self, job: str) -> list[Attempt]:
        """The attempts of a job that run, whatever the journal has heard of them."""
        groups = self._groups.items()
        alive = {pid for pid, group in groups if group.leader in ("child", "orphan")}
        ours = [each for each in self.launched if each.pid in alive - self._turned_away]
        return [each.attempt for each in ours if each.entry.job == job]

    def leave(self) -> None:
        """Let every grandchild end."""
        for group in self._groups.values():
            group.grandchild = False

    def renumber(self) -> None:
        """Let the numbers of all processes belong to other ones."""
        for pid, group in self._groups.items():
            group.started += 1
            self._turned_away.add(pid)


class _Overheard(Connection):
    """A connection that tells of each statement before it is executed."""

    def __init__(self, connection: Connection, before: Callable[[str], None]) -> None:
        super().__init__(connection._sqlite, connection.name, path=connection.path)
        self._before = before

    def do(self, name: str, **values: str | float | None) -> sqlite3.Cursor:
        self._before(name)
        return super().do(name, **values)


class Frail(Journal):
    """A journal that something happens to before the statement of a certain number."""

    def __init__(self, connection: Connection) -> None:
        self.statements = 0
        self.accidents: dict[int, Callable[[], None]] = {}
        self.is_full = False
        self.is_looked_at = False  # by a test, to which nothing happens
        super().__init__(_Overheard(connection, self._before))

    def _before(self, name: str) -> None:
        if not self.is_looked_at and name not in (
            "rollback",
            "run",
            "history_of_job",
            "pauses",
        ):  # these are the tests' own, and what
            self.statements += 1  # follows an accident
            self.accidents.pop(self.statements, lambda: None)()
            if self.is_full:
                raise JournalError("the disk is full")

    def live(self, now: datetime) -> RunTable:
        """Return the table of runs that this journal tells of; it is the test that asks."""
        self.is_looked_at = True
        try:
            return RunTable.from_journal(self, {}, now)
        finally:
            self.is_looked_at = False


def told(table: RunTable) -> tuple[object, ...]:
    """What a table of runs tells that a journal has to tell, too."""
    runs: dict[int, object] = {}
    for live in table.all():
        waits = (live.reason, live.due, live.made_up and not live.is_retry)
        does = waits if live.is_waiting else "has begun"
        runs[live.run.number] = (live.run, live.attempt, does)
    return runs, table.backlogs, table.paused


class Truth:
    """After every commit of these runs, held or refused, they are as the journal tells."""

    def __init__(self, runs: Runs, journal: Frail) -> None:
        self._runs, self._journal = runs, journal
        self._is_recovered = False
        self._plain_recover, self._plain_commit = runs.recover, runs._transaction.commit
        runs.recover = self._recover  # type: ignore[method-assign]  # wrapped
        runs._transaction.commit = self._commit  # type: ignore[method-assign]  # wrapped

    def _recover(self) -> None:
        self._plain_recover()
        self._is_recovered = True
        self._check()

    @contextmanager
    def _commit(self, *, synced: bool = True) -> Iterator[None]:
        try:
            with self._plain_commit(synced=synced):
                yield
        finally:
            self._check()

    def _check(self) -> None:
        if self._is_recovered and not self._runs._is_stopping:  # then nothing waits in memory
            assert told(self._runs.table) == told(self._journal.live(self._runs._clock.now()))


@dataclass
class World:
    """Everything outside the daemon, which may be started and ended in it more than once."""

    text: str = ""
    now: str = "11:59:30"
    acts: Mapping[str, Sequence[Act]] = field(default_factory=dict)
    draw: float = 0.0
    grace: float = 10.0
    boot: str | None = "this boot"
    named: bool = True
    style: Format = "json"
    holds_state: bool = True
    most: int | None = None  # runs at once
    kept: Retention | None = None
    listeners: Sequence[Listener] = ()
    unjournalled: Path | None = None  # where ends are kept that the journal refuses
    state: Path = Path("/state")

    def __post_init__(self) -> None:
        self.clock = FakeClock(when(self.now), limit=timedelta(days=2))
        self.shelf = Shelf({FILE: self.text}, named=self.named)
        self.journal = Frail.in_memory()
        assert isinstance(self.journal, Frail)
        weakref.finalize(self, self.journal.close)
        self.spawner = Careful(self.clock, self.acts, self)
        self.log = io.StringIO()
        self.daemon = self.new_daemon()

    # --- what happens ----------------------------------------------------------------------

    def new_daemon(self) -> Daemon:
        """Let there be another daemon, with nothing but the journal in its memory."""
        parts = Parts(
            clock=self.clock,
            spawner=self.spawner,
            library=self.shelf,
            log=open_log(self.style, self.log),
            state=self.state,
            draw=lambda: self.draw,
            boot=self.boot,
            holds_state=lambda: self.holds_state,
            unjournalled=self.unjournalled,
            grace=self.grace,
            most=self.most,
            kept=self.kept,
            listeners=self.listeners,
        )
        self.daemon = wiring.build(parts, self.journal)
        Truth(self.daemon.runs, self.journal)
        return self.daemon

    def at(self, time: str, happening: Callable[[], object]) -> None:
        """Let something happen while the daemon waits."""
        self.clock.at(when(time), happening)

    def set_clock_at(self, time: str, to: str, stop: str) -> None:
        """Let somebody set the clock, and ask the daemon to stop at a time after that."""

        def happening() -> None:
            self.clock.set(when(to))
            self.stop_at(stop)

        self.at(time, happening)

    def sleep_at(self, time: str, until: str) -> None:
        """Let the machine be suspended."""
        self.at(time, lambda: self.clock.suspend((when(until) - self.clock.now()).total_seconds()))

    def stop_at(self, *times: str) -> None:
        for time in times:
            self.at(time, lambda: self.daemon.stop())  # noqa: PLW0108 (whichever runs by then)

    def drain_at(self, time: str) -> None:
        self.at(time, lambda: self.daemon.drain())  # noqa: PLW0108 (whichever runs by then)

    def reload_at(self, time: str) -> None:
        self.at(time, lambda: self.daemon.reload())  # noqa: PLW0108 (whichever runs by then)

    def edit(self, text: str | None, *, file: str = FILE) -> None:
        """Save a crontab; None takes it away."""
        self.shelf.files[file] = text

    def edit_at(self, time: str, text: str | None, *, file: str = FILE) -> None:
        self.at(time, lambda: self.edit(text, file=file))

    def crash_at(self, time: str) -> None:
        """Let the daemon be killed while it waits; what runs goes on."""
        self.at(time, self.kill)

    def kill(self) -> None:
        raise Killed

    def runs_until(self, time: str) -> World:
        """Let a daemon run until it is asked to stop at this time, and ends."""
        self.stop_at(time)
        self.run()
        return self

    def crashes_at(self, time: str) -> World:
        """Let a daemon run until it is killed at this time."""
        self.crash_at(time)
        return self.crashes()

    def crashes(self) -> World:
        """Let a daemon run until something kills it."""
        try:
            asyncio.run(self.daemon.run())
        except Killed:
            pass
        else:
            raise AssertionError("it ended by itself")
        self.spawner.crash()
        self.new_daemon()
        return self

    def run(self) -> None:
        """Let a daemon run until it ends."""
        asyncio.run(self.daemon.run())
        assert "Traceback" not in self.log.getvalue(), self.log.getvalue()
        assert self.spawner.descriptors == set()
        self.new_daemon()

    # --- what is seen ------------------------------------------------------------------------

    def hears_of(self, attempt: Attempt) -> None:
        """Assert that the journal has this claim on disk, and nobody has started it."""
        assert not self.journal.connection.in_transaction
        row = self.journal.queries.run(attempt.run.number)
        assert row is not None
        claims = [each for each in row.attempts if each.number == attempt.number]
        assert [(each.started, each.ended) for each in claims] == [(None, None)]
        assert row.state == "running"

    def said(self, message: str) -> list[dict[str, Any]]:
        """The facts of each log line with this message."""
        return [line for line in self.lines() if line["message"] == message]

    def lines(self) -> list[dict[str, Any]]:
        """The facts of each log line."""
        return [json.loads(line) for line in self.log.getvalue().splitlines()]

    def starts(self, job: str) -> list[str]:
        """When a process of the job started."""
        return [shown(at) for at, _ in self.spawner.starts(job)]

    def signals(self) -> list[tuple[str, int]]:
        """When which signal was sent to a process group."""
        return [(shown(at), number) for at, _, number in self.spawner.signals]

    def jumps(self) -> list[str]:
        """What the journal tells of the clock, a line each."""
        return [
            f"{_span(jump)} {jump.kind}: {jump.verdict}" for jump in self.journal.queries.jumps()
        ]

    def history(self, job: str) -> list[str]:
        """The job's runs as the journal tells them, a line each."""
        return [_line(row) for row in self.journal.queries.history(job)]


class Asked(World):
    """A world in which somebody asks the daemon for something at a time."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.replies: list[Any] = []
        self._tasks: list[asyncio.Task[None]] = []

    def ask_at(self, time: str, request: Request) -> None:
        async def ask() -> None:
            self.replies.append(await self.ask(request))

        def happening() -> None:
            self._tasks.append(asyncio.get_running_loop().create_task(ask()))

        self.at(time, happening)

    async def ask(self, request: Request) -> Received:
        """Ask the daemon that runs by then; the reply as it would pass over the socket."""
        reply = await self.daemon.ask(request)
        return reply if isinstance(reply, Refused) else encode(reply)


def _span(jump: Jump) -> str:
    return f"{shown(jump.last).removesuffix(':00')}->{shown(jump.at)} {jump.seconds:+.0f} s"


def _line(row: RunRow) -> str:
    at = shown(row.run.instant).removesuffix(":00")
    at += f"-{shown(row.until).removesuffix(':00')}" if row.until else ""
    reason = f" ({row.reason})" if row.reason else ""
    attempts = ", ".join(str(each.outcome or "open") for each in row.attempts)
    due = f" -> {shown(row.due)}" if row.due else ""
    return f"{at} {row.state}{reason}: {attempts or '-'}{due}"
