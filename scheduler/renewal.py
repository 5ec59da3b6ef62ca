"""A damaged journal in; out comes one that has begun anew, with what could be read of the old.

The damaged file is only moved aside: its user may know more of repairing it than a daemon does.
"""

from __future__ import annotations

from contextlib import closing, contextmanager
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING

from scheduler import outputs
from scheduler.errors import JournalError, MeridianError
from scheduler.journal import Journal
from scheduler.launches import output_of
from scheduler.tick import minute_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scheduler.clock import Clock
    from scheduler.errors import JournalDamaged
    from scheduler.log import Log
    from scheduler.process import Spawner

_BLIND = "minutes up to now count as handled, and so does @reboot"
EVERY_JOB = ""  # stands in the journal for all names, of which none is empty
_PARTS = ("", "-wal", "-shm")  # sqlite.org/walformat.html: a database is these files together
_TAKEN = timedelta(days=1)  # finished runs of this time are taken over: their keys stay taken
_PATIENCE = 600.0  # seconds in which a second damage is the disk's, and no third journal is begun


class Renewal:
    """Begins journals anew, on behalf of the daemon that holds the state folder."""

    def __init__(
        self, journal: Path, *, clock: Clock, spawner: Spawner, boot: str | None, log: Log
    ) -> None:
        self._path = journal
        self._clock = clock
        self._spawner = spawner
        self._boot = boot
        self._log = log
        self._last: float | None = None  # when there was one before, on the monotonic clock

    def begin(self) -> None:
        """Where there is no journal beside outputs, leave one that knows that there was one.

        Its user has deleted it, or something has emptied it: an empty file is a database.
        """
        size = self._path.stat().st_size if self._path.exists() else 0
        if size or not any(True for _ in outputs.there(self._path.parent / "outputs")):
            return
        with self._new() as journal, journal.transaction():
            self._begin_blind(journal)
        say = f"there is no journal beside the outputs of earlier runs, so one is begun: {_BLIND}"
        self._log.error("renewed", taken_over=0, say=say)

    def renew(self, damage: JournalDamaged) -> None:
        """Move the damaged journal aside and leave a new one in its place; nobody has it open.

        Raises MeridianError if it was renewed only a while ago, or can't be.
        """
        now = self._clock.monotonic()
        if self._last is not None and now - self._last < _PATIENCE:
            raise MeridianError(f"{damage}; it had just been begun anew: look at the disk")
        self._last = now
        aside = self._set_aside()
        with self._new() as journal:
            is_whole = self._take_over(journal, aside)
            if not is_whole:
                with journal.transaction():
                    self._begin_blind(journal)
        then = (
            "open runs, the runs of a day and what minute it was are taken over"
            if is_whole
            else f"nothing of it can be relied on, so {_BLIND}"
        )
        say = f"{damage}; it is moved to {aside.name}, and a new one is begun: {then}"
        self._log.error("renewed", moved_to=str(aside), taken_over=int(is_whole), say=say)

    def _set_aside(self) -> Path:
        """Rename the journal with all its files, the database first, and return its new name.

        A crash in between leaves parts that belong to no database: SQLite deletes them.
        """
        stem = f"{self._path.name}.damaged-{self._clock.now():%Y%m%dT%H%M%SZ}"
        names = (stem if n == 0 else f"{stem}.{n}" for n in count())
        aside = next(path for name in names if not (path := self._path.with_name(name)).exists())
        try:
            for part in _PARTS:
                path = self._path.with_name(self._path.name + part)
                if path.exists():
                    path.rename(aside.with_name(aside.name + part))
        except OSError as error:
            message = f"the damaged journal {self._path} can't be moved aside: {error.strerror}"
            raise MeridianError(message) from error
        return aside

    @contextmanager
    def _new(self) -> Iterator[Journal]:
        """Yield a journal that takes its place when it is filled: a crash leaves it, or none.

        Then the next daemon begins one beside the outputs: see `begin`.
        """
        new = self._path.with_name(f"{self._path.name}.new")
        for part in _PARTS:
            new.with_name(new.name + part).unlink(missing_ok=True)
        with closing(Journal.open(new)) as journal:
            yield journal
        new.rename(self._path)

    def _take_over(self, journal: Journal, aside: Path) -> bool:
        """Take what a daemon needs from the damaged journal; all of it, or nothing."""
        try:
            journal.take_over(aside, since=self._clock.now() - _TAKEN)
        except JournalError:
            return False
        return True

    def _begin_blind(self, journal: Journal) -> None:
        """Let nothing be done again that may have been done: rather left out than run twice.

        Numbers go on behind those of the outputs that there are; what still runs is told by its
        marks, where its output says that a daemon of this state started it.
        """
        state, now = self._path.parent, self._clock.now()
        numbers = (found.run for found in outputs.there(state / "outputs"))
        journal.count_from(max(numbers, default=0))
        journal.set_last_tick(minute_of(now))
        if self._boot is not None:
            journal.set_booted(EVERY_JOB, self._boot)
        for attempt, pid in self._spawner.orphans().items():
            if (state / output_of(attempt)).exists():
                journal.restore(attempt, output_of(attempt))
                journal.started(attempt, now, pid, self._spawner.started_at(pid))
