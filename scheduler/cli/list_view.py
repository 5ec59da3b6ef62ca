"""Entries and the journal in, what `list` tells of each out: its next instant and its last run."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from scheduler.cli import journal_facts, json_rows, state_folder, tables
from scheduler.cli.output import utc
from scheduler.cli.tables import Cell, When
from scheduler.entry import Entry, Reboot
from scheduler.journal.rows import RunRow
from scheduler.redact import mask_command, mask_named
from scheduler.schedule.upcoming import first_instants
from scheduler.system.crontab_loader import Loaded

_JOBS_HEADER = ("JOB", "SCHEDULE", "ZONE", "NEXT, HERE", "LAST, HERE", "RESULT")


@dataclass(frozen=True, slots=True)
class ListedEntry:
    """An entry, its next instant (None: it has none) and its newest run by now, run or not.

    A paused one starts nothing at its next instant.
    """

    entry: Entry
    following: datetime | None
    last: RunRow | None
    is_refused: bool
    is_paused: bool = False

    def cells(
        self, zone: ZoneInfo, now: datetime, *, alerts: bool, users: bool
    ) -> tuple[Cell, ...]:
        """Return its row in the table, under `header`."""
        entry, last = self.entry, self.last
        return (
            entry.job,
            entry.schedule_text,
            entry.zone.key,
            self._next(zone, now),
            "" if last is None else When(_newest(last).astimezone(zone), now),
            "" if last is None else tables.state(last.state.value),
            *((self._alerts(),) if alerts else ()),
            *((entry.user or "",) if users else ()),
            mask_command(entry),
        )

    def row(self) -> json_rows.Row:
        """Return its row of `list --json`."""
        last = self.last
        return json_rows.of_entry(self.entry) | {
            "next": None if self.following is None or self.is_refused else utc(self.following),
            "last": None if last is None else _of_last(last),
            "paused": self.is_paused,
        }

    def _alerts(self) -> str:
        """Return who hears of it by its CRON_ALERT, without the keys in their addresses."""
        rule = self.entry.settings.alert
        return "" if rule is None else mask_named("CRON_ALERT", ", ".join(rule.targets) or "none")

    def _next(self, zone: ZoneInfo, now: datetime) -> Cell:
        if self.is_refused:
            return "refused"
        if self.is_paused:
            return journal_facts.PAUSED
        if self.following is not None:
            return When(self.following.astimezone(zone), now)
        return "at the next boot" if isinstance(self.entry.schedule, Reboot) else "never"


def header(*, alerts: bool, users: bool) -> tuple[str, ...]:
    """Return the names of the columns; one with alerts, or users, is there if an entry has any."""
    also = (*(("ALERTS",) if alerts else ()), *(("USER",) if users else ()))
    return (*_JOBS_HEADER, *also, "COMMAND")


def have_users(entries: Iterable[Entry]) -> bool:
    """Say whether some of these entries are of other users than the one who asks."""
    own = state_folder.account(os.geteuid())[0]
    return any(entry.user not in (None, own) for entry in entries)


def listed(loaded: Loaded, state: Path | None, now: datetime) -> Iterator[ListedEntry]:
    """Yield all entries; that the journal can't be read is said on standard error."""
    facts = journal_facts.read(state, loaded.entries, now, lasts=True)
    firsts = first_instants(loaded.entries, facts.ahead, facts.anchors)
    refused = loaded.refused
    for entry, first in zip(loaded.entries, firsts, strict=True):
        is_refused = (entry.file, entry.line) in refused
        is_paused = first is not None and journal_facts.is_paused(
            facts.pauses.get(entry.job), first
        )
        yield ListedEntry(entry, first, facts.lasts.get(entry.job), is_refused, is_paused)


def _newest(run: RunRow) -> datetime:
    """Return the instant of a run, of a stretch the last."""
    return run.run.instant if run.until is None else run.until


def _of_last(run: RunRow) -> json_rows.Row:
    return {
        "run": run.run.number,
        "at": utc(_newest(run)),
        "state": run.state.value,
        "reason": None if run.reason is None else run.reason.value,
    }
