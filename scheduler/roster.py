"""The entries in force: crontabs in, read again when they change; the last good timetable out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from scheduler import last_good
from scheduler.model import Crontab, Entry, Every, Severity
from scheduler.report import counted, lines
from scheduler.timetable import Timetable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from scheduler.journal import Journal
    from scheduler.log import Log
    from scheduler.sources import Loaded, Stamp


class Library(Protocol):
    """Where the crontabs come from."""

    def stamps(self) -> Mapping[str, Stamp]:
        """Return, for each crontab that is there, what differs when it was changed."""

    def load(self) -> Loaded:
        """Read them all."""


class Roster:
    """Which entries there are; everything else asks it."""

    def __init__(self, library: Library, journal: Journal, log: Log, boot: str | None) -> None:
        self._library = library
        self._journal = journal
        self._log = log
        self._boot = boot
        self._crontabs: tuple[Crontab, ...] = ()
        self._stamps: Mapping[str, Stamp] = {}
        self._vanished: set[str] = set()
        self.entries: Mapping[str, Entry] = {}
        self.timetable = Timetable((), {})

    def changed(self) -> bool:
        """Say whether a crontab was changed since it was read.

        One that vanished gets a second look, since editors that save by renaming leave a moment
        without a file.
        """
        stamps = self._library.stamps()
        vanished = self._stamps.keys() - stamps.keys()
        only_just = vanished - self._vanished
        self._vanished = vanished
        return stamps != self._stamps and not only_just

    def read(self, now: datetime) -> None:
        """Read the crontabs and go by them, with the last good version of what is unreadable."""
        self._stamps = self._library.stamps()
        loaded = self._library.load()
        merged = last_good.merge(self._crontabs, loaded.crontabs, loaded.failed)
        before, first = self.entries, not self._crontabs
        self._crontabs = merged.crontabs
        self.entries = {entry.job: entry for table in self._crontabs for entry in table.entries}
        self.timetable = Timetable(self.entries.values(), self._anchors(now))
        if not first:
            self._wait_for_next_boot(before)
        self._tell(loaded, merged.kept, before)

    def unbooted(self) -> list[tuple[Entry, str]]:
        """Return the @reboot entries that have not run since the machine booted, and that boot."""
        entries, boot = self.timetable.at_reboot, self._boot
        if boot is None:
            if entries:
                self._log.warning("skipped", say="@reboot: this system does not name its boots")
            return []
        return [(entry, boot) for entry in entries if not self._journal.booted(entry.job, boot)]

    def summary(self) -> str:
        """Return in a few words what there is."""
        zones = {entry.zone.key for entry in self.entries.values()}
        return f"{counted(len(self.entries), 'entry')} in {counted(len(zones), 'zone')}"

    def _anchors(self, now: datetime) -> dict[str, datetime]:
        """Return from when each @every job counts, and remember it for those that are new.

        A new interval counts from the job's last instant, a new job's from now.
        """
        anchors: dict[str, datetime] = {}
        for job, entry in self.entries.items():
            if isinstance(entry.schedule, Every):
                interval = entry.schedule.minutes
                anchor = self._journal.anchor(job, interval)
                if anchor is None:
                    anchor = self._journal.last_instant(job) or now
                    self._journal.set_anchor(job, interval, anchor)
                anchors[job] = anchor
        return anchors

    def _wait_for_next_boot(self, before: Mapping[str, Entry]) -> None:
        """Let @reboot entries that came with an edit wait for the next boot, as under any cron."""
        for entry in self.timetable.at_reboot:
            if entry.job not in before and self._boot is not None:
                self._journal.set_booted(entry.job, self._boot)

    def _tell(self, loaded: Loaded, kept: Sequence[Entry], before: Mapping[str, Entry]) -> None:
        for problem in loaded.problems:
            record = self._log.error if problem.severity is Severity.ERROR else self._log.warning
            record(
                "problem",
                file=problem.file,
                line=problem.line,
                column=problem.column,
                code=problem.code,
                text=problem.message,
                say="\n".join(lines(problem)),
            )
        for entry in kept:
            say = f"its line is unreadable; the last good version keeps running ({entry.file})"
            self._log.warning("kept", job=entry.job, file=entry.file, line=entry.line, say=say)
        new = len(self.entries.keys() - before.keys())
        gone = len(before.keys() - self.entries.keys())
        news = f"; {new} new, {gone} gone" if before else ""
        self._log.info(
            "crontabs", entries=len(self.entries), new=new, gone=gone, say=self.summary() + news
        )
