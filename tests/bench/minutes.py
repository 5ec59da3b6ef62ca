"""Real minutes: a plan of who has how many jobs due in which comes in, how late each was goes out."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from . import floor, jobs
from .daemons import Meridian
from .jobs import Load

if TYPE_CHECKING:
    from .debian_cron import Cron
    from .progress import Progress

MINUTE = timedelta(minutes=1)
LEAD = timedelta(seconds=10)  # between the daemons' start and the first minute that counts
LOOK = timedelta(seconds=5)  # before a minute, at whether others keep the machine busy
BUSY = 0.1
ROUNDS = 3  # of a burst's floor
OVER = timedelta(seconds=20)  # after this the minute's jobs are over, whoever started them


@dataclass(frozen=True, slots=True)
class Slot:
    """One minute: what Meridian and cron have due in it.

    They have a burst each in turn. Beside cron's, Meridian has its one job: Debian's cron looks at
    the clock a second after the minute, so that job is over before cron stirs (and is told if not).
    """

    meridian: Load
    cron: Load | None = None


FULL = (
    Slot(Load.LONE, cron=Load.LONE),
    Slot(Load.HUNDRED),
    Slot(Load.LONE, cron=Load.HUNDRED),
    Slot(Load.THOUSAND),
    Slot(Load.LONE, cron=Load.SHELLED),
    Slot(Load.SHELLED),
    Slot(Load.LONE, cron=Load.LONE),
)
QUICK = (Slot(Load.LONE), Slot(Load.HUNDRED), Slot(Load.THOUSAND), Slot(Load.SHELLED))

Rounds = dict[Load, list[list[float]]]  # for each load, a list of seconds a round


@dataclass(slots=True)
class Lateness:
    """How late the jobs started, and what is to be said about it."""

    floor: Rounds = field(default_factory=dict)
    meridian: Rounds = field(default_factory=dict)
    journal: Rounds = field(default_factory=dict)
    cron: Rounds = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def note(self, who: str, load: Load, starts: list[float]) -> None:
        """Keep in mind what was not as planned."""
        if len(starts) != load.jobs:
            told = f"{len(starts)} of {load.jobs:,} jobs said when they started"
            self.notes.append(f"{who}, {load}: {told}")


def measure(
    plan: tuple[Slot, ...], folder: Path, cron: Cron | None, progress: Progress
) -> Lateness:
    """Run both daemons through the plan, with the floor of each load measured in its own minute.

    `cron` is None where it is left out.
    """
    found = Lateness()
    first = _minute_of(datetime.now(UTC) + LEAD) + MINUTE
    slots = {first + n * MINUTE: slot for n, slot in enumerate(plan)}
    meridian = _furnished(folder, slots)
    with ExitStack() as stack:
        stack.enter_context(meridian.running())
        if cron is not None:
            stack.enter_context(cron.running(_cron_table(cron, slots)))
        for minute, slot in slots.items():
            _pass(minute, slot, found, is_with_cron=cron is not None, progress=progress)
            _measure_floor(Load.LONE, folder, found)  # first: after a rest, as at a minute
            if slot.meridian is not Load.LONE:
                progress.say(f"  the floor: bare Popen, {slot.meridian}")
                for _ in range(ROUNDS):
                    _measure_floor(slot.meridian, folder, found)
    for minute, slot in slots.items():
        _collect(found, minute, slot, meridian, cron)
    return found


def _pass(
    minute: datetime, slot: Slot, found: Lateness, *, is_with_cron: bool, progress: Progress
) -> None:
    due = f"Meridian {slot.meridian}"
    if is_with_cron and slot.cron is not None:
        due += f", cron {slot.cron}"
    what = f"waiting for {minute:%H:%M}"
    progress.say(f"{minute:%H:%M} UTC: {due}")
    progress.wait(minute - LOOK, what)
    before = _processors()
    progress.wait(minute - LOOK / 10, what)
    idle, all_ = (now - then for now, then in zip(_processors(), before, strict=True))
    if idle < (1 - BUSY) * all_:
        others = f"other programs used {1 - idle / all_:.0%} of the processors just before"
        found.notes.append(f"{minute:%H:%M}, {due}: {others}")
    progress.wait(minute, what)
    progress.wait(minute + OVER, "until its jobs are over")


def _processors() -> tuple[int, int]:
    """Return the ticks of all processors so far, idle and altogether: proc_stat(5)."""
    first = Path("/proc/stat").read_text(encoding="ascii").partition("\n")[0]
    ticks = [int(word) for word in first.split()[1:9]]
    return ticks[3] + ticks[4], sum(ticks)


def _measure_floor(load: Load, folder: Path, found: Lateness) -> None:
    rounds = found.floor.setdefault(load, [])
    rounds.append(floor.measure(load, folder / f"floor-{load.name}-{len(rounds)}"))


def _furnished(folder: Path, slots: dict[datetime, Slot]) -> Meridian:
    meridian = Meridian(folder / "meridian")
    lines = ["CRON_TZ=UTC\n"]
    for load in Load:
        minutes = [minute for minute, slot in slots.items() if slot.meridian is load]
        lines += jobs.crontab(load, minutes, meridian.file(load)) if minutes else []
    meridian.crontab.write_text("".join(lines), encoding="utf-8")
    return meridian


def _cron_table(cron: Cron, slots: dict[datetime, Slot]) -> str:
    lines = ['MAILTO=""\n']
    for load in Load:
        minutes = [minute for minute, slot in slots.items() if slot.cron is load]
        lines += jobs.crontab(load, minutes, cron.file(load)) if minutes else []
    return "".join(lines)


def _collect(
    found: Lateness, minute: datetime, slot: Slot, meridian: Meridian, cron: Cron | None
) -> None:
    own = meridian.starts(slot.meridian, minute)
    found.note("Meridian", slot.meridian, own)
    found.meridian.setdefault(slot.meridian, []).append(own)
    found.journal.setdefault(slot.meridian, []).append(meridian.journalled(minute))
    if cron is None or slot.cron is None:
        return
    beside = cron.starts(slot.cron, minute)
    found.note("cron", slot.cron, beside)
    found.cron.setdefault(slot.cron, []).append(beside)
    if own and beside and min(beside) - max(own) < 0.1:
        found.notes.append(f"{minute:%H:%M}: Meridian's job and cron's started at the same time")


def _minute_of(instant: datetime) -> datetime:
    return instant.replace(second=0, microsecond=0)
