"""The journal in, which coming runs a pause leaves out: for `list` and `next`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from scheduler.journal.journal import Journal
from scheduler.run import Paused
from scheduler.schedule.upcoming import ComingRun

NOTE = "paused"  # what is said of an instant at which nothing starts


def of(journal: Journal) -> dict[str, Paused]:
    """Return the pauses by job, those included that are over; JournalError if it can't be read."""
    return {paused.job: paused for paused in journal.daemon_state.pauses()}


def is_paused(paused: Paused | None, at: datetime) -> bool:
    """Say whether the job with this pause starts nothing at an instant to come."""
    return paused is not None and (paused.until is None or at < paused.until)


def marked(runs: Iterator[ComingRun], pauses: Mapping[str, Paused]) -> Iterator[ComingRun]:
    """Yield the runs, with a note those which a pause leaves out."""
    for run in runs:
        if is_paused(pauses.get(run.entry.job), run.at):
            yield replace(run, note="; ".join(filter(None, (run.note, NOTE))))
        else:
            yield run
