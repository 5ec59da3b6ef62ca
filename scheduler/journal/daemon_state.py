"""What the daemon remembers beside its runs: where the one before it stood in, and out again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler.journal import decoding
from scheduler.journal.columns import seconds, whole
from scheduler.journal.connection import Connection, first
from scheduler.schedule.tick import first_to_come

if TYPE_CHECKING:
    from datetime import datetime

    from scheduler.journal.high_water import Progress
    from scheduler.pause import Paused
    from scheduler.schedule.backlog import Backlog
    from scheduler.schedule.tick import Era, Jump


class DaemonState:
    """The part of the journal that tells a daemon where the one before it stood.

    Owns: nothing but its way to the connection. Called by: the loop as it starts and once a minute,
    transactions, and commands that only read. Invariant: each fact has one row, so what is told
    last is what the next daemon finds.
    """

    def __init__(self, connection: Connection, progress: Progress) -> None:
        self._connection = connection
        self._progress = progress

    def last_tick(self) -> datetime | None:
        """Return the last minute handled; None before the first."""
        return first(self._connection.read(decoding.instants, "last_tick"))

    def set_last_tick(self, minute: datetime) -> None:
        """Remember that this minute has been handled."""
        unix = whole(minute)
        self._progress.has_minute(unix)
        self._connection.do("set_last_tick", minute=unix)

    def anchor(self, job: str, interval_minutes: int) -> datetime | None:
        """Return from where an `@every` job counts; None if it has not counted this interval."""
        return first(
            self._connection.read(
                decoding.instants, "anchor", job=job, interval_minutes=interval_minutes
            )
        )

    def set_anchor(self, job: str, interval_minutes: int, at: datetime) -> None:
        """Let an `@every` job count from here, in place of what it counted before."""
        self._connection.do(
            "set_anchor", job=job, interval_minutes=interval_minutes, instant=whole(at)
        )

    def last_instant(self, job: str) -> datetime | None:
        """Return the newest instant of the job that is accounted for, run or skipped."""
        return first(self._connection.read(decoding.instants, "last_instant", job=job))

    def booted(self, job: str, boot_id: str) -> bool:
        """Tell whether the job has had its `@reboot` run for this boot."""
        return bool(self._connection.rows("booted", job=job, boot_id=boot_id))

    def set_booted(self, job: str, boot_id: str) -> None:
        """Remember that the job has had its `@reboot` run for this boot."""
        self._connection.do("set_booted", job=job, boot_id=boot_id)

    def pauses(self) -> list[Paused]:
        """Return the jobs that are paused, those included whose time is over."""
        return self._connection.read(decoding.pauses, "pauses")

    def pause(self, paused: Paused) -> None:
        """Remember that a job is paused, in place of what was known of it."""
        until = None if paused.until is None else seconds(paused.until)
        since = seconds(paused.since)
        self._connection.do("pause", job=paused.job, since=since, until=until, note=paused.note)

    def resume(self, job: str) -> bool:
        """Forget that a job is paused; False if it is not."""
        return self._connection.do("resume", job=job).rowcount == 1

    def old_names(self) -> list[str]:
        """Return the names that an earlier version may have derived, and no entry was found for."""
        return self._connection.read(decoding.words, "old_names")

    def rename(self, old: str, new: str) -> None:
        """Call a job and its runs by another name from now on."""
        for part in ("rename_runs", "rename_anchor", "rename_boot", "rename_pause"):
            self._connection.do(part, old=old, new=new)
        self._connection.do("forget_old_name", old=old)

    def backlogs(self) -> list[Backlog]:
        """Return what is still to run of the instants of each job that has a backlog."""
        return self._connection.read(decoding.backlogs, "backlogs")

    def backlog(self, job: str) -> Backlog | None:
        """Return a job's backlog; None if it has none."""
        return first(self._connection.read(decoding.backlogs, "backlog", job=job))

    def set_backlog(self, backlog: Backlog) -> None:
        """Remember a job's backlog, in place of what was known of it."""
        self._connection.do(
            "set_backlog",
            job=backlog.job,
            schedule=backlog.schedule,
            zone=backlog.zone,
            next=whole(backlog.next),
            last=whole(backlog.last),
            remain=backlog.left,
            missed=None if backlog.missed is None else whole(backlog.missed),
            late=None if backlog.late is None else whole(backlog.late),
        )

    def end_backlog(self, job: str) -> None:
        """Forget a job's backlog: nothing of it is left."""
        self._connection.do("end_backlog", job=job)

    def jump(self, jump: Jump, *, era: int = 0) -> None:
        """Journal what the clock did in an era, or that there was no daemon."""
        self._connection.do(
            "jump",
            last=whole(jump.last),
            noticed=seconds(jump.at),
            kind=jump.kind.value,
            seconds=jump.seconds,
            verdict=jump.verdict.value,
            era=era,
        )

    def leaps(self, era: int, instant: datetime) -> list[Jump]:
        """Return the jumps of an era that left minutes out which lie behind this instant."""
        return self._connection.read(decoding.jumps, "leaps", era=era, instant=whole(instant))

    def first_to_come(self, now: datetime) -> datetime:
        """Return the first minute that a daemon has still to handle at `now`: see tick."""
        last, eras = self.last_tick(), self.eras()
        is_back = last is not None and now < last
        leaps = self.leaps(eras[-1].number if eras else 0, now) if is_back else ()
        return first_to_come(last, now, leaps)

    def eras(self) -> tuple[Era, ...]:
        """Return the eras that began when the clock was set back, in order."""
        return self._connection.read(decoding.eras, "eras")

    def begin_era(self, era: Era) -> None:
        """Let time come again from an era's first minute on; anchors lie no later than that."""
        self._connection.do(
            "begin_era",
            number=era.number,
            since=whole(era.since),
            last=whole(era.last),
            noticed=seconds(era.noticed),
        )
        self._connection.do("rewind_anchors", minute=whole(era.since))
        self._connection.do("seal_anchors")
