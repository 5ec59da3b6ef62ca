"""What the log says to a person: facts of a run in, a few words out."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from scheduler import catchup
from scheduler.model import Decision, Done, GiveUp, Reason, RetryAt
from scheduler.report import counted
from scheduler.tick import Jump, JumpKind, Verdict

if TYPE_CHECKING:
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from scheduler.catchup import LeftOut
    from scheduler.model import Attempt, Ending, Entry, Limit, Outcome, Run

Facts = dict[str, str | int | float | None]


def of_instant(instant: datetime, zone: ZoneInfo) -> str:
    """Return the instant as the wall clock of its zone shows it."""
    return f"{instant.astimezone(zone):%H:%M} {zone.key}"


def start_facts(entry: Entry, attempt: Attempt, pid: int, *, started: datetime) -> Facts:
    """Return what the log says of a start; `say` is its wording for a person."""
    words = of_instant(attempt.run.instant, entry.zone)
    late = catchup.lateness(catchup.own_start(entry, attempt.run.instant), started)
    is_late = attempt.number == 1 and late > 0
    if attempt.number > 1:
        words += f", attempt {attempt.number}"
    elif is_late:
        words += f", {of_seconds(late)} late"
    facts = {"pid": pid, "late_s": round(late, 3) if is_late else None, "say": words}
    return _facts_of(attempt) | facts


def run_facts(run: Run) -> Facts:
    """Return which run a line of the log is about."""
    return {"job": run.job, "run": run.number, "instant": run.instant.isoformat()}


def skip_facts(left_out: LeftOut) -> Facts:
    """Return what the log says of instants that are not run."""
    entry, first, last = left_out.entry, left_out.first, left_out.last
    words = of_instant(first, entry.zone)
    if last != first:
        words = f"{words} to {of_instant(last, entry.zone)}"
    return {
        "job": entry.job,
        "instant": first.isoformat(),
        "until": None if last == first else last.isoformat(),
        "reason": left_out.reason.value,
        "say": f"{words}: {left_out.reason.value}",
    }


def wait_facts(entry: Entry, run: Run, due: datetime, *, made_up: bool) -> Facts:
    """Return what the log says of a run whose start is put off."""
    at = of_instant(run.instant, entry.zone)
    local = f"{due.astimezone(entry.zone):%H:%M:%S}"
    words = f"{at} is made up for at {local}" if made_up else f"{at}, spread to {local}"
    return run_facts(run) | {"due": due.isoformat(timespec="milliseconds"), "say": words}


def line_facts(entry: Entry, run: Run, reason: Reason) -> Facts:
    """Return what the log says of a run that waits for a place."""
    pool = entry.settings.pool.name if entry.settings.pool else None
    what = f"its pool {pool} is full" if reason is Reason.POOL else reason.value
    facts: Facts = {"reason": reason.value, "pool": pool if reason is Reason.POOL else None}
    return run_facts(run) | facts | {"say": f"{of_instant(run.instant, entry.zone)}: {what}"}


def end_facts(attempt: Attempt, started: datetime, ending: Ending, decision: Decision) -> Facts:
    """Return what the log says of an ending and of what follows it."""
    took = max(0.0, (ending.ended - started).total_seconds())
    words = f"{of_outcome(ending.outcome, ending.limit)} after {of_seconds(took)}"
    limit = None if ending.limit is None else ending.limit.value
    facts = _facts_of(attempt) | {"outcome": str(ending.outcome), "limit": limit}
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


def of_outcome(outcome: Outcome, limit: Limit | None) -> str:
    """Return how an attempt ended, with the limit that ended it where one did."""
    return str(outcome) if limit is None else f"{outcome} ({limit.value} limit)"


def _facts_of(attempt: Attempt) -> Facts:
    return run_facts(attempt.run) | {"attempt": attempt.number}


_HAPPENED = {
    JumpKind.DOWN: "no daemon ran for {}",
    JumpKind.ASLEEP: "the machine slept for {}",
    JumpKind.FORWARD: "the clock was set forward by {}",
    JumpKind.UNSEEN: "the machine slept, or the clock was set forward, for {}",
    JumpKind.BACK: "the clock was set back by {}",
    JumpKind.HELD_UP: "the daemon was held up for {}",
}
_CAUSES = {
    JumpKind.DOWN: "daemon down",
    JumpKind.ASLEEP: "asleep",
    JumpKind.FORWARD: "clock set forward",
    JumpKind.UNSEEN: "asleep or clock set forward",
    JumpKind.BACK: "clock set back",
    JumpKind.HELD_UP: "daemon held up",
}
_THEN = {
    Verdict.NOTHING: "no minute was missed",
    Verdict.REPLAYED: "the missed minutes run late",
    Verdict.ACCOUNTED: "missed runs are made up for, or left out with a reason",
    Verdict.WAITED_OUT: "the minutes done before are waited out",
    Verdict.RESET: "begun anew at the present minute",
}


def jump_facts(jump: Jump, *, made_up: int, left_out: int) -> Facts:
    """Return what the log says of a jump, of runs made up for, and of entries that have others."""
    counts = [
        f"{counted(made_up, 'missed run')} made up for" if made_up else "",
        f"instants of {counted(left_out, 'entry')} left out" if left_out else "",
    ]
    then = ", ".join(filter(None, counts)) or of_verdict(jump)
    return {
        "kind": jump.kind.value,
        "last": jump.last.isoformat(),
        "seconds": round(jump.seconds, 3),
        "verdict": jump.verdict.value,
        "made_up": made_up,
        "left_out": left_out,
        "say": f"{of_jump(jump)}: {then}",
    }


def of_jump(jump: Jump) -> str:
    """Return what happened to time, with its size."""
    return _HAPPENED[jump.kind].format(of_seconds(abs(jump.seconds)))


def of_cause(kind: JumpKind) -> str:
    """Return in two words why time went by unseen."""
    return _CAUSES[kind]


def of_verdict(jump: Jump) -> str:
    """Return what the daemon made of a jump."""
    return _THEN[jump.verdict]


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


def of_size(size: int) -> str:
    """Return a number of bytes as a person says it: 512 bytes, 3.1 kB, 47 MB, 1.2 GB."""
    amount, unit = float(size), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 999.5:
            break
        amount, unit = amount / 1000, larger
    whole = unit == "bytes" or amount >= 9.95
    return f"{amount:.0f} {unit}" if whole else f"{amount:.1f} {unit}"


def _two(number: int, unit: str, rest: int, lesser: str) -> str:
    return f"{number} {unit} {rest} {lesser}" if rest else f"{number} {unit}"
