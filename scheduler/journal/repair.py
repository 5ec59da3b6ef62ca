"""A damaged journal in; out comes one that has begun anew, with what could be read of the old.

The damaged file is only moved aside: its user may know more of repairing it than a daemon does.
"""

from __future__ import annotations

from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING

from scheduler.errors import JournalBehind, JournalDamaged, MeridianError
from scheduler.journal import high_water
from scheduler.journal.columns import EPOCH
from scheduler.journal.high_water import HighWater
from scheduler.journal.journal import Journal
from scheduler.journal.rows import SECOND
from scheduler.journal.salvage import RunsTaken, Taken
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

_MINUTES = "minutes up to now count as handled"
_BLIND = f"{_MINUTES}, and so does @reboot"
_THEN = {  # what is said of the runs that were taken over
    RunsTaken.ALL: "open runs, the runs of a day and what minute it was are taken over",
    RunsTaken.OPEN: f"open runs are taken over; {_MINUTES}",
    RunsTaken.OVER: f"of it, what is over and the pauses are taken over; {_BLIND}",
    RunsTaken.NONE: f"its runs can't be relied on, so {_BLIND}",
}
_LOST = {  # what is said of a table that could not be taken over whole
    "pause": "some jobs that were paused may be paused no more",
    "anchor": "some @every jobs count anew",
    "boot": "@reboot counts as handled",
    "backlog": "some missed runs are not made up for",
}
EVERY_JOB = ""  # stands in the journal for all names, of which none is empty
_HALF, _NEW = ".half", ".new"  # one that is being filled, and one that only has to take its place
_LOG = ("-wal", "-shm")  # sqlite.org/walformat.html: a database is these files and itself
_TAKEN = timedelta(days=1)  # finished runs of this time are taken over: their keys stay taken
_AGAIN_WITHIN = (
    600.0  # seconds in which a second damage is the disk's, and no third journal is begun
)


class Repair:
    """Begins a journal anew where the one that was is damaged, gone, or older than is known.

    Owns: the names in the state folder that begin with the journal's, while no daemon has it open;
    and when it last began one. Called by: `meridian run`, around each daemon's life. Invariant: the
    old journal is moved when the new one is complete. Wherever that is cut short, the next daemon
    finds one or the other, and goes on.
    """

    def __init__(
        self, journal: Path, *, clock: Clock, spawner: Spawner, boot: str | None, log: Log
    ) -> None:
        self._path = journal
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
            self._throw_away(_HALF)
            if state_files.is_there(self._path) and state_files.status(self._path).st_size:
                self._throw_away(_NEW)  # its damage is met again
            elif state_files.is_there(self._beside(_NEW)):
                self._finish()
            elif self._asides() or self._known() != HighWater():
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
            with self._new() as journal:
                known = self._known()
                taken = self._take_over(journal, known, is_blind=is_blind)
            aside = self._unused()
            state_files.rename(self._path, aside)
            self._take_place(aside)
        whole, behind = int(taken.runs is RunsTaken.ALL), int(isinstance(damage, JournalBehind))
        self._last = self._clock.monotonic(), taken.runs is not RunsTaken.NONE
        then = "; ".join(
            (_THEN[taken.runs], *(_LOST[each] for each in _LOST if each in taken.lost))
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
        self._set_aside_log(self._unused())
        with self._new() as journal:
            known = self._known()
            self._begin_blind(journal, known)
        self._take_place(self._unused())
        what = "there is no journal beside what earlier daemons left"
        self._log.error("renewed", taken_over=0, say=f"{what}, so one is begun: {_BLIND}")

    def _finish(self) -> None:
        """Let a new journal take its place, whose daemon was killed after it had moved the old."""
        aside = max(self._asides(), key=_moved, default=self._unused())
        self._take_place(aside)
        say = f"the damaged journal was moved to {aside.name} by a daemon that was killed then"
        self._log.error("renewed", moved_to=str(aside), say=f"{say}; the new one is in its place")

    # --- the files ---------------------------------------------------------------------------

    @property
    def _outputs(self) -> Path:
        return self._path.parent / "outputs"

    def _beside(self, ending: str) -> Path:
        return self._path.with_name(self._path.name + ending)

    def _asides(self) -> list[Path]:
        """Return the damaged journals that have been moved aside, without their logs."""
        names = (each.name for each in state_files.listed(self._path.parent))
        found = (name for name in names if name.startswith(f"{self._path.name}.damaged-"))
        return [self._path.with_name(name) for name in found if not name.endswith(_LOG)]

    def _unused(self) -> Path:
        """Return a name for a damaged journal that no other has."""
        stem = f".damaged-{self._clock.now():%Y%m%dT%H%M%SZ}"
        names = (stem if n == 0 else f"{stem}.{n}" for n in count())
        return next(path for name in names if not state_files.is_there(path := self._beside(name)))

    def _throw_away(self, ending: str) -> None:
        for part in ("", *_LOG):
            state_files.remove(self._beside(ending + part))

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            message = f"the journal {self._path} can't be begun anew: {error.strerror}"
            raise MeridianError(message) from error

    @contextmanager
    def _new(self) -> Iterator[Journal]:
        """Yield a journal to be filled; one that is not filled to its end never takes a place."""
        half = self._beside(_HALF)
        self._throw_away(_HALF)
        with closing(Journal.open(half)) as journal:
            yield journal
        if state_files.is_there(
            self._beside(f"{_HALF}-wal")
        ):  # closing it writes all of it, if there is room
            raise MeridianError(f"the journal {half} can't be written to its end")
        state_files.rename(half, self._beside(_NEW))

    def _take_place(self, aside: Path) -> None:
        """Let the new journal be the journal, once nothing of the old one lies beside it."""
        self._set_aside_log(aside)
        state_files.rename(self._beside(_NEW), self._path)

    def _set_aside_log(self, aside: Path) -> None:
        """Move what belongs to a journal that was moved first: SQLite would give it to the next.

        Without it, that journal would be an older one, and nobody would see a damage in it.
        """
        for part in _LOG:
            if state_files.is_there(left := self._beside(part)):
                state_files.rename(left, aside.with_name(aside.name + part))

    # --- what it knows -----------------------------------------------------------------------

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
            taken = journal.salvage.take_over(self._path, since=since, known=known)
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


def _moved(path: Path) -> int:
    """Return when a file got its name: a rename changes nothing else of it."""
    return state_files.status(path).st_ctime_ns
