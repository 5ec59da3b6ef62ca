"""An entry, and a run of it as journalled, in; what a notice tells of it out. Pure.

Secrets of the job are stars in it: a notice leaves the machine.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from scheduler import own_secrets, redact
from scheduler.notice import AttemptFacts, Facts
from scheduler.run import NotStarted
from scheduler.runs.outcome_words import of_outcome

if TYPE_CHECKING:
    from scheduler.entry import Entry
    from scheduler.journal.rows import AttemptRow, RunRow
    from scheduler.run import Reason

_KEPT_ATTEMPTS = 20  # of a run, the first and the last of them; it may have had a million


def of_entry(entry: Entry, inherited: tuple[str, ...]) -> Facts:
    """Return what there is to tell of a job without a run.

    `inherited` are fingerprints of the secrets that its jobs inherit.
    """
    return Facts(
        job=entry.job,
        command=redact.text(entry, entry.command, inherited),
        file=entry.file,
        line=entry.line,
        zone=entry.zone.key or "",
    )


def of_run(
    entry: Entry, row: RunRow, inherited: tuple[str, ...], reason: Reason | None = None
) -> Facts:
    """Return what there is to tell of a run that is over; `reason` is why it is not tried again."""
    facts, secrets = of_entry(entry, inherited), own_secrets.fingerprints(entry, inherited)
    ended = [each for each in row.attempts if each.outcome is not None]
    return Facts(
        job=facts.job,
        command=facts.command,
        file=facts.file,
        line=facts.line,
        zone=facts.zone,
        run=row.run.number,
        scheduled=row.run.instant,
        outcome=_outcome(entry, ended[-1], inherited) if ended else "",
        reason="" if reason is None else reason.value,
        attempts=tuple(_attempt(entry, each, inherited, secrets) for each in _some(row.attempts)),
    )


def without_outputs(told: Facts) -> Facts:
    """Return the facts of a run that another user may be told of, who may not read its outputs."""
    return replace(told, attempts=tuple(replace(each, output="") for each in told.attempts))


def sameness(row: RunRow, reason: Reason) -> str:
    """Return what is the same for failures that are the same, whatever else their words say."""
    ended = [each for each in row.attempts if each.outcome is not None]
    if not ended or ended[-1].outcome is None:
        return reason.value
    outcome = ended[-1].outcome
    if isinstance(outcome, NotStarted):
        return "not started"
    return of_outcome(outcome, ended[-1].limit)


def _some(attempts: tuple[AttemptRow, ...]) -> tuple[AttemptRow, ...]:
    half = _KEPT_ATTEMPTS // 2
    return attempts if len(attempts) <= 2 * half else attempts[:half] + attempts[-half:]


def _attempt(
    entry: Entry, row: AttemptRow, inherited: tuple[str, ...], secrets: tuple[str, ...]
) -> AttemptFacts:
    outcome = _outcome(entry, row, inherited)
    return AttemptFacts(row.number, outcome, row.output, row.started, row.ended, secrets, row.took)


def _outcome(entry: Entry, row: AttemptRow, inherited: tuple[str, ...]) -> str:
    words = "" if row.outcome is None else of_outcome(row.outcome, row.limit)
    return redact.text(entry, words, inherited)
