"""A job's name and crontabs in, its line out; or why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from scheduler import suggestions
from scheduler.cli import crontabs, problems_view
from scheduler.cli.own_zone import own_zone
from scheduler.cli.which_run import NothingThere
from scheduler.entry import Entry
from scheduler.text import shortened


def of_job(
    job: str, files: Sequence[str] | None, *, system: bool, state: Path | None, json: bool
) -> Entry:
    """Return the job's line in these crontabs, or those in force; NothingThere where none runs."""
    loaded = crontabs.load(files, own_zone(), system=system, state=state, json=json)
    for entry in loaded.entries:
        if entry.job == job:
            return entry
    problems_view.mention(loaded.problems)  # its line may be one that is refused
    hint = suggestions.job(job, {entry.job for entry in loaded.entries})
    raise NothingThere(f"There is no job {shortened(job)} in these crontabs; {hint}")
