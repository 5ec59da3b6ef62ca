"""The real daemon in trouble with its machine, at speed: what fails, what goes on, what it says.

Each fault begins in the middle of 12:00 and is over about four minutes later: on a busy machine
more goes by at speed. All of them happen at once, to a daemon each.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from faketime import LIBRARY, MINUTE, FreeRunning, Ran, Warped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.e2e, pytest.mark.privileged, pytest.mark.timeout(300)]

NOON = datetime(2027, 6, 15, 12, 0, tzinfo=UTC)
FIRST, LAST = NOON - 3 * MINUTE, NOON + 10 * MINUTE
SPEED = 40
HELD = Warped, SPEED, FIRST  # a clock that waits for a daemon; see FreeRunning for the other
SOMEBODY = 60123  # a user that no file and no other process belongs to
# Who may read this checkout, wherever it is, and is an ordinary user: root may fork without limit.
AS_SOMEBODY = (
    *("setpriv", f"--reuid={SOMEBODY}", f"--regid={SOMEBODY}", "--clear-groups"),
    *("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"),
)
ALL = "CRON_CATCHUP=all"  # a daemon may be late by minutes on a busy machine, at speed
ENTRIES = (
    f"CRON_NAME=beat {ALL} * * * * *\n"
    f"CRON_NAME=retried {ALL} CRON_RETRIES=2 CRON_RETRY_DELAY=10s * * * * *"
)
MANY = "".join(f"\nCRON_NAME=many{n:02} {ALL} * * * * *" for n in range(25))
TROUBLE = ("journal", "starts", "problem", "kept", "state", "recovered", "bug")


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong, and what the log must say of it: messages, and words of the first of them.

    `is_harmless` says that every job runs in time all the same. Where descriptors are what is
    missing, the clock is `free_running`.
    """

    begins: Callable[[Warped], object]
    ends: Callable[[Warped], object]
    says: tuple[str, ...]
    words: str
    is_harmless: bool = False
    comes_to: Callable[[Warped, ExitStack], object] = lambda _daemon, _stack: None
    under: tuple[str, ...] = ()
    entries: str = ENTRIES
    free_running: bool = False


# --- what goes wrong ------------------------------------------------------------------------------


def mounts(folder: Path, stack: ExitStack, *words: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", *words, str(folder)], check=True)
    stack.callback(subprocess.run, ["umount", "--lazy", str(folder)], check=True)
    folder.chmod(0o700)


def small_disk(daemon: Warped, stack: ExitStack) -> None:
    daemon.state.mkdir(mode=0o700)
    mounts(daemon.state, stack, "-t", "tmpfs", "-o", "size=2m", "tmpfs")


def few_files(daemon: Warped, stack: ExitStack) -> None:
    daemon.state.mkdir(mode=0o700)
    mounts(daemon.state / "outputs", stack, "-t", "tmpfs", "-o", "nr_inodes=60", "tmpfs")


def own_disk(daemon: Warped, stack: ExitStack) -> None:
    image = daemon.crontab.with_name("image")
    with image.open("wb") as file:
        file.truncate(16 * 1024**2)
    subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
    daemon.state.mkdir(mode=0o700)
    mounts(daemon.state, stack, "-o", "loop", str(image))


def fills(daemon: Warped) -> None:
    with suppress(OSError), (daemon.state / "hog").open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)


def is_emptied(daemon: Warped) -> None:
    (daemon.state / "hog").unlink()


def takes_all_files(daemon: Warped) -> None:
    hoard = daemon.state / "outputs" / "hoard"
    hoard.mkdir()
    with suppress(OSError):
        for number in range(1000):
            (hoard / str(number)).touch()


def gives_files_back(daemon: Warped) -> None:
    shutil.rmtree(daemon.state / "outputs" / "hoard")


def immutable(sign: str) -> Callable[[Warped], object]:
    """Let nobody write the journal: neither who opens it nor who has it open."""
    return lambda daemon: subprocess.run(
        ["chattr", f"{sign}i", *map(str, daemon.state.glob("journal.db*"))], check=True
    )


class Lock:
    """Another program's, on the journal."""

    def __init__(self) -> None:
        self._others: dict[Path, sqlite3.Connection] = {}

    def begins(self, daemon: Warped) -> None:
        path = daemon.state / "journal.db"
        other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        other.execute("BEGIN EXCLUSIVE")
        self._others[path] = other

    def ends(self, daemon: Warped) -> None:
        self._others[daemon.state / "journal.db"].close()


def limits(what: str, number: int | None = None) -> Callable[[Warped], object]:
    """Limit a running daemon, as its own user; by default to one descriptor more than it has."""

    def act(daemon: Warped) -> None:
        opened = [int(path.name) for path in Path(f"/proc/{daemon.pid}/fd").iterdir()]
        most = max(opened) + 2 if number is None else number
        command = ["prlimit", "--pid", str(daemon.pid), f"--{what}={most}:"]
        is_own = Path(f"/proc/{daemon.pid}").stat().st_uid == os.geteuid()
        subprocess.run([*(() if is_own else AS_SOMEBODY), *command], check=True)

    return act


def belongs_to_somebody(daemon: Warped, _stack: ExitStack) -> None:
    folder = daemon.crontab.parent
    for path in (folder, *folder.iterdir()):
        os.chown(path, SOMEBODY, SOMEBODY)


def crontab_is(make: Callable[[Path], object]) -> Callable[[Warped], object]:
    """Put something else in the crontab's place."""

    def act(daemon: Warped) -> None:
        daemon.crontab.rename(daemon.crontab.with_suffix(".good"))
        make(daemon.crontab)

    return act


def huge(path: Path) -> None:
    path.write_bytes(b"* * * * * true\n" * (100_000_000 // 15))
    path.chmod(0o600)


def crontab_is_back(daemon: Warped) -> None:
    if daemon.crontab.is_dir():
        daemon.crontab.rmdir()
    daemon.crontab.with_suffix(".good").rename(daemon.crontab)


lock = Lock()
JOURNAL, STARTS = ("journal", "recovered"), ("starts", "recovered")
CRONTAB = ("problem", "kept", "recovered")

FAULTS = {
    "the journal's disk is full": Fault(
        fills, is_emptied, JOURNAL, "database or disk is full", comes_to=small_disk
    ),
    "the journal can only be read": Fault(
        immutable("+"), immutable("-"), JOURNAL, "disk I/O error", comes_to=own_disk
    ),
    "the journal is locked": Fault(lock.begins, lock.ends, JOURNAL, "database is locked"),
    "there is no room for outputs": Fault(
        takes_all_files, gives_files_back, STARTS, "No space left on device", comes_to=few_files
    ),
    "no process can be forked": Fault(
        *(limits("nproc", 0), limits("nproc", 1000)),
        *(STARTS, "no new process: Resource temporarily unavailable"),
        comes_to=belongs_to_somebody,
        under=AS_SOMEBODY,
    ),
    "there are no descriptors": Fault(
        *(limits("nofile"), limits("nofile", 1024), STARTS, "Too many open files"),
        entries=ENTRIES + MANY,
        free_running=True,
    ),
    "there are few descriptors": Fault(
        *(lambda _daemon: None, lambda _daemon: None, (), ""),
        is_harmless=True,
        under=("prlimit", "--nofile=36:36"),  # an idle daemon has 23
        entries=ENTRIES + MANY,
        free_running=True,
    ),
    "the crontab is a folder": Fault(
        crontab_is(Path.mkdir), crontab_is_back, CRONTAB, "it is a folder", is_harmless=True
    ),
    "the crontab has 100 MB": Fault(
        crontab_is(huge), crontab_is_back, CRONTAB, "it is larger than 16 MiB", is_harmless=True
    ),
    "the crontab is a FIFO": Fault(
        crontab_is(os.mkfifo), crontab_is_back, CRONTAB, "it is a FIFO", is_harmless=True
    ),
}

# --- what happens ---------------------------------------------------------------------------------


@dataclass(slots=True)
class Told:
    """What came of a fault."""

    fault: Fault
    ran: list[Ran] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)
    said: list[dict[str, Any]] = field(default_factory=list)
    begun: datetime = NOON
    over: datetime = NOON
    last: datetime = NOON  # the last minute that was handled
    grown: int = 0  # by how many bytes the daemon's memory was larger at its peak than before


def suffer(fault: Fault, folder: Path) -> Told:
    told = Told(fault)
    with ExitStack() as stack:
        kind, speed, first = (FreeRunning, 20, NOON - 10 * MINUTE) if fault.free_running else HELD
        daemon = kind(folder, fault.entries, at_once=True, under=fault.under, speed=speed)
        stack.callback(lambda: (folder / "log").rename(folder / "log.kept"))
        fault.comes_to(daemon, stack)
        stack.enter_context(closing(daemon))
        daemon.start(first)
        daemon.run(NOON)
        before = memory(daemon, "VmRSS")
        told.begun = daemon.now
        fault.begins(daemon)
        daemon.endure(told.begun + 4 * MINUTE)
        told.over = daemon.now
        fault.ends(daemon)
        daemon.run(max(LAST, told.over + 5 * MINUTE))
        told.grown = memory(daemon, "VmHWM") - before
        daemon.stop()
        told.last = daemon.last_tick()
        told.ran, told.history, told.said = daemon.ran(), daemon.history(), trouble(daemon)
    return told


def trouble(daemon: Warped) -> list[dict[str, Any]]:
    """Return what was said of the fault; of a busy machine, which at speed holds up a loop, not."""
    return [line for line in daemon.said(*TROUBLE) if "step" not in line]


def memory(daemon: Warped, what: str) -> int:
    text = Path(f"/proc/{daemon.pid}/status").read_text()
    return int(text.partition(f"{what}:")[2].split()[0]) * 1024


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Told]]]:
    assert LIBRARY is not None, "apt-get install libfaketime"
    with ThreadPoolExecutor(len(FAULTS)) as pool:
        yield {
            name: pool.submit(suffer, fault, tmp_path_factory.mktemp("fault"))
            for name, fault in FAULTS.items()
        }


@pytest.fixture(params=FAULTS)
def told(faults: dict[str, Future[Told]], request: pytest.FixtureRequest) -> Told:
    return faults[request.param].result()


# --- what must come of it -------------------------------------------------------------------------


def test_what_is_wrong_is_said_once_and_so_is_its_end(told: Told) -> None:
    assert [line["message"] for line in told.said] == list(told.fault.says), told.said
    assert told.fault.words in str(told.said[:1])


def test_each_minute_of_each_job_is_accounted_for_once(told: Told) -> None:
    first = min(datetime.fromisoformat(row["at"]) for row in told.history)  # its start takes time
    assert first < NOON
    for job in {row["job"] for row in told.history}:
        rows = [row for row in told.history if row["job"] == job]
        accounted = Counter(chain.from_iterable(map(minutes, rows)))
        expected = (first + n * MINUTE for n in range((told.last - first) // MINUTE + 1))
        assert accounted == Counter(expected), job


def minutes(row: dict[str, Any]) -> Iterator[datetime]:
    at, last = (datetime.fromisoformat(row.get(name, row["at"])) for name in ("at", "until"))
    while at <= last:
        yield at
        at += MINUTE


def test_nothing_is_started_twice_or_unknown_to_the_journal(told: Told) -> None:
    started = {
        (row["job"], datetime.fromisoformat(row["at"]), row["run"], each["attempt"])
        for row in told.history
        for each in row.get("attempts", ())
        if each["outcome"].startswith("exit")
    }
    ran = [(ran.job, ran.at, ran.run, ran.attempt) for ran in told.ran]
    assert sorted(ran) == sorted(started)


def test_jobs_run_wherever_they_can(told: Told) -> None:
    """All through what is harmless; before and after anything else."""
    for row in told.history:
        if told.fault.is_harmless or not is_during(told, row):
            assert row["state"] == "succeeded", row


def is_during(told: Told, row: dict[str, Any]) -> bool:
    return told.begun < datetime.fromisoformat(row["at"]) <= told.over + MINUTE


def test_what_is_harmless_holds_up_nobody(told: Told) -> None:
    if told.fault.is_harmless:
        first = next(r for r in told.history if datetime.fromisoformat(r["at"]) > told.begun)
        assert datetime.fromisoformat(first["attempts"][0]["started"]) < told.over


def test_its_memory_stays_what_it_was(told: Told) -> None:
    assert told.grown < 8 * 1024**2


# --- what it can't go on with ---------------------------------------------------------------------


@pytest.mark.parametrize("what", ["the state folder", "the journal"])
def test_it_ends_by_itself_without(what: str, tmp_path: Path) -> None:
    with closing(Warped(tmp_path, ENTRIES, at_once=True)) as daemon:
        daemon.start(FIRST)
        daemon.run(NOON)
        if what == "the journal":
            for path in daemon.state.glob("journal.db*"):
                path.unlink()
        else:
            while daemon.state.exists():  # a job may begin to write there meanwhile
                shutil.rmtree(daemon.state, ignore_errors=True)
        daemon.endure(NOON + MINUTE)
        assert daemon.ends() == 1
        assert len(daemon.said("state")) == 1
