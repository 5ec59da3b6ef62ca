"""A state folder with a past, whose journal is then damaged or lost."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from fakes import Act, FakeClock, FakeSpawner

from scheduler.entry import Entry, Reboot
from scheduler.errors import JournalDamaged
from scheduler.journal.journal import Journal
from scheduler.journal.repair import Repair
from scheduler.notice import Facts, Kind, Notice
from scheduler.pause import Paused
from scheduler.process.launch import Launch
from scheduler.process.output_files import output_of
from scheduler.run import Attempt, Ending, Exited, Run, State
from scheduler.schedule.tick import Jump, JumpKind, Verdict
from scheduler.system.log import open_log

NOW = datetime(2027, 3, 1, 12, 0, 30, tzinfo=UTC)
NOON = NOW.replace(second=0)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
BOOT = "this boot"
PAGE = 4096


@dataclass
class Scene:
    """A state folder whose journal has a past, and jobs by script."""

    state: Path
    clock: FakeClock = field(default_factory=lambda: FakeClock(NOW))
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.path = self.state / "journal.db"
        self.spawner = FakeSpawner(self.clock, {"long": [Act(lasts=1e6)]})
        self.log = open_log("json", self)  # type: ignore[arg-type]  # it only writes
        self.repair = Repair(self.path, clock=self.clock, spawner=self.spawner, boot=BOOT, log=self.log)  # fmt: skip

    def write(self, text: str) -> None:
        self.lines.append(text)

    def flush(self) -> None:
        pass

    def lives(self) -> None:
        """Let there be months of history, and what a daemon remembers."""
        self.path.write_bytes(lived())

    def starts(self, job: str, number: int, *, has_output: bool = True) -> int:
        """Let a job be under way that an earlier daemon started."""
        attempt = Attempt(Run(number, job, NOON), 1)
        entry = Entry(job, Reboot(), "", NOON.tzinfo, "")  # type: ignore[arg-type]  # no matter which
        launch = self.spawner.prepare(entry, attempt, self.state / output_of(attempt))
        assert isinstance(launch, Launch)
        pid = self.spawner.start(launch)
        assert isinstance(pid, int)
        self.spawner.crash()
        if has_output:
            launch.path.parent.mkdir(parents=True, exist_ok=True)
            launch.path.touch()
        return pid

    def renews(self) -> Journal:
        """Let the damage be met, and return the new journal."""
        self.repair.renew(JournalDamaged("it is damaged"))
        return Journal.open(self.path)

    def aside(self) -> list[Path]:
        return sorted(self.state.glob("journal.db.damaged-*[!lm]"))  # without its -wal and -shm


def ran(journal: Journal, job: str, instant: datetime) -> None:
    run = journal.claim(job, instant, "UTC")
    assert run is not None
    attempt = journal.claim_attempt(run, 1, output_of(Attempt(run, 1)))
    assert attempt is not None
    journal.started(attempt, instant, 4711, 12)
    journal.ended(attempt, Ending(Exited(0), instant))
    journal.finish(run, State.SUCCEEDED)


@cache
def lived() -> bytes:
    """The bytes of a journal; it takes a second to write it."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "journal.db"
        with closing(Journal.open(path)) as journal, journal.transaction():
            remember(journal)
        return path.read_bytes()


def remember(journal: Journal) -> None:
    for n in range(4000):
        ran(journal, "old", NOON - 100 * DAY + n * MINUTE)
    ran(journal, "new", NOON)
    run = journal.claim("retried", NOON - 200 * DAY, "Europe/Berlin")
    assert run is not None
    attempt = journal.claim_attempt(run, 1, "outputs/retried.log")
    assert attempt is not None
    journal.started(attempt, NOON, 4711, 12)
    journal.ended(attempt, Ending(Exited(1), NOON))
    journal.retry(run, NOON + 10 * MINUTE)
    journal.daemon_state.set_last_tick(NOON)
    journal.daemon_state.set_anchor("every", 90, NOON - MINUTE)
    journal.daemon_state.set_booted("reboot", BOOT)
    journal.old_runs.set_reckoning(NOON)
    journal.daemon_state.pause(Paused("paused", NOON, None, "holiday"))
    journal.outbox.add(Notice("|tell", Kind.FAILURE, NOON, Facts("retried", "", "", 1, "UTC")))
    journal.outbox.set_state("retried", "announced")
    journal.daemon_state.jump(Jump(JumpKind.DOWN, NOON - MINUTE, NOON, 60, Verdict.REPLAYED))


def is_text(path: Path) -> None:
    path.write_text("30 7 * * *  report --daily\n" * 1000)


def has_lost_old_rows(path: Path) -> None:
    """Pages in the middle, all of them of the job `old`."""
    overwritten(path, 60 * PAGE, 10 * PAGE, b"\xff")


def overwritten(path: Path, start: int, length: int, by: bytes = b"\0") -> None:
    with path.open("r+b") as file:
        file.seek(start)
        file.write(by * length)


def read_all(path: Path) -> None:
    """Read all that a daemon reads as it starts."""
    with closing(Journal.open(path)) as journal:
        journal.unfinished()
        journal.daemon_state.last_tick()
        journal.queries.history()


def next_daemon(scene: Scene) -> None:
    """Begin as a daemon does, and read all that is in its journal."""
    scene.repair.begin()
    try:
        read_all(scene.path)
    except JournalDamaged as damage:
        scene.repair.renew(damage)


def known(path: Path) -> list[object]:
    """What a daemon goes on from; sound, and with numbers that no run has had."""
    with closing(Journal.open(path)) as journal:
        assert journal.connection._sqlite.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        run = journal.claim("any", NOON + DAY, "UTC")
        runs = [(row.run, row.state, row.reason) for row in journal.queries.history()]
        boots = [journal.daemon_state.booted(job, BOOT) for job in ("reboot", "other")]
        return [
            run,
            runs,
            boots,
            journal.daemon_state.last_tick(),
            journal.unfinished(),
            journal.daemon_state.pauses(),
        ]


def has_a_log(scene: Scene) -> None:
    """Let the last thing that the journal heard of be in its log only, as after a kill."""
    with closing(Journal.open(scene.path)) as journal:
        log = scene.path.with_name("journal.db-wal")
        whole = scene.path.read_bytes()
        journal.daemon_state.set_last_tick(NOON + MINUTE)
        assert journal.claim("last", NOON + MINUTE, "UTC") is not None
        kept = log.read_bytes()
    scene.path.write_bytes(whole)
    log.write_bytes(kept)


def has_no_header(path: Path) -> None:
    overwritten(path, 0, 100)


def is_cut_in_half(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2 // PAGE * PAGE)


def is_overwritten_behind_its_first_page(path: Path) -> None:
    overwritten(path, PAGE, path.stat().st_size - PAGE, b"\xff")


def has_lost_its_first_page(path: Path) -> None:
    overwritten(path, 100, PAGE - 100)


TOTAL = [is_text, has_no_header, is_cut_in_half, is_overwritten_behind_its_first_page, has_lost_its_first_page]  # fmt: skip
