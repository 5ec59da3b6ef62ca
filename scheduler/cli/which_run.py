"""A run's number or a job's name in, which run is meant out; or why there is none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Protocol

import typer

from scheduler import suggestions
from scheduler.cli import crontabs, run_view, state_folder
from scheduler.cli.which_daemon import Machine, Where
from scheduler.entry import Entry
from scheduler.errors import MeridianError
from scheduler.journal.journal import Journal
from scheduler.journal.rows import RunRow
from scheduler.run import State
from scheduler.text import shortened

_NAMED = 5  # candidates that are named; the rest is a number
_REMEMBERED = 5000  # runs that are searched for a name like the one that nobody knows


class Past(Protocol):
    """Who tells of runs that were: a journal's `Queries`, or the machine's daemon."""

    def history(
        self,
        job: str | None = None,
        *,
        since: datetime | None = None,
        before: datetime | None = None,
        failed: bool = False,
        limit: int | None = None,
    ) -> list[RunRow]:
        """Return the newest runs, newest last."""

    def run(self, number: int) -> RunRow | None:
        """Return the run of this number."""

    def latest(self, job: str, now: datetime) -> RunRow | None:
        """Return the job's newest run by now that has an attempt."""

    def open_of(self, job: str) -> list[RunRow]:
        """Return a job's runs that are not over, oldest first."""

    def failed_since_success(self, job: str) -> list[RunRow]:
        """Return the runs of a job that have failed since one succeeded, oldest first."""


class NotOneRun(MeridianError):
    """A job was named that has no run to be chosen, or several; `code` is a word for machines."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def run_number(text: str) -> int | None:
    """Return the number of a run that this may be; None for a job's name."""
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 19 else None


def to_kill(which: str, where: Where) -> int:
    """Return the run of this number, or the one of this job that runs or waits; else NotOneRun."""
    return _number(which, where, _killable, "kill", "none runs or waits")


def to_retry(which: str, where: Where) -> int:
    """Return the run of this number, or the one of this job that waits or has failed.

    Of those that have failed the ones since its last success count. Raises NotOneRun.
    """
    return _number(which, where, _retriable, "retry", "none waits, and its last run did not fail")


def _killable(past: Past, job: str) -> Sequence[RunRow]:
    return past.open_of(job)


def _retriable(past: Past, job: str) -> Sequence[RunRow]:
    waiting = [row for row in past.open_of(job) if row.state is State.SCHEDULED]
    return waiting or past.failed_since_success(job)


def _number(
    which: str,
    where: Where,
    candidates: Callable[[Past, str], Sequence[RunRow]],
    verb: str,
    why_none: str,
) -> int:
    number = run_number(which)
    if number is not None:
        if number < 1:
            raise typer.BadParameter(f"{which} is no run's number: they count from 1")
        return number
    if isinstance(where, Machine):
        found = candidates(machine_past(), which)
    else:
        found = _in_journal(which, where, candidates)
    if not found:
        raise NotOneRun("no-such-run", f"There is no run of {which} to {verb}: {why_none}")
    if len(found) > 1:
        named = f"{which} has {len(found)} runs to {verb}: {_named(found)}"
        raise NotOneRun("several-runs", f"{named}; name one, as in meridian {verb} {_last(found)}")
    return _last(found)


def machine_past() -> Past:
    """Return what the machine's daemon tells, which few commands have need of."""
    past: Past = import_module("scheduler.cli.machine_past").MachinePast()
    return past


def _in_journal(
    which: str, state: Path | None, candidates: Callable[[Past, str], Sequence[RunRow]]
) -> Sequence[RunRow]:
    with closing(state_folder.journal(state)) as journal:
        found = candidates(journal.queries, which)
        if not found and not journal.queries.history(which, limit=1):
            explain_absence(journal, which, state)
        return found


def _last(found: Sequence[RunRow]) -> int:
    return found[-1].run.number


def _named(found: Sequence[RunRow]) -> str:
    """Return the newest of them, each with its state and instant."""
    shown = [
        f"{row.run.number} ({row.state.value}, {run_view.scheduled(row)})"
        for row in found[-_NAMED:]
    ]
    more = f" and {len(found) - _NAMED} before" if len(found) > _NAMED else ""
    return ", ".join(shown) + more


class NothingThere(MeridianError):
    """The journal or a crontab holds nothing of that name."""


def explain_absence(
    journal: Journal, job: str, state: Path | None, named: Sequence[Entry] | None = None
) -> None:
    """Tell a job that has not run yet from a name that nobody knows, which raises.

    Its line is looked for in crontabs that the command line has `named`, else in those in force.
    """
    entries = crontabs.known(state).entries if named is None else named
    if any(entry.job == job for entry in entries):
        return
    if run_number(job) is not None:
        why = f"There is no run {job}, and no job of that name; meridian history lists the runs"
        raise NothingThere(why)
    names = {entry.job for entry in entries}
    if named is None:
        names.update(run.run.job for run in journal.queries.history(limit=_REMEMBERED))
    hint = suggestions.job(job, names)
    where = "" if named is None else " in these crontabs"
    raise NothingThere(f"There is no job {shortened(job)}{where}; {hint}")


def nothing_kept(journal: Journal, what: str, state: Path | None) -> str:
    """Return why the journal has no run of it: none has been, none is kept, or it lost them."""
    why = f"Nothing is kept of {what}: it has not run yet, or its runs are no longer kept."
    if journal.queries.is_unused():
        why = "Nothing has run yet."
    return " ".join(filter(None, (why, in_damaged(state))))


def in_damaged(state: Path | None) -> str:
    """Return where else it may be: in a damaged journal that was moved aside; "" if none was."""
    damaged = state_folder.damaged(state)
    return f"A damaged journal was moved aside, and may have it: {damaged[-1]}" if damaged else ""
