"""A damaged journal in; out comes one that has begun anew, with what could be read of the old.

The damaged file is only moved aside: its user may know more of repairing it than a daemon does.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from scheduler.errors import JournalBehind, JournalDamaged, MeridianError
from scheduler.journal import high_water, unjournalled
from scheduler.journal.columns import EPOCH, SECOND
from scheduler.journal.high_water import HighWater
from scheduler.journal.journal import Journal
from scheduler.journal.repair_files import RepairFiles
from scheduler.journal.salvage import RunsTaken, Salvage, Taken
from scheduler.process import output_files
from scheduler.process.output_files import output_of
from scheduler.schedule.tick import minute_of
from scheduler.system import state_files
from scheduler.text import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from scheduler.process.spawner import Spawner
    from scheduler.system.clock import Clock
    from scheduler.system.log import Log

_HANDLED_WORDS = "minutes up to now count as handled"
_BLIND = f"{_HANDLED_WORDS}, and so does @reboot"
_TAKEN_WORDS = {  # what is said of the runs that were taken over
    RunsTaken.ALL: "open runs, the runs of a day and what minute it was are taken over",
    RunsTaken.OPEN: f"open runs are taken over; {_HANDLED_WORDS}",
    RunsTaken.OVER: f"of it, what is over and the pauses are taken over; {_BLIND}",
    RunsTaken.NONE: f"its runs can't be relied on, so {_BLIND}",
}
_LOST = {  # what is said of a table that could not be taken over whole
    "pause": "some jobs that were paused may be paused no more",
    "anchor": "some @every jobs count anew",
    "boot": "@reboot counts as handled",
    "backlog": "some missed runs are not made up for",
    "alert_state": "what was announced may be announced again",
    "notice": "some alerts are not sent",
}
_COST_OF = {  # the files beside the journal, and what is said of one that can't be written
    high_water.HIGH_WATER_NAME: (
        "if the journal is set back, by a crash or a copy, that is not seen"
    ),
    unjournalled.ENDINGS_NAME: (
        "how jobs end while the journal refuses it is lost when the daemon stops"
    ),
}
EVERY_JOB = ""  # stands in the journal for all names, of which none is empty
_TAKEN = timedelta(days=1)  # finished runs of this time are taken over: their keys stay taken
# Seconds in which a second damage is the disk's, and no third journal is begun.
_AGAIN_WITHIN = 600.0


class Repair:
    """Begins a journal anew where the one that was is damaged, gone, or older than is known.

    Owns: the journal while no daemon has it open, and when it last began one. Called by: the
    service, around each daemon's life. Invariant: the old journal is moved when the new one is
    complete. Wherever that is cut short, the next daemon finds one or the other, and goes on.
    """

    def __init__(
        self, journal: Path, *, clock: Clock, spawner: Spawner, boot: str | None, log: Log
    ) -> None:
        self._path = journal
        self._files = RepairFiles(journal)
        self._clock = clock
        self._spawner = spawner
        self._boot = boot
        self._log = log
        # When there was one before, on the monotonic clock, and whether runs were taken over.
        self._last: tuple[float, bool] | None = None

    def keep(self, live: Callable[[], None]) -> None:
        """Let a daemon `live` until it ends; one whose journal is damaged is followed by the next.

        Raises what `begin` and `renew` raise.
        """
        self.begin()
        self._tell_of_unwritable()
        while True:
            try:
                self.check()
                live()
            except JournalDamaged as damage:
                self.renew(damage)
            else:
                return

    def begin(self) -> None:
        """Finish what a crash cut short; where a journal is missing leave one that knows of that.

        It is missing beside outputs, or beside a damaged one. Its user has deleted it, or something
        has emptied it: an empty file is a database. Raises MeridianError if there can be none.
        """
        with self._refusals():
            self._files.begin()
            if self._files.has_journal():
                self._files.remove_new()  # its damage is found again
            elif self._files.has_new():
                self._finish()
            elif self._files.asides() or self._known() != HighWater():
                self._begin_again()

    def check(self) -> None:
        """Let the journal be told of that has come less far than is known: JournalBehind.

        It has lost its log, or a part of it, or an older one was put in its place. Raises
        MeridianError also where nobody can tell.
        """
        try:
            known = self._known()
        except OSError as error:
            why = f"can't look through {self._outputs}: {error.strerror}"
            raise MeridianError(f"{why}; it tells whether the journal went back") from error
        found = Journal.reached_at(self._path)
        if not found.is_behind(known):
            return
        lost = f"it has {counted(found.commits, 'commit')} and runs up to number {found.run}"
        had = f"it had {known.commits} and runs up to number {known.run}"
        why = f"its {self._path.name}-wal was lost or damaged, or an older copy is in its place"
        raise JournalBehind(f"the journal {self._path} went back: {lost}, {had}; {why}")

    def renew(self, damage: JournalDamaged) -> None:
        """Leave a new journal in the place of a damaged one, which is kept; nobody has it open.

        Raises MeridianError if it was renewed only a while ago, or can't be.
        """
        is_blind = self._is_too_soon(damage)
        with self._refusals():
            with self._files.filling() as journal:
                known = self._known()
                taken = self._take_over(journal, known, is_blind=is_blind)
            aside = self._files.unused(self._clock.now())
            self._files.move_aside(aside)
            self._files.take_place(aside)
        whole, behind = int(taken.runs is RunsTaken.ALL), int(isinstance(damage, JournalBehind))
        self._last = self._clock.monotonic(), taken.runs is not RunsTaken.NONE
        then = "; ".join(
            (_TAKEN_WORDS[taken.runs], *(_LOST[each] for each in _LOST if each in taken.lost))
        )
        say = f"{damage}; it is moved to {aside.name}, and a new one is begun: {then}"
        self._log.error(
            "renewed",
            moved_to=str(aside),
            taken_over=whole,
            went_back=behind,
            lost=tuple(sorted(taken.lost)),
            say=say,
        )

    def _is_too_soon(self, damage: JournalDamaged) -> bool:
        """Say whether what was taken over only a while ago was damaged, too.

        Raises MeridianError if nothing had been: then it is the disk's.
        """
        if self._last is None or self._clock.monotonic() - self._last[0] >= _AGAIN_WITHIN:
            return False
        if not self._last[1]:
            raise MeridianError(f"{damage}; it had just been begun anew: look at the disk")
        return True

    def _begin_again(self) -> None:
        """Begin one in the place of a journal that is gone."""
        self._files.move_log_aside(self._files.unused(self._clock.now()))
        with self._files.filling() as journal:
            known = self._known()
            self._begin_blind(journal, known)
        self._files.take_place(self._files.unused(self._clock.now()))
        what = "there is no journal beside what earlier daemons left"
        self._log.error("renewed", taken_over=0, say=f"{what}, so one is begun: {_BLIND}")

    def _finish(self) -> None:
        """Let a new journal take its place, whose daemon was killed after it had moved the old."""
        aside = self._files.newest_aside() or self._files.unused(self._clock.now())
        self._files.take_place(aside)
        say = f"the damaged journal was moved to {aside.name} by a daemon that was killed then"
        self._log.error("renewed", moved_to=str(aside), say=f"{say}; the new one is in its place")

    def _tell_of_unwritable(self) -> None:
        """Warn of a file beside the journal that can't be written, and say what that costs."""
        for name, lost in _COST_OF.items():
            path = self._path.with_name(name)
            try:
                with state_files.open_for(path, os.O_WRONLY | os.O_CREAT):
                    pass
            except OSError as error:
                why = error.strerror
                say = f"{path} can't be written ({why}): {lost}"
                self._log.warning("unwritable", file=str(path), why=why, say=say)

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            message = f"the journal {self._path} can't be begun anew: {error.strerror}"
            raise MeridianError(message) from error

    # --- what it knows -----------------------------------------------------------------------

    @property
    def _outputs(self) -> Path:
        return self._path.parent / "outputs"

    def _known(self) -> HighWater:
        """Return how far the journal had come, by the file beside it and by the outputs' numbers.

        Raises OSError where the system does not tell what outputs there are.
        """
        told = high_water.read(high_water.beside(self._path))
        return replace(told, run=max(told.run, output_files.highest(self._outputs)))

    def _take_over(self, journal: Journal, known: HighWater, *, is_blind: bool) -> Taken:
        """Take what a daemon needs from the damaged journal, as far as it can be relied on."""
        taken = Taken()
        if not is_blind:
            since = self._clock.now() - _TAKEN
            taken = Salvage(journal).take_over(self._path, since=since, known=known)
        if taken.runs is not RunsTaken.ALL:
            self._count_as_handled(journal, known)
        if not taken.runs.has_open or "boot" in taken.lost:
            self._count_as_booted(journal)
        journal.count_from(known)
        self._restore(journal, replaces=not taken.runs.has_open)
        return taken

    def _begin_blind(self, journal: Journal, known: HighWater) -> None:
        """Let nothing be done again that may have been done: rather left out than run twice.

        Numbers go on behind those of the outputs that there are.
        """
        journal.count_from(known)
        self._count_as_handled(journal, known)
        self._count_as_booted(journal)
        self._restore(journal, replaces=True)

    def _count_as_handled(self, journal: Journal, known: HighWater) -> None:
        reached = EPOCH + known.minute * SECOND
        journal.daemon_state.set_last_tick(max(minute_of(self._clock.now()), reached))

    def _count_as_booted(self, journal: Journal) -> None:
        if self._boot is not None:
            journal.daemon_state.set_booted(EVERY_JOB, self._boot)

    def _restore(self, journal: Journal, *, replaces: bool) -> None:
        """Let the journal know what still runs, where no row of it could be read.

        The outputs tell it.
        """
        now, there = self._clock.now(), (each.path for each in output_files.there(self._outputs))
        with journal.transaction():
            for attempt, pid in self._spawner.survivors(there).items():
                is_new = journal.restore(attempt, output_of(attempt), replaces=replaces)
                if is_new and pid:  # else it is hidden, and known by its output alone
                    journal.started(attempt, now, pid, self._spawner.started_at(pid))
