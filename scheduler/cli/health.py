"""A snapshot in, a finding for whoever looks after machines out: `status --check`.

The levels are the exit statuses of the Monitoring Plugins' guidelines; so is the one line.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum
from typing import TYPE_CHECKING

from scheduler.text import counted, of_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from scheduler.status import CrontabFile, Snapshot

# An idle minute is handled when the one after it is prepared, so that an idle daemon is just under
# two minutes behind; it gives itself up to half a minute for preparing one, and is in time then.
LATE = timedelta(minutes=2, seconds=30)
_MINUTE = timedelta(minutes=1)
_NAMED = 5  # jobs that are named; the rest is a number


class Level(IntEnum):
    """What it comes to; its number is the exit status."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3  # the question was wrong, or nobody could tell


@dataclass(frozen=True, slots=True)
class Finding:
    """A level, and in one line why."""

    level: Level
    text: str

    def __str__(self) -> str:
        # What comes behind a bar is measured values to whoever reads these lines.
        return f"{self.level.name}: {self.text.replace('|', '/')}"


@dataclass(frozen=True, slots=True)
class AlertTrouble:
    """How many alerts were given up in the last day, and how many wait to be tried again."""

    failed: int = 0
    retrying: int = 0

    def __str__(self) -> str:
        told = []
        if self.failed:
            told.append(f"{counted(self.failed, 'alert')} given up in the last day")
        if self.retrying:
            told.append(f"{counted(self.retrying, 'alert')} to be tried again")
        return ", ".join(told)


@dataclass(frozen=True, slots=True)
class Trouble:
    """What the state folder tells of trouble.

    Jobs, each as `name (run 7)`: given up, or waiting for a retry; and damaged journals that were
    moved aside, each as its file's name. And who could not be told of something.
    """

    failing: Sequence[str] = ()
    retrying: Sequence[str] = ()
    damaged: Sequence[str] = ()
    alerts: AlertTrouble = AlertTrouble()


def judge(snapshot: Snapshot, trouble: Trouble, now: datetime) -> Finding:
    """Return the worst there is, and every reason, the worst first; `now` is the asker's clock.

    It is to be read before the daemon is asked: what comes after takes its time.
    """
    critical = list(_critical(snapshot, trouble, now))
    warning = list(_warning(snapshot, trouble, now))
    if critical or warning:
        level = Level.CRITICAL if critical else Level.WARNING
        return Finding(level, "; ".join(critical + warning))
    return Finding(Level.OK, ", ".join(_facts(snapshot)))


def _critical(snapshot: Snapshot, trouble: Trouble, now: datetime) -> Iterator[str]:
    if snapshot.is_stopping:
        yield "the daemon is stopping, and starts nothing new"
    if snapshot.journal is not None:
        yield f"the journal refuses: {snapshot.journal}"
    late = behind(snapshot, now)
    if late > LATE:
        yield f"the last minute handled is {of_seconds(late.total_seconds())} behind the clock"
    if trouble.failing:
        yield f"{counted(len(trouble.failing), 'job')} failing: {_names(trouble.failing)}"


def _warning(snapshot: Snapshot, trouble: Trouble, now: datetime) -> Iterator[str]:
    if trouble.retrying:
        number = counted(len(trouble.retrying), "run")
        yield f"{number} waiting for a retry: {_names(trouble.retrying)}"
    if trouble.alerts.failed:
        yield f"{trouble.alerts}: see meridian alerts"
    if trouble.damaged:
        yield damage(trouble.damaged)
    if (wait := ahead(snapshot, now)) > LATE:
        yield waiting_out(wait)
    if snapshot.crontabs.problems:
        yield f"{counted(snapshot.crontabs.problems, 'problem')} in the crontabs"
    if refusing := [file for file in snapshot.files if not is_whole(file)]:
        yield _names([of_file(file) for file in refusing])
    if snapshot.crontabs.kept:
        number = counted(snapshot.crontabs.kept, "unreadable entry")
        yield f"{number} kept in the last good version"
    yield from _without_cron(snapshot)


def _without_cron(snapshot: Snapshot) -> Iterator[str]:
    if snapshot.reads is not None and snapshot.reads.without_cron:
        yield f"cron's tables are not run: {snapshot.reads.without_cron}"


def _facts(snapshot: Snapshot) -> Iterator[str]:
    yield f"{counted(snapshot.crontabs.entries, 'entry')}"
    yield f"{snapshot.counts.running} running"
    yield f"{snapshot.counts.waiting} waiting"
    if snapshot.counts.paused:
        yield f"{snapshot.counts.paused} paused"


def _names(jobs: Sequence[str]) -> str:
    more = f" and {len(jobs) - _NAMED} more" if len(jobs) > _NAMED else ""
    return ", ".join(jobs[:_NAMED]) + more


def is_whole(file: CrontabFile) -> bool:
    """Say whether a crontab was read, and all of its entries."""
    return file.is_readable and not file.refused


def of_file(file: CrontabFile) -> str:
    """Return in a few words what there is in a crontab, and which of its lines are refused."""
    told = [counted(file.entries, "entry")]
    if not file.is_readable:
        told.append("can't be read")
    if file.refused:
        told.append(f"{counted(file.refused, 'entry')} refused: {_lines(file)}{_reasons(file)}")
    if file.kept:
        told.append(f"{file.kept} kept in the last good version")
    return f"{file.file}: {', '.join(told)}"


def _lines(file: CrontabFile) -> str:
    numbers = [str(line) for line in file.lines[:_NAMED]]
    more = file.refused - len(numbers)
    if more:
        return f"lines {', '.join(numbers)} and {more} more"
    head, last = numbers[:-1], numbers[-1]
    return f"lines {', '.join(head)} and {last}" if head else f"line {last}"


def _reasons(file: CrontabFile) -> str:
    """Return the different reasons in brackets, as in ` (unknown-zone on line 1)`."""
    reasons = list(dict.fromkeys(filter(None, file.reasons)))
    return f" ({_names(reasons)})" if reasons else ""


def damage(files: Sequence[str]) -> str:
    """Return in a sentence which damaged journals were moved aside, and what to do."""
    if len(files) == 1:
        return f"a damaged journal was moved aside: look at {files[0]}, then delete it"
    return f"damaged journals were moved aside: look at {_names(files)}, then delete them"


def waiting_out(wait: timedelta) -> str:
    """Return in a few words that the clock was set back, and for how long nothing is due."""
    return f"the clock was set back: nothing is due for {of_seconds(wait.total_seconds())}"


def ahead(snapshot: Snapshot, now: datetime) -> timedelta:
    """Return for how long minutes come that have been handled, since the clock was set back."""
    last = now if snapshot.last_tick is None else snapshot.last_tick
    return max(last + _MINUTE - now, timedelta(0))


def behind(snapshot: Snapshot, now: datetime) -> timedelta:
    """Return how far the last minute handled lies behind; from its start for a new daemon."""
    last = snapshot.daemon.started - _MINUTE if snapshot.last_tick is None else snapshot.last_tick
    return max(now - last, timedelta(0))
