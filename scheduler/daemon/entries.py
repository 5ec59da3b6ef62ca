"""The entries in force: crontabs in, read again when they change; the last good timetable out."""

from __future__ import annotations

import traceback
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from scheduler.crontab import job_names, last_good, lint, zone_changes
from scheduler.daemon.taken_tables import TakenOver
from scheduler.entry import Crontab, Entry, Every, Severity
from scheduler.runs.events import CrontabLoaded
from scheduler.schedule import zone_data
from scheduler.schedule.catchup import Outage, OutageAccount, Walk, accounts, excluded
from scheduler.schedule.misfire import opens_another_day
from scheduler.schedule.tick import MINUTE, minute_of
from scheduler.schedule.timetable import Timetable
from scheduler.status import CrontabFile
from scheduler.system.crontab_loader import calendar_stamps
from scheduler.text import counted, of_entries

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from datetime import datetime

    from scheduler.entry import Problem
    from scheduler.journal.journal import Journal
    from scheduler.schedule.backlog import Backlog
    from scheduler.schedule.catchup import Instants
    from scheduler.status import Reads
    from scheduler.system.calendars import CalendarSource
    from scheduler.system.crontab_files import Stamp
    from scheduler.system.crontab_loader import Loaded
    from scheduler.system.log import Log

    PauseAt = Callable[[str, datetime], datetime | None]

_NAMED_LINES = 20  # refused lines of a crontab that are named


class Library(Protocol):
    """Where the crontabs come from."""

    def stamps(self) -> Mapping[str, Stamp]:
        """Return, for each crontab that is there, what differs when it was changed."""

    def load(self) -> Loaded:
        """Read them all; a calendar that is new, or has changed, is among the `unread`."""

    def read_apart(self, calendars: Collection[CalendarSource]) -> None:
        """Have these calendars read while nobody waits, for the next `load`."""

    def is_reading(self) -> bool:
        """Say whether calendars are being read apart."""

    def reads(self) -> Reads:
        """Return how they are read, for whoever asks the daemon."""

    def rebooted(self) -> None:
        """Let every cron know that the @reboot jobs of this boot have been started."""


class EntriesInForce:
    """Which entries there are, and when they are due.

    It owns what was read of the crontabs, and what of it is in force. The reloader calls `read`,
    and then `news`, the file monitor `changed`; everything else only asks it. All it tells is of
    one reading: one that the journal refuses changes nothing. It `watches` its library, unless that
    never changes.
    """

    def __init__(
        self,
        library: Library,
        journal: Journal,
        log: Log,
        boot: str | None,
        *,
        watches: bool = True,
    ) -> None:
        self.watches = watches
        self._library = library
        self._journal = journal
        self._log = log
        self._boot = boot
        self._crontabs: tuple[Crontab, ...] = ()
        self._stamps: Mapping[str, Stamp] = {}
        self._vanished: set[str] = set()  # at the last look
        self._spared: set[str] = set()  # those that had not yet vanished at the look before
        self._was_read = False
        self._awaited = ""  # calendars that are being read
        self._told: Mapping[str, Entry] | None = None  # the entries at the last news
        self._taken_over = TakenOver()
        self._problems: Sequence[Problem] = ()
        self._failed: frozenset[str] = frozenset()  # the files that could not be read
        self.entries: Mapping[str, Entry] = {}
        self.timetable = Timetable((), {})
        self.zones: frozenset[str] = frozenset()  # the names of those that there are entries of
        self.refused = 0  # how many errors there are in the crontabs
        self.kept: Sequence[Entry] = ()  # the entries that run in their last good version
        self.files: tuple[CrontabFile, ...] = ()

    def errors_in(self, files: Collection[str]) -> int:
        """Return how many errors there are in crontabs of these paths, written in full."""
        errors = (each for each in self._problems if each.severity is Severity.ERROR)
        return sum(_in_full(each.file) in files for each in errors)

    def reads(self) -> Reads:
        """Return how the crontabs are read."""
        return self._library.reads()

    def changed(self) -> bool:
        """Say whether a crontab was changed since it was read, or the data of a zone in use.

        One that vanished gets a second look, since editors that save by renaming leave a moment
        without a file.
        """
        stamps = self._library.stamps()
        vanished = self._stamps.keys() - stamps.keys()
        self._spared = vanished - self._vanished
        self._vanished = vanished
        return self._with_spared(stamps) != self._stamps or bool(zone_data.outdated())

    def read(self, now: datetime) -> bool:
        """Read the crontabs and go by them, with the last good version of what is unreadable.

        False where calendars are to be read first, as they are now; nobody waits for them.
        Raises JournalError; then the entries are those of before, and it can be done again.
        """
        minute = minute_of(now)
        stamps = self._library.stamps()
        self._spared -= stamps.keys()
        self._stamps = self._with_spared(stamps)
        zone_data.renew()
        loaded = self._library.load()
        if loaded.unread:
            self._read_apart(loaded.unread)
            return False
        merged = self._merged(loaded)
        entries = {entry.job: entry for table in merged.crontabs for entry in table.entries}
        with self._journal.transaction():  # one, however many jobs are new
            self._rename(entries)
            timetable = Timetable(entries.values(), self._anchors(entries, minute))
            if self._was_read:
                self._wait_for_next_boot(timetable)
        self.entries, self.timetable = entries, timetable
        self._problems, self._failed = loaded.problems, loaded.failed
        self._stamps = {**self._stamps, **calendar_stamps(loaded.calendars)}
        self.zones = frozenset(entry.zone.key for entry in entries.values())
        self._crontabs, self._was_read = merged.crontabs, True
        self._taken_over.read(loaded.taken)
        self.refused = sum(each.severity is Severity.ERROR for each in loaded.problems)
        self.kept = [entry for entry in merged.kept if entry.file not in self._spared]
        self.files = tuple(self._read_files(loaded))
        return True

    def is_reading(self) -> bool:
        """Say whether calendars are being read, which the next reading of the crontabs needs."""
        return self._library.is_reading()

    def news(self, now: datetime) -> CrontabLoaded:
        """Return what there is to tell of the crontabs since it was asked the last time."""
        before = self._told or {}
        old = before.keys()
        changes = zone_changes.between(before, self.entries, minute_of(now))
        loaded = CrontabLoaded(
            now,
            entries=len(self.entries),
            zones=len(self.zones),
            new=len(self.entries.keys() - old),
            gone=len(old - self.entries.keys()),
            problems=self._problems,
            kept=self.kept,
            failed=self._failed,
            zone_changes=tuple(changes),
            is_first=self._told is None,
        )
        self._told = self.entries
        return loaded

    def unbooted(self) -> list[tuple[Entry, str]]:
        """Return the @reboot entries that have not run since the machine booted, and that boot."""
        entries, boot = self.timetable.at_reboot, self._boot
        if boot is None:
            if entries:
                self._log.warning("skipped", say="@reboot: this system does not name its boots")
            return []
        state = self._journal.daemon_state
        found = [entry for entry in entries if not state.booted(entry.job, boot)]
        return [(entry, boot) for entry in self._taken_over.unbooted(found)]

    def rebooted(self) -> None:
        """Let every cron know that the @reboot jobs of this boot have been started."""
        if self._taken_over.tables.files:
            self._library.rebooted()

    def due(self, minute: datetime) -> list[Entry]:
        """Return what is due at this minute, but for what another cron has run by then."""
        return self._taken_over.left(self.timetable.due(minute), minute)

    def accounts(
        self, outage: Outage, pause: PauseAt, backlog: Callable[[str], Backlog | None]
    ) -> list[OutageAccount]:
        """Return what becomes of the instants that each entry missed.

        `pause` says until when the pause lasts that a job's instant falls into, None for none.
        What is left of a job's `backlog` is missed with the rest.
        """
        timetable = self.timetable
        instants: Instants = Walk(outage, timetable.due, timetable)
        due = {entry.job for entry in timetable.due(outage.current)}
        found: list[OutageAccount] = []
        for entry, last in self._taken_over.missing(timetable.entries, outage.last):
            is_due, until = entry.job in due, pause(entry.job, outage.last)
            missed, known = Outage(last, outage.current), instants
            if last == outage.last and (left := backlog(entry.job)):
                missed, known = Outage(left.next - MINUTE, outage.current), timetable
            found += self._accounts(entry, missed, known, is_due=is_due, until=until)
        return found

    def _accounts(
        self,
        entry: Entry,
        outage: Outage,
        instants: Instants,
        *,
        is_due: bool,
        until: datetime | None,
    ) -> list[OutageAccount]:
        try:
            return [  # in this order: the rest is told round what the entry's days take away
                *excluded(entry, outage, self.timetable),
                *accounts(entry, outage, instants, is_due=is_due, paused_until=until),
            ]
        except Exception as error:  # noqa: BLE001 (a bug in one entry's must not stop every other)
            trace = "".join(traceback.format_exception(error))
            self._log.error(
                "bug", job=entry.job, error=repr(error), trace=trace, say=tuple(trace.splitlines())
            )
            return []

    def overdue(self, minute: datetime) -> list[OutageAccount]:
        """Return what jobs of anacron missed before they were known.

        Their day is today or was before, and its minute has gone by: anacron would start them now.
        """
        found: list[OutageAccount] = []
        for entry in self.timetable.entries:
            if not entry.stamp or opens_another_day(entry, minute):
                continue
            instant = self.timetable.last_instant(entry, minute)
            known = self._journal.daemon_state.last_instant(entry.job)
            if instant is not None and (known is None or known < instant):
                found.append(OutageAccount(entry, (instant,)))
        return found

    def rewind(self, now: datetime) -> None:
        """Let every interval count from `now` at the latest: the clock had been wrong."""
        self.timetable = Timetable(self.entries.values(), self._anchors(self.entries, now))
        self._taken_over.rewind(now)

    def tell_of_waiting(self) -> None:
        """Tell once for which calendars a daemon that starts is waiting."""
        awaited, self._awaited = self._awaited, ""
        if awaited:
            say = f"the daemon starts when these are read: {awaited}"
            self._log.info("calendars", calendars=awaited, say=say)

    def summary(self) -> str:
        """Return in a few words what there is."""
        return of_entries(len(self.entries), len(self.zones))

    def _read_apart(self, calendars: Collection[CalendarSource]) -> None:
        self._library.read_apart(calendars)
        self._awaited = ", ".join(sorted(map(str, calendars)))
        if self._was_read:
            say = f"the crontabs of before stay in force until these are read: {self._awaited}"
            self._log.info("calendars", calendars=self._awaited, say=say)

    def _with_spared(self, stamps: Mapping[str, Stamp]) -> Mapping[str, Stamp]:
        """Return these stamps, and the old ones of those that deserve a second look."""
        return {**stamps, **{file: self._stamps[file] for file in self._spared}}

    def _merged(self, loaded: Loaded) -> last_good.Merged:
        """Return what was read, with the last good version of what could not be."""
        there = [table for table in loaded.crontabs if table.file not in self._spared]
        gone = [Crontab(file, b"", (), ()) for file in self._spared]
        return last_good.merge(self._crontabs, [*there, *gone], loaded.failed | self._spared)

    def _anchors(self, entries: Mapping[str, Entry], now: datetime) -> dict[str, datetime]:
        """Return from when each @every job counts, and remember it for those that are new.

        A new interval counts from the job's last instant, a new job's from now.
        """
        state = self._journal.daemon_state
        anchors: dict[str, datetime] = {}
        for job, entry in entries.items():
            if isinstance(entry.schedule, Every):
                interval = entry.schedule.minutes
                anchor = state.anchor(job, interval)
                if anchor is None:
                    last = state.last_instant(job)  # ahead, if the clock was set back
                    anchor = now if last is None else min(last, now)
                    state.set_anchor(job, interval, anchor)
                anchors[job] = anchor
        return anchors

    def _rename(self, entries: Mapping[str, Entry]) -> None:
        """Let the journal call by their new names the jobs that an earlier version named."""
        renamed = dict(job_names.renamed(self._journal.daemon_state.old_names(), entries))
        for old, new in renamed.items():
            self._journal.daemon_state.rename(old, new)
        if renamed:
            say = f"{counted(len(renamed), 'job')} named by the program alone now; the journal"
            self._log.info("renamed", jobs=len(renamed), say=f"{say} calls past runs so, too")

    def _wait_for_next_boot(self, timetable: Timetable) -> None:
        """Let @reboot entries that came with an edit wait for the next boot, as under any cron."""
        for entry in timetable.at_reboot:
            if entry.job not in self.entries and self._boot is not None:
                self._journal.daemon_state.set_booted(entry.job, self._boot)

    def _read_files(self, loaded: Loaded) -> Iterator[CrontabFile]:
        entries = Counter(entry.file for entry in self.entries.values())
        kept = Counter(entry.file for entry in self.kept)
        for table in loaded.crontabs:
            file = table.file
            refused = lint.refusals(table)
            yield CrontabFile(
                file=_in_full(file),
                entries=entries[file],
                refused=len(refused),
                lines=tuple(islice(refused, _NAMED_LINES)),
                reasons=tuple(islice(refused.values(), _NAMED_LINES)),
                kept=kept[file],
                is_readable=file not in loaded.failed,
                user=table.user,
            )


def _in_full(file: str) -> str:
    """Return the path in full; as it is where the folder that it was relative to is gone."""
    try:
        return str(Path(file).absolute())
    except OSError:
        return file
