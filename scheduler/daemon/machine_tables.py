"""A machine's folders in; out come the crontabs that its system daemon reads now, and how."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from scheduler.entry import Problem, Severity
from scheduler.system import anacron_stamps, crontab_files, crontab_place
from scheduler.system.anacron_stamps import AnacronStamps
from scheduler.system.clock import RealClock
from scheduler.system.cron_lock import CRON_PID, CronLock
from scheduler.system.crontab_loader import TakenTables
from scheduler.system.known_users import KnownAccounts

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from pathlib import Path
    from zoneinfo import ZoneInfo

    from scheduler.entry import Entry
    from scheduler.system.crontab_files import Stamp
    from scheduler.system.crontab_loader import Loaded, ReadOptions
    from scheduler.system.crontab_place import CrontabPlace


def _nobody(_names: Collection[str]) -> None:
    """Nobody else looks users up."""


@dataclass(slots=True)
class MachineTables:
    """Which crontabs a system daemon reads: its own folder's, and cron's where no cron runs them.

    Owns the lock that keeps cron out, anacron's stamps, and whose the entries are; these `users`,
    and who else is to `know`, look them up ahead. The watched crontabs call `look`
    before each minute, `counted` after each reading, and `release` at the end. Invariant: no table
    of cron's counts unless the lock is this daemon's, and no job of anacron unless its stamp is.
    """

    own: Path
    record: Path  # until when cron had its tables, for the next daemon
    root: Path = crontab_place.ROOT
    at: Mapping[str, CrontabPlace] = field(default_factory=dict)
    ignored: tuple[Problem, ...] = ()
    users: KnownAccounts = field(default_factory=KnownAccounts)
    know: Callable[[Collection[str]], object] = _nobody
    _lock: CronLock = field(init=False)
    anacron: AnacronStamps = field(init=False)
    _jobs: set[str] = field(default_factory=set)  # of anacron, by their stamps
    _crons: set[str] = field(default_factory=set)  # the tables that were read by now
    _named: set[str] = field(default_factory=set)  # the users whose entries there are

    def __post_init__(self) -> None:
        self._lock = CronLock(self.root / CRON_PID.relative_to("/"), self.record)
        self.anacron = AnacronStamps(self.root)

    @property
    def refusal(self) -> str:
        """Why cron's tables are not read; "" where they are."""
        return self._lock.refusal

    def look(self) -> None:
        """Look which crontabs there are to read, and whose cron's are."""
        is_ours = self._lock.take()
        with suppress(OSError):  # without a descriptor to look with, what was there is there
            found = crontab_place.of_machine(self.own, self.root)
            self.ignored = crontab_place.ignored(self.root)
            self.at = {place.file: place for place in found}
        if is_ours:
            self._crons |= {file for file, place in self.at.items() if place.is_crons}
        else:
            self.at = {file: place for file, place in self.at.items() if not place.is_crons}
            self.anacron.release()

    def stamps(self, zone: ZoneInfo) -> Mapping[str, Stamp]:
        """Return what differs when the tables have to be read again, beside what is in them.

        Tables that were read, and that a cron daemon has by now, are among these: they have not
        vanished, for which a second look would be taken, but are to be let go of at once.
        """
        folder = self.root / anacron_stamps.STAMPS
        users = {place.user for place in self.at.values() if place.user is not None}
        self._ask(users | self._named)
        lost = {file: ("cron has it",) for file in self._crons if self.refusal}
        return {
            **lost,
            "cron": (self.refusal,),
            "users": tuple((user, self._uid_of(user)) for user in sorted(users)),
            "anacron": tuple(
                (job, crontab_files.stamp(folder / job), self.anacron.lock(job))
                for job in sorted(self._jobs)
            ),
            "today": (str(RealClock().now().astimezone(zone).date()),) if self._jobs else (),
        }

    def reading(self, how: ReadOptions) -> ReadOptions:
        """Return how the crontabs of the last look are read."""
        return replace(how, at=self.at, last_run=self.anacron.last_run, users=self.users)

    def counted(self, loaded: Loaded) -> Loaded:
        """Return what was read, without the jobs that anacron itself is running now."""
        files = frozenset(file for file, place in self.at.items() if place.is_crons)
        taken = TakenTables(files, self._lock.until, self._lock.has_rebooted)
        loaded = replace(loaded, taken=taken)
        self._jobs = {entry.stamp for entry in loaded.entries if entry.stamp}
        self._named = {entry.user for entry in loaded.entries if entry.user is not None}
        self._ask(self._named)
        self.anacron.keep(self._jobs)
        theirs = {job for job in self._jobs if not self.anacron.lock(job)}
        if not theirs:
            return loaded
        crontabs = tuple(
            replace(
                table, entries=tuple(each for each in table.entries if each.stamp not in theirs)
            )
            for table in loaded.crontabs
        )
        return replace(
            loaded,
            crontabs=crontabs,
            entries=tuple(each for each in loaded.entries if each.stamp not in theirs),
            problems=(*loaded.problems, *map(self._of_theirs, _stamped(loaded, theirs))),
        )

    def problems(self) -> Iterator[Problem]:
        """Yield what there is to say of the folders, and of a cron that runs beside this daemon."""
        yield from self.ignored
        if self.refusal:
            message = f"cron's tables are not read, so that no job runs twice: {self.refusal}"
            hint = "stop that one; meridian adopt shows how; they are read before the next minute"
            yield Problem(str(CRON_PID), 0, 0, Severity.WARNING, "cron-runs", message, hint)

    def rebooted(self) -> None:
        """Let every cron know that the @reboot jobs of this boot have been started."""
        if not self.refusal:
            self._lock.rebooted()

    def release(self) -> None:
        """Let go of cron's tables: the next cron daemon may have them."""
        self.anacron.release()
        self._lock.release()

    def _ask(self, names: Collection[str]) -> None:
        """Have users looked up whose jobs may start soon, so that nobody waits for it then."""
        self.users.ask(names)
        self.know(names)

    def _uid_of(self, user: str) -> int | str | None:
        try:
            return self.users.uid_of(user)
        except OSError:
            return "not told"  # what is told later is read then

    def _of_theirs(self, entry: Entry) -> Problem:
        message = f"{entry.stamp} is left to anacron: {self.anacron.refused.get(entry.stamp, '')}"
        hint = "it is taken as soon as its stamp is free"
        where = (entry.file, entry.line, 1)
        return Problem(*where, Severity.WARNING, "anacron-runs", message, hint)


def _stamped(loaded: Loaded, jobs: set[str]) -> Iterator[Entry]:
    return (entry for entry in loaded.entries if entry.stamp in jobs)
