"""The journal in, from where the `@every` entries count their intervals out."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from datetime import datetime
from pathlib import Path

from scheduler.cli import output, state_folder
from scheduler.entry import Entry, Every
from scheduler.errors import MeridianError
from scheduler.journal.journal import Journal


def known(state: Path | None, entries: Iterable[Entry]) -> dict[str, datetime] | None:
    """Return from where they count, by job; those that have not begun are left out.

    None if the journal can't be read, which is said on standard error. Without an `@every` entry
    it is not asked.
    """
    every = [entry for entry in entries if isinstance(entry.schedule, Every)]
    if not every:
        return {}
    try:
        with closing(state_folder.journal(state)) as journal:
            return of(journal, every)
    except MeridianError as error:
        output.note(f"warning: {error}; @every jobs are counted as if they began anew")
        return None


def of(journal: Journal, entries: Iterable[Entry]) -> dict[str, datetime]:
    """Return from where they count by this journal; JournalError if it can't be read."""
    found = {
        entry.job: journal.daemon_state.anchor(entry.job, entry.schedule.minutes)
        or journal.daemon_state.last_instant(entry.job)
        for entry in entries
        if isinstance(entry.schedule, Every)
    }
    return {job: at for job, at in found.items() if at is not None}
