"""Crontabs in, the same with names that differ over all of them out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from scheduler.crontab import job_names, lexer, lint, settings
from scheduler.errors import BadValue

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from scheduler.entry import Crontab, Entry, Problem


def unique(crontabs: Sequence[Crontab]) -> tuple[Crontab, ...]:
    """Make the jobs' names differ over all files, whatever their case.

    A derived name that is taken gets a number; a CRON_NAME that is taken refuses its entry.
    """
    names = job_names.Names()
    return tuple(_unique(crontab, names) for crontab in crontabs)


def second_use(name: str, place: str, offset: int) -> BadValue:
    """Return the error about a CRON_NAME that names another entry, which stands at `place`."""
    return BadValue(
        "duplicate-name",
        f"{name} already names the entry on {place}",
        offset=offset,
        hint=f"{settings.CRON_NAME} in front of the schedule names that entry alone",
    )


def _unique(crontab: Crontab, names: job_names.Names) -> Crontab:
    entries: list[Entry] = []
    refused: list[tuple[Entry, Entry]] = []  # each with the one that has its name
    for entry in crontab.entries:
        first = names.taken(entry.job)
        if first and not job_names.was_derived(entry):
            refused.append((entry, first))
            continue
        unique = replace(entry, job=names.numbered(job_names.base(entry))) if first else entry
        names.take(unique)
        entries.append(unique)
    if not refused:
        return replace(crontab, entries=tuple(entries))
    problems = (*crontab.problems, *_named_twice(crontab, refused))
    return replace(
        crontab,
        entries=tuple(entries),
        problems=lint.in_order(problems),
        refused=crontab.refused | {entry.line for entry, _ in refused},
    )


def _named_twice(crontab: Crontab, refused: Iterable[tuple[Entry, Entry]]) -> Iterator[Problem]:
    text = tuple(lexer.split(crontab.text))
    for entry, first in refused:
        line = text[entry.line - 1]
        offset = max(line.find(settings.CRON_NAME), 0)
        bad = second_use(entry.job, f"line {first.line} of {first.file}", offset)
        yield lint.problem(crontab.file, entry.line, line, bad)
