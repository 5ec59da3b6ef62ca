"""`make bench`: Meridian, Debian's cron and the floor beside each other, on this machine, now.

It takes real minutes, about nineteen; `--quick` leaves out cron and repeats, and takes about nine.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from . import (
    endless,
    figures,
    flooding,
    idling,
    loading,
    minutes,
    remembering,
    starting,
    ticking,
    users,
    winding,
)
from .daemons import BenchError, end_on_sigterm
from .debian_cron import Cron
from .figures import Figure, percentile
from .jobs import Load
from .progress import Progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .loading import Loaded
    from .minutes import Lateness, Rounds

ENTRIES = (0, 10_000, 100_000)  # none, many, very many
WATCHED = 3  # minutes that the idle daemons are watched for
WATCHED_QUICKLY = 1
WIDTH = 120  # columns that the table needs; narrower terminals fold its lines
IN_MEMORY = frozenset({"tmpfs", "ramfs"})
EXPLAINED = """\
Lateness is the job's own word: each is a date(1) that prints the time, so every figure holds what
date itself costs, about the same for all; a lone Popen of it, after a rest, is the floor. The
journal's figure is when the daemon had started the process. The floor of a burst starts the same
jobs one after the other and does nothing else, through the shell where they go through it: the
median of three rounds in the same minute. cron's jobs all go through the shell. The floor of a
command is `python -c "import typer"`. Ready: from the process's start to READY=1. CPU: from its start until idle, for cron with the shell that makes its
namespace; Debian's cron takes no crontab of more than 10,000 lines. A tick is one look for what is
due; its load goes from a crontab's bytes to a timetable. A wake-up is a voluntary context switch,
and one a minute is the floor. A year is simulated of 1,000 daily entries. A claim
and a settlement are a commit each, on the disk when it returns (WAL, synchronous FULL); their floor
is a bare append of 4 kB with fdatasync(2). Peers, as measured
elsewhere for scale: cronie loads 100,000 lines in 0.8 s at 540 bytes an entry, APScheduler in 15 s
at 3.6 kB; yacron takes 28 s for 3,000."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks for."""

    is_quick: bool
    is_json: bool


def main() -> int:
    """Measure and print; 0 done, 1 it could not be done, 130 stopped."""
    wanted = _wanted()
    end_on_sigterm()
    if not Path("/proc/self/stat").exists():
        return _fail("the bench needs Linux: /proc, and GNU date for its nanoseconds")
    try:
        _be_alone()
        with tempfile.TemporaryDirectory(prefix="meridian-bench-", dir=_disk()) as name:
            _bench(wanted, Path(name))
    except BenchError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        return _fail("stopped; the daemons are ended", 130)
    return 0


def _bench(wanted: Wanted, folder: Path) -> None:
    progress = Progress(sys.stderr)
    cron, why_not = _cron(folder, progress, is_quick=wanted.is_quick)
    head = _machine(folder, cron, why_not)
    load = [*_starts(folder, progress), *_loads(folder, cron, progress), *_ticks(progress)]
    load += _as_users(folder, progress)
    watched = WATCHED_QUICKLY if wanted.is_quick else WATCHED
    load += _idle(watched, folder, cron, progress)
    load += _simulated(folder, progress)
    load += _remembered(folder, progress, is_quick=wanted.is_quick)
    load += _flooded(folder, progress)
    load += _endless(folder, progress, is_quick=wanted.is_quick)
    plan = minutes.QUICK if wanted.is_quick else minutes.FULL
    found = minutes.measure(plan, folder, cron, progress)
    _print(wanted, head, [*_lateness(found), *load], found.notes)


def _cron(folder: Path, progress: Progress, *, is_quick: bool) -> tuple[Cron | None, str]:
    if is_quick:
        return None, "--quick"
    progress.say("Getting Debian's cron")
    cron = Cron(folder / "cron")
    return (None if cron.why_not else cron), cron.why_not


def _loads(folder: Path, cron: Cron | None, progress: Progress) -> list[Figure]:
    ours: list[Loaded] = []
    theirs: list[Loaded | None] = []
    for entries in ENTRIES:
        progress.say(f"Loading {entries:,} entries of which none is due")
        ours.append(loading.meridian(entries, folder / f"load-{entries}"))
        too_many = entries > idling.ENTRIES
        theirs.append(None if cron is None or too_many else loading.cron(entries, cron))
    return [
        *(figure for our, their in zip(ours, theirs, strict=True) for figure in _load(our, their)),
        Figure(
            f"memory per entry, {ENTRIES[-1]:,}",
            "bytes",
            meridian=_each(ours[0], ours[-1]),
            cron=_each(theirs[0], theirs[-2]),
        ),
    ]


def _starts(folder: Path, progress: Progress) -> list[Figure]:
    progress.say("Starting commands that are over at once")
    found = starting.measure(folder / "starts")
    kinds = (
        ("--version", found.version_s),
        ("status", found.status_s),
        ("status without a daemon", found.status_alone_s),
    )
    return [
        *(
            Figure(f"meridian {name}: CPU", "ms", floor=found.floor_s, meridian=spent)
            for name, spent in kinds
        ),
        Figure("1 idle entry: memory (PSS)", "MB", meridian=found.memory),
        Figure("1 idle entry: memory of its own", "MB", meridian=found.private),
    ]


def _as_users(folder: Path, progress: Progress) -> list[Figure]:
    progress.say(f"Starting bursts of {users.JOBS} jobs as root and as {users.USER}")
    found = users.measure(folder / "users")
    if found is None:
        return []
    what = "starts a second as another user, by those as its own"
    return [Figure(what, "", floor=found.own, meridian=found.other)]


def _ticks(progress: Progress) -> list[Figure]:
    progress.say(f"Looking for what is due among {ticking.ENTRIES:,} entries in 10 zones")
    found = ticking.measure()
    return [
        Figure(f"{ticking.ENTRIES:,} lines: bytes to timetable", "ms", meridian=found.load_s),
        Figure("tick with 10 of them due: p50", "ms", meridian=found.median_s),
        Figure("tick with 10 of them due: worst", "ms", meridian=found.worst_s),
    ]


def _simulated(folder: Path, progress: Progress) -> list[Figure]:
    progress.say(f"Simulating a year of {winding.ENTRIES:,} daily entries, twice")
    kinds = (("on the hour", winding.on_the_hour), ("one by one", winding.one_by_one))
    return [
        Figure(
            f"a year simulated, {name}",
            "s",
            meridian=winding.measure(make(winding.ENTRIES), folder / name),
        )
        for name, make in kinds
    ]


def _remembered(folder: Path, progress: Progress, *, is_quick: bool) -> list[Figure]:
    floor = remembering.floor(folder)
    rows = []
    for runs in (
        remembering.FEW,
        remembering.MANY_QUICKLY if is_quick else remembering.MANY,
    ):
        progress.say(f"Claiming and settling runs in a journal of {runs:,}")
        found = remembering.measure(runs, folder / f"journal-{runs}")
        n = f"journal of {runs:,} runs"
        rows += [
            Figure(f"{n}: a claim, p50", "ms", floor=floor, meridian=found.claim_s),
            Figure(f"{n}: a claim, worst", "ms", meridian=found.worst_claim_s),
            Figure(f"{n}: a settlement, p50", "ms", floor=floor, meridian=found.settle_s),
            Figure(f"{n}: claims a second", "", 1 / floor, found.claims_a_second),
            Figure(f"{n}: settlements a second", "", 1 / floor, found.settlements_a_second),
            Figure(f"{n}: runs a second, 100 a commit", "", meridian=found.bursts_a_second),
        ]
    return rows


def _flooded(folder: Path, progress: Progress) -> list[Figure]:
    n = f"{flooding.ENTRIES:,} jobs due at once, 1 MB each"
    progress.say(n)
    found = flooding.measure(folder / "flood")
    return [
        Figure(f"{n}: memory before", "MB", meridian=found.before),
        Figure(f"{n}: memory, at most", "MB", meridian=found.peak),
        Figure(f"{n}: succeeded", "", meridian=found.succeeded),
        Figure(f"{n}: whole outputs", "", meridian=found.whole_outputs),
        Figure(f"{n}: the last has ended after", "s", meridian=found.last_s),
    ]


def _endless(folder: Path, progress: Progress, *, is_quick: bool) -> list[Figure]:
    found = []
    for number in endless.NUMBERS[-1:] if is_quick else endless.NUMBERS:
        progress.say(f"Letting {number} jobs write without end")
        there = endless.measure(number, folder / f"endless-{number}")
        for where, each in (("", there), (" in memory", endless.measure_in_memory(number))):
            if each is not None:
                n = f"{number} x yes{where}, {endless.SECONDS:.0f} s"
                found += [
                    Figure(f"{n}: largest output", "MB", meridian=each.largest),
                    Figure(f"{n}: all outputs", "MB", meridian=each.all_together),
                    Figure(f"{n}: written", "MB", meridian=each.written),
                    Figure(f"{n}: CPU", "s", meridian=each.cpu_s),
                ]
    return found


def _idle(watched: int, folder: Path, cron: Cron | None, progress: Progress) -> list[Figure]:
    progress.say(f"Watching idle daemons for {watched} min")
    ours, theirs = idling.measure(watched, folder / "idle", cron, progress)
    wakeups, cpu_s = (None, None) if theirs is None else (theirs.wakeups, theirs.cpu_s)
    n = f"{watched} min idle"
    return [
        Figure(f"{n}: wake-ups", "", floor=watched, meridian=ours.wakeups, cron=wakeups),
        Figure(f"{n}: CPU", "ms", meridian=ours.cpu_s, cron=cpu_s),
    ]


def _load(our: Loaded, their: Loaded | None) -> list[Figure]:
    n = f"{our.entries:,} idle entries"
    cpu_s, memory = (None, None) if their is None else (their.cpu_s, float(their.memory))
    return [
        Figure(f"{n}: ready", "ms", meridian=our.ready_s),
        Figure(f"{n}: CPU", "ms", meridian=our.cpu_s, cron=cpu_s),
        Figure(f"{n}: memory", "MB", meridian=our.memory, cron=memory),
    ]


def _each(none: Loaded | None, many: Loaded | None) -> float | None:
    if none is None or many is None:
        return None
    return (many.memory - none.memory) / (many.entries - none.entries)


def _lateness(found: Lateness) -> list[Figure]:
    by_percent = [
        (Load.LONE, "p50", 50.0), (Load.LONE, "worst", 100.0),
        (Load.HUNDRED, "p50", 50.0), (Load.HUNDRED, "p99", 99.0),
    ]  # fmt: skip
    return [
        *(_of(found, load, name, "ms", percent) for load, name, percent in by_percent),
        _of(found, Load.HUNDRED, "last", "ms"),
        _of(found, Load.THOUSAND, "last", "ms"),
        _of(found, Load.SHELLED, "last", "ms"),
    ]


def _of(found: Lateness, load: Load, name: str, unit: str, percent: float | None = None) -> Figure:
    def pick(rounds: Rounds) -> float | None:
        some = [starts for starts in rounds.get(load, ()) if starts]
        if percent is not None:
            return percentile([late for starts in some for late in starts], percent)
        return statistics.median(max(starts) for starts in some) if some else None

    four = (found.floor, found.meridian, found.journal, found.cron)
    return Figure(f"{load}: {name}", unit, *(pick(rounds) for rounds in four))


def _machine(folder: Path, cron: Cron | None, why_not: str) -> dict[str, str]:
    busy = os.getloadavg()[0]
    return {
        "machine": f"{platform.system()} {platform.release()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "cron": f"left out: {why_not}" if cron is None else f"Debian's {cron.version}",
        "state on": _file_system(folder),
        "load at the start": f"{busy:.2f}" + (" (busy: figures are worse)" if busy > 0.5 else ""),
    }


def _print(
    wanted: Wanted, head: dict[str, str], found: Sequence[Figure], notes: Sequence[str]
) -> None:
    console = Console(highlight=False, soft_wrap=True, stderr=wanted.is_json)
    console.width = max(console.width, WIDTH)
    for name, value in head.items():
        console.print(f"{name:<18} {value}")
    if wanted.is_json:
        sys.stdout.writelines(f"{figures.json_line(figure)}\n" for figure in found)
    else:
        console.print(figures.table(found))
        console.print(EXPLAINED)
    for note in notes:
        console.print(f"Note: {note}")


def _be_alone() -> None:
    """Raise BenchError if a bench of this checkout runs: both would burst in the same minutes."""
    folder = os.open(Path(__file__).parent, os.O_RDONLY)  # the lock is held until the end
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise BenchError("another bench is running, and each would disturb the other") from error


def _disk() -> str:
    """Return a folder for temporary files that is on a disk, if there is one."""
    folders = ["/var/tmp", str(Path.home()), str(Path.cwd())]
    on_disk = [folder for folder in folders if _file_system(Path(folder)) not in IN_MEMORY]
    return (on_disk or folders)[0]


def _file_system(folder: Path) -> str:
    command = ["df", "--output=fstype", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.rpartition("Type")[2].strip() or "an unknown file system"


def _wanted() -> Wanted:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="without cron and repeats")
    parser.add_argument("--json", action="store_true", help="a line of JSON a figure")
    asked = parser.parse_args()
    return Wanted(is_quick=asked.quick, is_json=asked.json)


def _fail(why: str, status: int = 1) -> int:
    sys.stderr.write(f"bench: {why}\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
