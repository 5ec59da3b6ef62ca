"""The journal in, what listings of entries ask it out: opened once, and its trouble told once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from scheduler.cli import client, intervals, output, state_folder, which_daemon
from scheduler.cli.machine_past import MachinePast
from scheduler.cli.which_daemon import MACHINE
from scheduler.entry import Entry, Every
from scheduler.errors import MeridianError, NoDaemon
from scheduler.journal.journal import Journal
from scheduler.journal.rows import RunRow
from scheduler.pause import Paused
from scheduler.schedule.tick import first_to_come
from scheduler.schedule.upcoming import ComingRun

PAUSED = "paused"  # what is said of an instant at which nothing starts
_SHORT_TIMEOUT = 2.0  # seconds; who lists crontabs does not wait for long
_A_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class JournalFacts:
    """What the journal knows of some entries, by job.

    `ahead` is the first minute that a daemon has still to handle, `anchors` is from where @every
    jobs count (None: nobody can tell), `lasts` are the newest runs by now, if they were asked for.
    """

    ahead: datetime
    anchors: Mapping[str, datetime] | None = None
    pauses: Mapping[str, Paused] = field(default_factory=dict)
    lasts: Mapping[str, RunRow] = field(default_factory=dict)


def read(
    state: Path | None, entries: Sequence[Entry], now: datetime, *, lasts: bool = False
) -> JournalFacts:
    """Ask the journal; that it can't be read is said on standard error, with what is not known.

    Where the machine's daemon keeps one's crontab it is that which is asked.
    """
    try:
        if which_daemon.keeps_crontab(state):
            with suppress(NoDaemon):  # nor is there a journal of one's own, then
                return _of_machine(entries, now, lasts=lasts)
        with closing(state_folder.journal(state)) as journal:
            return JournalFacts(
                ahead=max(now, journal.daemon_state.first_to_come(now)),
                anchors=intervals.of(journal, entries),
                pauses={each.job: each for each in journal.daemon_state.pauses()},
                lasts=_lasts(journal, entries, now) if lasts else {},
            )
    except MeridianError as error:
        output.note("; ".join((f"warning: {error}", *_unknown(entries, lasts=lasts))))
        return JournalFacts(now)


def _of_machine(entries: Sequence[Entry], now: datetime, *, lasts: bool) -> JournalFacts:
    """Ask the machine's daemon, which does not tell from where @every jobs count."""
    snapshot = client.snapshot(MACHINE, timeout=_SHORT_TIMEOUT)
    past, jobs = MachinePast(), {entry.job for entry in entries if lasts}
    found = {job: past.history(job, before=now + _A_SECOND, limit=1) for job in jobs}
    has_every = any(isinstance(entry.schedule, Every) for entry in entries)
    return JournalFacts(
        ahead=max(now, first_to_come(snapshot.last_tick, now, ())),
        anchors=None if has_every else {},
        pauses={each.job: each for each in snapshot.paused},
        lasts={job: runs[-1] for job, runs in found.items() if runs},
    )


def _unknown(entries: Sequence[Entry], *, lasts: bool) -> list[str]:
    """Return what is not known, and what is done instead."""
    told = ["when jobs ran last is not known"] if lasts else []
    told.append("which jobs are paused is not known")
    if any(isinstance(entry.schedule, Every) for entry in entries):
        told.append("@every jobs are counted as if they began anew")
    return told


def _lasts(journal: Journal, entries: Sequence[Entry], now: datetime) -> dict[str, RunRow]:
    """Return the newest run of each job by now; a run of a clock's wrong future is none."""
    if journal.queries.is_unused():
        return {}
    jobs = {entry.job for entry in entries}
    found = {job: journal.queries.history(job, before=now + _A_SECOND, limit=1) for job in jobs}
    return {job: runs[-1] for job, runs in found.items() if runs}


def is_paused(paused: Paused | None, at: datetime) -> bool:
    """Say whether the job with this pause starts nothing at an instant to come."""
    return paused is not None and (paused.until is None or at < paused.until)


def marked(runs: Iterator[ComingRun], pauses: Mapping[str, Paused]) -> Iterator[ComingRun]:
    """Yield the runs, with a note those which a pause leaves out."""
    for run in runs:
        if is_paused(pauses.get(run.entry.job), run.at):
            yield replace(run, note="; ".join(filter(None, (run.note, PAUSED))))
        else:
            yield run
