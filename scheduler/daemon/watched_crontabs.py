"""The crontabs of a daemon: names of its command line, or its paths in, what is in them now out."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from scheduler.crontab import zone_changes
from scheduler.entry import Problem, Severity
from scheduler.schedule import zone_data
from scheduler.status import Reads
from scheduler.system import crontab_files, crontab_loader, local_zone
from scheduler.system.calendar_reader import CalendarReader
from scheduler.system.calendars import UNREAD
from scheduler.system.clock import RealClock

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from zoneinfo import ZoneInfo

    from scheduler.daemon.machine_tables import MachineTables
    from scheduler.system.calendars import CalendarSource
    from scheduler.system.crontab_files import Stamp
    from scheduler.system.crontab_loader import Loaded, ReadOptions
    from scheduler.system.paths import Paths


@dataclass(slots=True)
class WatchedCrontabs:
    """Owns which crontabs the daemon reads: those named, or whatever is at its paths.

    The entries in force call it before each minute. It keeps what it saw last: `known` are the
    files that were there, `ignored` those left out for their names, `calendars` those that entries
    name, `compared` the zones whose data were compared, `seen` the files that once were there and
    `gone` those of them that were removed; `how` has the machine's zone, for lines
    without one, which may change as files may. Where nobody can look now (no descriptor is free),
    what was there last is there. A system daemon's are those of the `machine`.
    """

    named: tuple[str, ...]
    paths: Paths
    how: ReadOptions
    machine: MachineTables | None = None
    known: tuple[str, ...] = ()
    ignored: tuple[Problem, ...] = ()
    compared: set[str] = field(default_factory=set)
    calendars: tuple[str, ...] = ()
    seen: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    _reader: CalendarReader = field(init=False)

    def __post_init__(self) -> None:
        self._reader = CalendarReader(partial(crontab_loader.read_file, how=self.how))

    def wake_by(self, wake: Callable[[], object]) -> None:
        """Have this called, on another thread, when the crontabs are to be read for calendars."""
        self._reader.wake = wake

    def stamps(self) -> Mapping[str, Stamp]:
        """See `Library`."""
        files = self._paths()
        found = {file: crontab_files.stamp(Path(file)) for file in files}
        there = {file: stamp for file, stamp in found.items() if stamp is not None}
        others: dict[str, Stamp] = {
            "the machine's zone": local_zone.zone_stamp(),
            "ignored files": tuple(problem.file for problem in self._ignored()),
            "who can write the folders": crontab_files.stamp_of_ways(files),
            "calendars of users": self._reader.stamp(),
        }
        calendars = {file: crontab_files.stamp(Path(file)) for file in self.calendars}
        machine = self.machine.stamps(self.how.zone) if self.machine else {}
        others |= crontab_loader.calendar_stamps(calendars)
        return {**there, **self._gone(there), **machine, **others}

    def _gone(self, there: Collection[str]) -> Mapping[str, Stamp]:
        """Return a stamp of each file that was removed: no second look is taken for it."""
        if self.named:  # these are kept, however long they stay away
            return {}
        self.seen |= set(there)
        now = RealClock().now().timestamp()
        away = self.seen.difference(there)
        self.gone = {
            file for file in away if file in self.gone or crontab_files.is_gone(Path(file), now)
        }
        return dict.fromkeys(self.gone, ("gone",))

    def load(self) -> Loaded:
        """See `Library`."""
        before, about_zone = self.how, self._look_at_zone()
        shelf = self._reader.shelf()
        loaded = crontab_loader.load(self._paths(), self.how, calendars=shelf)
        if any(map(self._reader.waits_for, loaded.unread)):
            self.how = before  # so that it is told of the next time, too
            return loaded
        self._reader.start(loaded.unread)
        loaded = replace(loaded, unread=frozenset(), problems=_of_waiting(loaded.problems))
        if self.machine:
            loaded = self.machine.counted(loaded)
        self._reader.keep(shelf)
        self.calendars = tuple(loaded.calendars)
        others = (*self._none(), *self._ignored(), *about_zone, *self._conflicts(loaded))
        others += tuple(self.machine.problems()) if self.machine else ()
        return replace(loaded, problems=(*loaded.problems, *others))

    def read_apart(self, calendars: Collection[CalendarSource]) -> None:
        """See `Library`."""
        self._reader.start(calendars)

    def rebooted(self) -> None:
        """See `Library`."""
        if self.machine:
            self.machine.rebooted()

    def is_reading(self) -> bool:
        """See `Library`."""
        return self._reader.is_reading

    def _none(self) -> tuple[Problem, ...]:
        """Return a warning where root's folder has no crontab, as a user gets for a missing one."""
        folder = self.paths.folder
        if folder is None or self.known:
            return ()
        message, hint = "there is no crontab here yet", "meridian edit begins one"
        return (Problem(str(folder), 0, 0, Severity.WARNING, "missing", message, hint),)

    def _look_at_zone(self) -> tuple[Problem, ...]:
        """Go by the machine's zone as it is now, and return what there is to say of it."""
        zone, problem = local_zone.machine_zone()
        if problem is not None:
            return (_kept_zone(self.how.zone, problem),)
        before, self.how = self.how.zone, replace(self.how, zone=zone)
        is_other = before is not zone_data.NOBODYS and before.key != zone.key
        return (_other_zone(before, zone),) if is_other else ()

    def _ignored(self) -> tuple[Problem, ...]:
        """Return a warning for each file that is left out for its name."""
        folder = self.paths.folder
        with suppress(OSError):
            if folder is not None and not self.named:
                self.ignored = crontab_files.ignored(folder)
        return self.ignored

    def _conflicts(self, loaded: Loaded) -> tuple[Problem, ...]:
        """Compare the data of the zones that are new: once for each, since it takes its time."""
        new = {entry.zone.key for entry in loaded.entries} - self.compared
        self.compared |= new
        return tuple(zone_changes.conflicts(new, RealClock().now()))

    def reads(self) -> Reads:
        """See `Library`."""
        return Reads(
            is_named=bool(self.named),
            is_system_format=self.how.system,
            zone=self.how.zone.key,
            is_system=self.machine is not None,
            without_cron=(self.machine.refusal or None) if self.machine else None,
            most_entries=self.how.most if self.machine else None,
        )

    def close(self) -> None:
        """Let go of cron's tables, at the end of the daemon."""
        if self.machine:
            self.machine.release()

    def _paths(self) -> tuple[str, ...]:
        if self.machine:
            self.machine.look()
            self.how = self.machine.reading(self.how)
            self.known = tuple(self.machine.at)
            return self.known
        with suppress(OSError):  # without a descriptor to look with, what was there is there
            self.known = self.named or crontab_files.own_files(self.paths)
        return self.known


def _of_waiting(problems: tuple[Problem, ...]) -> tuple[Problem, ...]:
    """Return these; that a user's entries wait for a calendar is no error."""
    return tuple(
        replace(each, severity=Severity.WARNING) if each.code == UNREAD else each
        for each in problems
    )


def _kept_zone(zone: ZoneInfo, problem: str) -> Problem:
    """Return what is said of a machine's zone that can't be told any more, or never could."""
    path = str(local_zone.LOCALTIME)
    kept = "" if zone is zone_data.NOBODYS else f" (its zone is still taken to be {zone.key})"
    return Problem(path, 0, 0, Severity.WARNING, "damaged-zone", problem + kept)


def _other_zone(before: ZoneInfo, zone: ZoneInfo) -> Problem:
    """Return what is said when the machine has been given another zone: runs move with it."""
    path = str(local_zone.LOCALTIME)
    message = f"the machine's zone is {zone.key} now, and was {before.key}"
    hint = "entries without a CRON_TZ go by it"
    return Problem(path, 0, 0, Severity.WARNING, "other-zone", message, hint)
