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
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from careful_spawner import CarefulSpawner
from fakes import Act, FakeClock
from frail_journal import FrailJournal
from memory_library import MemoryLibrary
from peers import ROOT
from recorded_courier import RecordedCourier
from table_check import TableCheck

from scheduler.codec import encode
from scheduler.daemon import wiring
from scheduler.daemon.wiring import Chosen, Parts
from scheduler.past import OpenOutput
from scheduler.protocol import InheritedEnvironment, Variable
from scheduler.system import systemd
from scheduler.system.log import open_log
from scheduler.wire import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from scheduler.daemon.loop import Daemon
    from scheduler.daemon.service_report import ServiceManager
    from scheduler.journal.journal import Journal
    from scheduler.journal.retention import Retention
    from scheduler.journal.rows import RunRow
    from scheduler.peer import Peer
    from scheduler.protocol import Request
    from scheduler.runs.listeners import Apart, Listener
    from scheduler.runs.recording import EventRecorder
    from scheduler.schedule.tick import Jump
    from scheduler.system.log import Format
    from scheduler.wire import Received

DAY = datetime(2027, 3, 1, tzinfo=UTC)
UTC_ZONE = ZoneInfo("UTC")
FILE = "crontab"
INHERITED = InheritedEnvironment((Variable("PATH", "/usr/bin:/bin"),), "0022")


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
    in_loop: Sequence[Listener] = ()
    apart: Sequence[Apart] = ()
    recorder: Callable[[Journal], EventRecorder] | None = None
    ping: str = ""  # --ping
    last_words: float = 0.0  # real seconds that those apart have at the end
    unjournalled: Path | None = None  # where ends are kept that the journal refuses
    state: Path = Path("/state")
    watches: bool = True  # its crontabs may change
    manager: ServiceManager = systemd
    lasts: timedelta = timedelta(days=2)  # longer, and the test fails

    def __post_init__(self) -> None:
        self.clock = FakeClock(when(self.now), limit=self.lasts)
        self.library = MemoryLibrary({FILE: self.text}, named=self.named)
        self.journal = FrailJournal.in_memory()
        assert isinstance(self.journal, FrailJournal)
        weakref.finalize(self, self.journal.close)
        self.spawner = CarefulSpawner(self.clock, self.acts, self)
        self.courier = RecordedCourier(self.clock)
        self.own_courier = RecordedCourier(self.clock)
        self.log = io.StringIO()
        self.daemon = self.new_daemon()

    # --- what happens ----------------------------------------------------------------------

    def new_daemon(self) -> Daemon:
        """Let there be another daemon, with nothing but the journal in its memory."""
        parts = Parts(
            clock=self.clock,
            spawner=self.spawner,
            library=self.library,
            log=open_log(self.style, self.log),
            state=self.state,
            draw=lambda: self.draw,
            boot=self.boot,
            holds_state=lambda: self.holds_state,
            watches=self.watches,
            unjournalled=self.unjournalled,
            inherited=INHERITED,
            chosen=Chosen(grace=self.grace, most=self.most, kept=self.kept, ping=self.ping),
            in_loop=self.in_loop,
            apart=self.apart,
            recorder=self.recorder,
            courier=self.courier,
            own_courier=self.own_courier,
            manager=self.manager,
            last_words=self.last_words,
        )
        self.daemon = wiring.build(parts, self.journal)
        TableCheck(self.daemon.runs, self.journal)
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
        self.library.files[file] = text

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

    def ask_at(self, time: str, request: Request, peer: Peer = ROOT) -> None:
        async def ask() -> None:
            self.replies.append(await self.ask(request, peer))

        def happening() -> None:
            self._tasks.append(asyncio.get_running_loop().create_task(ask()))

        self.at(time, happening)

    async def ask(self, request: Request, peer: Peer = ROOT) -> Received:
        """Ask the daemon that runs by then; the reply as it would come through the socket."""
        reply = await self.daemon.ask(request, peer)
        if isinstance(reply, Refused):
            return reply
        return encode(reply.reply if isinstance(reply, OpenOutput) else reply)


def _span(jump: Jump) -> str:
    return f"{shown(jump.last).removesuffix(':00')}->{shown(jump.at)} {jump.seconds:+.0f} s"


def _line(row: RunRow) -> str:
    at = shown(row.run.instant).removesuffix(":00")
    at += f"-{shown(row.until).removesuffix(':00')}" if row.until else ""
    reason = f" ({row.reason})" if row.reason else ""
    attempts = ", ".join(str(each.outcome or "open") for each in row.attempts)
    due = f" -> {shown(row.due)}" if row.due else ""
    return f"{at} {row.state}{reason}: {attempts or '-'}{due}"
