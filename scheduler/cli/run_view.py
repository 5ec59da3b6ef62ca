"""A run as journalled in, what a person reads of it out: a line of `history`, or all there is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import pairwise

from scheduler.cli import output, tables
from scheduler.cli.tables import Cell, When
from scheduler.journal.rows import AttemptRow, RunRow
from scheduler.process.procfs import apart
from scheduler.run import Exited, State
from scheduler.runs.outcome_words import of_left_behind, of_outcome
from scheduler.schedule.zone_data import named_or_utc
from scheduler.text import of_seconds, of_size

RUNS_HEADER = ("RUN", "JOB", "SCHEDULED", "ZONE", "STATE", "ATTEMPTS", "TOOK", "HOW")
ATTEMPTS = ("ATTEMPT", "STARTED", "WAITED", "TOOK", "CPU", "MEMORY", "HOW")


def has_users(runs: Iterable[RunRow]) -> bool:
    """Say whether some of these runs are of other users than the daemon's own, or root."""
    return tables.are_others(run.run.user for run in runs)


def runs_header(*, users: bool) -> tuple[str, ...]:
    """Return the header of `history`; with `users`, whose the runs are is said, too."""
    return RUNS_HEADER if not users else (*RUNS_HEADER[:2], "USER", *RUNS_HEADER[2:])


def line(run: RunRow, now: datetime, *, users: bool = False) -> tuple[Cell, ...]:
    """Return the cells of a run in `history`, under `runs_header`."""
    zone = named_or_utc(run.zone)
    until = None if run.until is None else run.until.astimezone(zone)
    return (
        str(run.run.number),
        run.run.job,
        *((run.run.user or "",) if users else ()),
        When(run.run.instant.astimezone(zone), now, until),
        run.zone,
        tables.state(run.state.value),
        str(len(run.attempts) or ""),
        "" if _is_open(run) else _length(took(run)) or _unknown(run.attempts[-1:]),
        how(run),
    )


def head(run: RunRow) -> Iterator[tuple[str, str]]:
    """Yield what there is to say of a run as a whole, each with its label."""
    reason = "" if run.reason is None else f": {run.reason.value}"
    yield f"Run {run.run.number}", f"of {run.run.job}, {run.state.value}{reason}"
    if has_users((run,)):
        yield "User", str(run.run.user)
    origin = "; started by hand" if run.by_hand else "; made up for" if run.made_up else ""
    yield "Scheduled", f"{scheduled(run)}{origin}"
    if run.until is not None:
        yield "Stands", "for all instants of the job in that time"
    if (again := came_again(run)) is not None:
        yield "Unreal", again
    if run.reopened is not None:
        yield "Retried", f"by hand at {_moment(run, run.reopened)}"
    if run.due is not None:
        what = "next attempt" if run.attempts else "start"
        yield "Waits", f"for its {what} at {_moment(run, run.due)}"
    if (whole := took(run)) is not None:
        yield "Took", f"{_length(whole)}, from the first start to the last end"


def attempts(run: RunRow) -> Iterator[tuple[str, ...]]:
    """Yield the cells of each attempt of a run, under ATTEMPTS."""
    for attempt, wait in zip(run.attempts, waits(run), strict=True):
        yield (
            str(attempt.number),
            "" if attempt.started is None else _moment(run, attempt.started),
            _length(wait),
            _length(attempt.took) or _unknown((attempt,)),
            _length(attempt.cpu_s),
            "" if attempt.memory_bytes is None else of_size(attempt.memory_bytes),
            _ending(attempt) or ("running" if attempt.started else "being started"),
        )


def waits(run: RunRow) -> Iterator[float | None]:
    """Yield the seconds before each attempt: since the instant, then since the last one's end."""
    if run.attempts:
        yield _between(run.run.instant, run.attempts[0].started)
    for before, after in pairwise(run.attempts):
        elapsed = apart(before.pid_started, after.pid_started)
        if elapsed is None or before.took is None:
            yield _between(before.ended, after.started)
        else:
            yield max(0.0, elapsed - before.took)


def took(run: RunRow) -> float | None:
    """Return the seconds from the first start of a run that is over to its last end.

    They are those that went by, whatever the clock was set to; only where the system does not tell
    when its processes began, or they are of several boots, the clock counts. None where nobody can
    tell.
    """
    some = [each for each in run.attempts if each.started is not None]
    if not some or _is_open(run):
        return None
    first, last = some[0], some[-1]
    if first is last:
        return last.took
    elapsed = apart(first.pid_started, last.pid_started)
    if elapsed is None:
        return _between(first.started, last.ended)
    return None if last.took is None else elapsed + last.took


def _is_open(run: RunRow) -> bool:
    return run.state in {State.SCHEDULED, State.RUNNING}


def scheduled(run: RunRow) -> str:
    """Return the instant of a run in its zone, or those from which to which it stands."""
    zone = named_or_utc(run.zone)
    shown = output.to_second if run.by_hand else output.wall
    at = shown(run.run.instant.astimezone(zone))
    if run.until is not None:
        at += f" to {output.wall(run.until.astimezone(zone))}"
    return f"{at} {run.zone}"


def how(run: RunRow) -> str:
    """Return how a run began, ended, or why it did not; and when it goes on."""
    told = ["by hand"] if run.by_hand else []
    last = run.attempts[-1] if run.attempts else None
    if last and (last.emptied or (run.state, last.outcome) != (State.SUCCEEDED, Exited(0))):
        told.append(_ending(last))
    if run.reason is not None:
        told.append(run.reason.value)
    told.append(came_again(run) or "")
    if run.due is not None and run.attempts:
        told.append(f"next attempt at {run.due.astimezone(named_or_utc(run.zone)):%H:%M:%S}")
    return ", ".join(filter(None, told))


def came_again(run: RunRow) -> str | None:
    """Return that a run was of a time that was not real, all of it or some; None if none was."""
    if run.set_back is None or run.again_from is None:
        return None
    zone = named_or_utc(run.zone)
    back = f"the clock was set back to {run.set_back.astimezone(zone):%a %Y-%m-%d %H:%M:%S}"
    if run.is_unreal:
        return f"in a time that was not real: {back}"
    return f"what is later than that came again: {back}"


def _ending(attempt: AttemptRow) -> str:
    emptied = "emptied its output" if attempt.emptied else ""
    behind = of_left_behind(attempt.left_behind) if attempt.left_behind else ""
    how = "" if attempt.outcome is None else of_outcome(attempt.outcome, attempt.limit)
    return ", ".join(filter(None, (how, emptied, behind)))


def _moment(run: RunRow, at: datetime) -> str:
    """Return a time in the run's zone, with its date where that is not the instant's."""
    zone = named_or_utc(run.zone)
    local = at.astimezone(zone)
    is_same_day = local.date() == run.run.instant.astimezone(zone).date()
    return f"{local:%H:%M:%S}" if is_same_day else f"{local:%a %Y-%m-%d %H:%M:%S}"


def _unknown(attempts: Iterable[AttemptRow]) -> str:
    """Say that nobody can tell how long it took, of what has started and ended."""
    return "unknown" if any(each.started and each.ended for each in attempts) else ""


def _between(start: datetime | None, end: datetime | None) -> float | None:
    if start is None or end is None:
        return None
    return max(0.0, (end - start).total_seconds())


def _length(seconds: float | None) -> str:
    return "" if seconds is None else of_seconds(seconds)
