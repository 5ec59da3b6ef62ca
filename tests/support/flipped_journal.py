"""A daemon that was killed, its journal with a few bytes flipped, and the next daemon upon it.

    dead = killed(folder)                           # a journal with one of everything in it
    trial = dead.trial(folder, dead.flipped(draw))  # some of its bytes are others
    trial.faults(undamaged)                         # what should not have been

Everything is real but the clock and the processes.
"""

from __future__ import annotations

import asyncio
import copy
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from fakes import Act, FakeClock, FakeSpawner
from frail_journal import FrailJournal
from peers import ROOT
from world import Killed as KilledNow
from world import World, line, shown, when

from scheduler.entry import Overlap
from scheduler.journal import high_water
from scheduler.journal.repair import Repair
from scheduler.protocol import Pause, Trigger
from scheduler.run import Exited
from scheduler.system.log import open_log

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from fakes import Launched

    from scheduler.entry import Entry
    from scheduler.process.launch import Launch
    from scheduler.run import Attempt, NotStarted

PAGE = 4096
BOOT = "b7a7f2f4-5a1e-4f0c-9d3b-6f2f0c7e8a11"
RESTART, END = "12:16:40", "12:18:10"  # of the daemon upon flipped bytes
LIVES = 1e6
FAILS = Act(lasts=2, outcome=Exited(1))
CRONTAB = "".join((
    line("tick", "* * * * *"),
    line("often", "*/5 * * * *"),
    line("lives", "1-59/5 * * * *"),
    line("beside", "* * * * *", overlap="allow"),
    line("queued", "* * * * *", overlap="queue"),
    line("fails", "*/2 * * * *", retries=5, retry_delay="40s", retry_jitter=0),
    line("given-up", "1-59/2 * * * *", retries=0),
    line("slow", "* * * * *", catchup="all"),
    line("every", "@every 7m"),
    line("boot", "@reboot"),
    line("boot-lives", "@reboot"),
    line("paused", "* * * * *"),
    line("paused-for-long", "* * * * *"),
    line("by-hand", "0 3 * * *"),
    line("pool-a", "* * * * *", pool="small"),
    line("pool-b", "* * * * *", pool="small"),
    line("later", "* * * * *", random_delay="50s"),
    line("replaced", "*/3 * * * *", overlap="replace"),
))  # fmt: skip
ACTS = {
    "lives": [Act(lasts=LIVES)],
    "beside": [Act(lasts=LIVES)],
    "queued": [Act(lasts=LIVES)],
    "fails": [FAILS],
    "given-up": [FAILS],
    "slow": [Act(lasts=400)],
    "boot-lives": [Act(lasts=LIVES)],
    "by-hand": [Act(lasts=LIVES)],
    "pool-a": [Act(lasts=LIVES)],
    "replaced": [Act(lasts=LIVES)],
}
SPARE = 30_000  # from here on pids are those of the next daemon


class Site(World):
    """A world whose journal and outputs are on the disk."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.jobs = Writer(self.clock, self.acts)
        self.spawner = self.jobs  # type: ignore[assignment]  # it takes CarefulSpawner's place
        self.journal.close()  # that in memory

    def lives(self) -> None:
        """Let daemons live until the last is killed, as `meridian run` does."""
        log = open_log("json", self.log)
        repair = Repair(
            self.state / "journal.db",
            clock=self.clock,
            spawner=self.spawner,
            boot=self.boot,
            log=log,
        )
        try:
            repair.keep(self._live)
        except KilledNow:
            self.spawner.crash()

    def _live(self) -> None:
        with closing(FrailJournal.open(self.state / "journal.db")) as self.journal:
            self.journal.integrity.examine()
            self.journal.tell(high_water.beside(self.state / "journal.db"))
            self.journal.queries.emptiers()
            asyncio.run(self.new_daemon().run())

    def ask_at(self, time: str, request: Any) -> None:
        tasks: list[asyncio.Task[Any]] = []

        def happening() -> None:
            loop = asyncio.get_running_loop()
            tasks.append(loop.create_task(self.daemon.ask(request, ROOT)))

        self.at(time, happening)


class Writer(FakeSpawner):
    """Jobs by script that have an output on the disk; what is started a second time is noted."""

    def __init__(self, clock: FakeClock, acts: Mapping[str, Sequence[Act]]) -> None:
        super().__init__(clock, acts)
        self.doubled: list[str] = []

    def start(self, launch: Launch) -> int | NotStarted:
        entry = self._entries[launch.output]
        self._judge(entry.job, entry, launch.attempt)
        launch.path.parent.mkdir(parents=True, exist_ok=True)
        launch.path.touch()
        return super().start(launch)

    def takes_over(self, other: Writer) -> None:
        """Go on with the processes of another daemon; they do not end any more."""
        self.launched = list(other.launched)
        self._groups = copy.deepcopy(other._groups)
        self._numbers = count(SPARE)

    def _judge(self, job: str, entry: Entry, attempt: Attempt) -> None:
        """Note what has run before, and what lives beside this."""
        instant, number = attempt.run.instant, attempt.number
        past = [each for each in self.launched if each.entry.job == job]
        same = [each.attempt.number for each in past if each.attempt.run.instant == instant]
        if same and number <= max(same):
            self.doubled.append(f"{job} {shown(instant)}, attempt {number}: it had {same}")
        if same and job not in ("fails", "boot-lives"):
            self.doubled.append(f"{job} {shown(instant)}: it was not to be tried again")
        if entry.settings.overlap is not Overlap.ALLOW and any(map(self._lives, past)):
            self.doubled.append(f"{job} {shown(instant)}: beside one that lives")
        if job.startswith(("paused", "boot", "by-hand")):
            self.doubled.append(f"{job} {shown(instant)}: it was not to run")

    def _lives(self, each: Launched) -> bool:
        return each.pid is not None and self._groups[each.pid].leader in ("child", "orphan")


@dataclass
class Dead:
    """What a killed daemon has left: files, processes, and what it had started."""

    files: dict[str, bytes]
    known: bytes  # how far the journal had come, as the file beside it tells
    outputs: list[str]
    spawner: Writer
    elapsed: float

    def written_back(self) -> Dead:
        """The same, with all of the journal's log in its database."""
        with TemporaryDirectory() as folder:
            path = Path(folder) / "journal.db"
            self.lay(path.parent, self.files)
            with closing(sqlite3.connect(path)) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return replace(self, files={"journal.db": path.read_bytes()})

    def flipped(self, draw: random.Random) -> dict[str, bytes]:
        """Its files with some bytes changed."""
        return flipped(self.files, draw)

    def trial(self, folder: Path, files: dict[str, bytes]) -> Trial:
        """Let the next daemon start on these files, and live for some minutes."""
        self.lay(folder, files)
        site = Site(CRONTAB, now="11:39:30", acts=ACTS, state=folder, boot=BOOT)
        site.clock.advance(self.elapsed)
        site.clock.set(when(RESTART))
        site.jobs.takes_over(self.spawner)
        site.at(END, site.kill)
        site.lives()
        return Trial(site, len(self.spawner.launched))

    def lay(self, folder: Path, files: dict[str, bytes]) -> None:
        """Let a state folder have these files, and the outputs that there were."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        for name, data in (files | {high_water.HIGH_WATER_NAME: self.known}).items():
            (folder / name).write_bytes(data)
        for output in self.outputs:
            (folder / output).parent.mkdir(parents=True, exist_ok=True)
            (folder / output).touch()


@dataclass
class Trial:
    """What a daemon did that started on flipped bytes."""

    site: Site
    before: int  # how many starts there had been

    def starts(self) -> list[tuple[str, datetime, int]]:
        """What was started since, in order: job, instant, attempt."""
        return [key(each) for each in self.site.jobs.launched[self.before :]]

    def is_told(self) -> bool:
        """Whether the log says what happened to the journal."""
        return bool(self.site.said("renewed"))

    def faults(self, undamaged: Trial) -> list[str]:
        """What should not have been, beside what is done where no byte was changed."""
        lines = self.site.lines()
        found = [line["trace"] for line in lines if line["message"] == "bug"]
        found += [each for each in self.site.jobs.doubled if not self._is_forgiven(each)]
        ticks = [shown(at) for job, at, _ in self.starts() if job == "tick"]
        if ticks != ["12:17:00", "12:18:00"]:
            found.append(f"it did not go on: {ticks}")
        if self.starts() != undamaged.starts() and not self.is_told():
            found.append(f"nothing was said, and {self.starts()} was started")
        return found

    def _is_forgiven(self, fault: str) -> bool:
        """Whether the log says that pauses are lost."""
        lost = {table for line in self.site.said("renewed") for table in line.get("lost", ())}
        return fault.startswith("paused") and "pause" in lost


def key(each: Launched) -> tuple[str, datetime, int]:
    return each.entry.job, each.attempt.run.instant, each.attempt.number


def flipped(files: dict[str, bytes], draw: random.Random) -> dict[str, bytes]:
    """The files with 1 to 8 bytes changed, of those in use in one page's length of one file."""
    name = draw.choice(sorted(files))
    data = bytearray(files[name])
    start = draw.randrange(0, len(data), PAGE)
    used = [n for n in range(start, min(start + PAGE, len(data))) if data[n]]
    for at in draw.sample(used, min(draw.randint(1, 8), len(used))):
        data[at] ^= draw.randint(1, 255)
    return files | {name: bytes(data)}


def killed(folder: Path) -> Dead:
    """Let a daemon live for half an hour, be away, be stopped and be killed."""
    state = folder / "state"
    state.mkdir()
    site = Site(CRONTAB, now="11:39:30", acts=ACTS, state=state, boot=BOOT)
    site.ask_at("11:41:10", Pause(("paused",), None, "holiday"))
    site.ask_at("11:41:11", Pause(("paused-for-long",), when("18:00"), ""))
    site.ask_at("11:42:20", Trigger("by-hand"))
    site.at("11:45:20", lambda: site.clock.suspend(600))
    site.stop_at("12:02:20")
    site.lives()
    site.clock.advance(480)
    files: dict[str, bytes] = {}
    names = ("journal.db", "journal.db-wal", high_water.HIGH_WATER_NAME)
    site.at("12:16:30", lambda: files.update({n: (state / n).read_bytes() for n in names}))
    site.at("12:16:30", site.kill)
    site.lives()
    outputs = [str(path.relative_to(state)) for path in state.rglob("*.log")]
    known = files.pop(high_water.HIGH_WATER_NAME)
    return Dead(files, known, outputs, site.jobs, site.clock.monotonic())
