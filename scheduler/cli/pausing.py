"""The journal in, which coming runs a pause leaves out: for `list` and `next`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from scheduler.cli import given
from scheduler.cli.show import remark
from scheduler.coming import ComingRun
from scheduler.errors import MeridianError
from scheduler.journal import Journal
from scheduler.model import Paused

NOTE = "paused"  # what is said of an instant at which nothing starts


def known(state: Path | None) -> dict[str, Paused]:
    """Return the pauses by job; that the journal can't be read is said on standard error."""
    try:
        with closing(given.journal(state)) as journal:
            return of(journal)
    except MeridianError as error:
        remark(f"warning: {error}; which jobs are paused is not known")
        return {}


def of(journal: Journal) -> dict[str, Paused]:
    """Return the pauses by job, those included that are over; JournalError if it can't be read."""
    return {paused.job: paused for paused in journal.pauses()}


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
