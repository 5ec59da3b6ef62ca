"""What the log says to a person: facts of a run in, a few words out."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from scheduler.model import Decision, Done, GiveUp, RetryAt
from scheduler.tick import Movement

if TYPE_CHECKING:
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from scheduler.model import Attempt, Ending, Entry
    from scheduler.tick import Owed


def of_instant(instant: datetime, zone: ZoneInfo) -> str:
    """Return the instant as the wall clock of its zone shows it."""
    return f"{instant.astimezone(zone):%H:%M} {zone.key}"


def start_facts(entry: Entry, attempt: Attempt, pid: int) -> dict[str, str | int | None]:
    """Return what the log says of a start; `say` is its wording for a person."""
    words = of_instant(attempt.run.instant, entry.zone)
    if attempt.number > 1:
        words += f", attempt {attempt.number}"
    return _facts_of(attempt) | {"pid": pid, "say": words}


def end_facts(
    attempt: Attempt, started: datetime, ending: Ending, decision: Decision
) -> dict[str, str | int | None]:
    """Return what the log says of an ending and of what follows it."""
    took = max(0.0, (ending.ended - started).total_seconds())
    words = f"{ending.outcome} after {of_seconds(took)}"
    facts = _facts_of(attempt) | {"outcome": str(ending.outcome)}
    match decision:
        case Done():
            return facts | {"say": words}
        case RetryAt(at):
            wait = max(0.0, (at - ending.ended).total_seconds())
            words += f"; attempt {attempt.number + 1} in {of_seconds(wait)}"
            return facts | {"retry_at": at.isoformat(timespec="milliseconds"), "say": words}
        case GiveUp(reason):
            words += f"; gave up after attempt {attempt.number}: {reason.value}"
            return facts | {"gave_up": reason.value, "say": words}
        case _:
            assert_never(decision)


def _facts_of(attempt: Attempt) -> dict[str, str | int | None]:
    return {"job": attempt.run.job, "run": attempt.run.number, "attempt": attempt.number}


def of_movement(owed: Owed, last: datetime, now: datetime) -> str:
    """Return what the clock did, "" if it only went on."""
    match owed.movement:
        case Movement.GAP:
            count = "1 minute" if owed.missed == 1 else f"{owed.missed} minutes"
            why = "the daemon was down, the machine asleep, or the clock set forward"
            return f"{count} since {last:%H:%M} UTC passed unseen and are not made up for: {why}"
        case Movement.BACK:
            ahead = (last - now).total_seconds()
            if ahead < 1:
                return ""  # a clock that is steered, not set
            return f"the clock was set back: {of_seconds(ahead)} are waited out, done before"
        case Movement.RESET:
            return "the clock was set back so far that it must have been wrong before"
        case Movement.START | Movement.STEADY | Movement.LATE:
            return ""
        case _:
            assert_never(owed.movement)


def of_seconds(amount: float) -> str:
    """Return a length of time as a person says it: 20 ms, 3.1 s, 5 min 20 s, 3 h 12 min."""
    if amount < 0.9995:
        return f"{round(amount * 1000)} ms"
    if amount < 10:
        return f"{amount:.2g} s"
    whole = round(amount)
    for size, unit, part, lesser in ((86400, "d", 3600, "h"), (3600, "h", 60, "min")):
        if whole >= size:
            return _two(whole // size, unit, whole % size // part, lesser)
    return _two(whole // 60, "min", whole % 60, "s") if whole >= 60 else f"{whole} s"


def _two(number: int, unit: str, rest: int, lesser: str) -> str:
    return f"{number} {unit} {rest} {lesser}" if rest else f"{number} {unit}"
