"""Stand-ins for the machine: a clock that nobody has to wait for, and jobs that do what a script says.

    clock = FakeClock(utc(2027, 3, 28, 0, 30))
    spawner = FakeSpawner(clock, {"backup": [Act(lasts=90, outcome=Exited(1)), Act()]})
    clock.at(utc(2027, 3, 28, 2), daemon.stop)
    asyncio.run(daemon.run())
    assert spawner.starts("backup") == [(utc(...), 1), (utc(...), 2)]

The clock is the virtual one that `simulate` runs on, so a test that waits for a year ends at once.
A script has to end what it starts: a wait that is not over by `limit`, or a thousand waits without
progress, fail the test instead of hanging it.
"""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Literal

from scheduler.daemon.virtual_machine import VirtualClock
from scheduler.process.launch import Launch
from scheduler.process.reaper import Ended
from scheduler.run import Exited, NotStarted, Signalled
from scheduler.system.clock import since_boot

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from scheduler.entry import Entry
    from scheduler.process.procfs import Process
    from scheduler.process.spawner import Spawner
    from scheduler.run import Attempt, Limit
    from scheduler.system.clock import Clock

_WELL = Exited(0)
_TERMINATED = Signalled(int(signal.SIGTERM))
TICKS = os.sysconf("SC_CLK_TCK")  # in which the system tells when a process began
_PATIENCE = 1000  # waits in a row in which neither time nor the script moves


def utc(*parts: int) -> datetime:
    """The instant of these parts: year, month, day, hour, minute, second, microsecond."""
    year, month, day, *rest = parts
    return datetime(year, month, day, *rest, tzinfo=UTC)  # type: ignore[misc,arg-type]  # at most four more


class FakeClock(VirtualClock):
    """The virtual clock, with the patience of a test."""

    def __init__(self, start: datetime, *, limit: timedelta = timedelta(days=3660)) -> None:
        super().__init__(start)
        self._limit = start + min(limit, datetime.max.replace(tzinfo=UTC) - start)
        self._idle = 0
        self._seen = (self._now, self._elapsed, self._happened)

    async def wait(self, until: datetime, wake: asyncio.Event) -> None:
        await super().wait(until, wake)
        state = (self._now, self._elapsed, self._happened)
        self._idle = self._idle + 1 if state == self._seen and not wake.is_set() else 0
        self._seen = state
        assert self._idle < _PATIENCE, f"{_PATIENCE} waits until {until}, and it is {self._now}"

    def _move(self, step: timedelta) -> None:
        super()._move(step)
        assert self._now <= self._limit, f"nothing ended this test by {self._limit}"


@dataclass(frozen=True, slots=True)
class Act:
    """What one attempt does.

    `outcome` NotStarted is told by `start`, or by `prepare` if `is_early`. `on_term` is its ending
    `term_takes` seconds after SIGTERM, None if it ignores that. `leaves` a grandchild in its group
    when it ends, which ends on SIGTERM unless `is_stubborn`, and SIGKILL.
    """

    lasts: float = 0.0
    outcome: Exited | Signalled | NotStarted = _WELL
    on_term: Exited | Signalled | None = _TERMINATED
    term_takes: float = 0.0
    leaves: bool = False
    is_stubborn: bool = False
    is_early: bool = False
    cpu_s: float = 0.0
    memory_bytes: int | None = None
    limit: Limit | None = None
    empties: bool = False


@dataclass(frozen=True, slots=True)
class Launched:
    """One call of `start`; `pid` is None where there came no process of it."""

    entry: Entry
    attempt: Attempt
    at: datetime
    pid: int | None


@dataclass(slots=True)
class _Group:
    """The processes of an attempt; a leader that ended and was not asked for yet is a zombie."""

    act: Act
    started: int
    began: float
    leader: Literal["child", "zombie", "orphan", "gone"]
    grandchild: bool


@dataclass(slots=True)
class FakeSpawner:
    """Jobs by script: of each job its attempts' acts; the last one stands for all later ones.

    A job without a script is `Act()`: it succeeds at once. What happened is in `launched` and in
    `signals` (when, pid, signal; 0 is left out); `descriptors` are those of output files still open,
    `held` the outputs that somebody has open who is hidden, `groups` those that are kept; `looks`
    are those at all processes of the machine, which a signal to who is no child of ours takes.
    """

    clock: FakeClock
    acts: Mapping[str, Sequence[Act]] = field(default_factory=dict)
    start_takes: float = 0.0
    launched: list[Launched] = field(default_factory=list)
    signals: list[tuple[datetime, int, int]] = field(default_factory=list)
    descriptors: set[int] = field(default_factory=set)
    held: set[Path] = field(default_factory=set)
    groups: set[int] = field(default_factory=set)
    looks: int = 0
    _shares_look: bool = False
    _entries: dict[int, Entry] = field(default_factory=dict)
    _groups: dict[int, _Group] = field(default_factory=dict)
    _left_running: set[int] = field(default_factory=set)
    _endings: list[Ended] = field(default_factory=list)
    _numbers: count[int] = field(default_factory=lambda: count(1000))

    # --- what a test asks ------------------------------------------------------------------

    def starts(self, job: str) -> list[tuple[datetime, int]]:
        """When which attempts of a job got a process."""
        return [
            (each.at, each.attempt.number)
            for each in self.launched
            if each.entry.job == job and each.pid is not None
        ]

    def crash(self) -> None:
        """The daemon is killed: what runs goes on as nobody's child, what ended is forgotten.

        The next daemon may use the same spawner.
        """
        self.descriptors.clear()
        self.ended()
        for group in self._groups.values():
            if group.leader == "child":
                group.leader = "orphan"

    # --- what the daemon asks --------------------------------------------------------------

    def prepare(self, entry: Entry, attempt: Attempt, output: Path) -> Launch | NotStarted:
        act = self._act(attempt)
        if isinstance(act.outcome, NotStarted) and act.is_early:
            return act.outcome
        descriptor = next(self._numbers)
        self.descriptors.add(descriptor)
        self._entries[descriptor] = entry
        return Launch(
            attempt,
            shell=(b"/bin/sh", b"-c", entry.command.encode()),
            direct=None,
            environment={b"output": bytes(output)},
            directory=b"/",
            stdin=None if entry.stdin is None else entry.stdin.encode(),
            output=descriptor,
            path=output,
        )

    def start(self, launch: Launch) -> int | NotStarted:
        self.discard(launch)
        self.clock.advance(self.start_takes)
        act = self._act(launch.attempt)
        pid = None if isinstance(act.outcome, NotStarted) else next(self._numbers)
        entry = self._entries.pop(launch.output)
        self.launched.append(Launched(entry, launch.attempt, self.clock.now(), pid))
        if isinstance(act.outcome, NotStarted):
            return act.outcome
        assert pid is not None
        began = since_boot(self.clock)
        self._groups[pid] = _Group(act, round(began * TICKS), began, "child", act.leaves)
        self._end_after(act.lasts, pid, act.outcome)
        return pid

    def discard(self, launch: Launch) -> None:
        self.descriptors.remove(launch.output)

    def ended(self) -> list[Ended]:
        found, self._endings = self._endings, []
        for each in found:
            self._groups[each.pid].leader = "gone"
        return found

    def is_settling(self) -> bool:
        return False

    def signal(self, pid: int, number: int) -> bool:
        group = self._groups.get(pid)
        if group is not None and group.leader in ("child", "zombie"):
            self.groups.add(pid)
        if group is None or (group.leader == "gone" and not group.grandchild):
            return False
        if pid not in self.groups:
            return False
        if not self._shares_look and group.leader not in ("child", "zombie"):
            self.looks += 1
        if number:
            self.signals.append((self.clock.now(), pid, number))
            self._obey(pid, group, number)
        return True

    def keep(self, pid: int, started: int) -> None:
        if self._groups[pid].started == started:
            self.groups.add(pid)

    @contextmanager
    def one_look(self) -> Iterator[None]:
        assert not self._shares_look
        self._shares_look = True
        try:
            yield
        finally:
            self._shares_look = False

    def release(self, pid: int) -> None:
        self.groups.discard(pid)

    def started_at(self, pid: int) -> int | None:
        group = self._groups.get(pid)
        return None if group is None or group.leader == "gone" else group.started

    def began(self, started: int) -> float | None:
        some = (group.began for group in self._groups.values() if group.started == started)
        return next(some, None)

    def orphans(self, _outputs: Mapping[Attempt, Path], /) -> Mapping[Attempt, int]:
        return self.living()

    def survivors(self, outputs: Iterable[Path], /) -> Mapping[Attempt, int]:
        there = {path.parts[-2:] for path in outputs}
        living = self.living().items()
        return {
            attempt: pid
            for attempt, pid in living
            if (attempt.run.job, f"{attempt.run.number}.{attempt.number}.log") in there
        }

    def is_held(self, output: Path, /) -> bool:
        return output in self.held

    def living(self) -> Mapping[Attempt, int]:
        """The attempts that live on as nobody's child."""
        return {
            each.attempt: each.pid
            for each in self.launched
            if each.pid is not None and self._is_orphan(each.pid)
        }

    def _is_orphan(self, pid: int) -> bool:
        leader = self._groups[pid].leader
        return leader == "orphan" or (leader == "child" and pid in self._left_running)

    def escaped(self, _ended: Mapping[Attempt, int]) -> Mapping[Attempt, Sequence[Process]]:
        return {}  # a script's processes stay in their group

    def end(self, _process: Process, _number: int) -> None:
        raise AssertionError("nobody got away")

    def leave_running(self) -> None:
        self._left_running = {pid for pid, group in self._groups.items() if group.leader == "child"}

    # --- the script ------------------------------------------------------------------------

    def _act(self, attempt: Attempt) -> Act:
        acts = self.acts.get(attempt.run.job) or (Act(),)
        return acts[min(attempt.number, len(acts)) - 1]

    def _obey(self, pid: int, group: _Group, number: int) -> None:
        act = group.act
        if number == signal.SIGKILL:
            group.grandchild = False
            self._end_after(0, pid, Signalled(int(number)))
        elif number == signal.SIGTERM:
            group.grandchild = group.grandchild and act.is_stubborn
            if act.on_term is not None:
                self._end_after(act.term_takes, pid, act.on_term)

    def _end_after(self, seconds: float, pid: int, outcome: Exited | Signalled) -> None:
        self.clock.after(seconds, lambda: self._end(pid, outcome))

    def _end(self, pid: int, outcome: Exited | Signalled) -> None:
        """End the process, unless it has ended some other way before."""
        group = self._groups[pid]
        if group.leader == "child":
            group.leader = "zombie"
            used = group.act.cpu_s, group.act.memory_bytes, group.act.limit, group.act.empties
            self._endings.append(Ended(pid, outcome, *used))
        elif group.leader == "orphan":
            group.leader = "gone"


if TYPE_CHECKING:

    def _they_satisfy_the_protocols(clock: FakeClock) -> tuple[Clock, Spawner]:
        return clock, FakeSpawner(clock)
