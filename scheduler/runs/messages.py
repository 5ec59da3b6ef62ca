"""What the log says to a person: facts of a run in, a few words out."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, assert_never

from scheduler.run import Decision, Done, GiveUp, Reason, RetryAt
from scheduler.runs.outcome_words import of_left_behind, of_outcome
from scheduler.schedule import misfire
from scheduler.schedule.tick import Jump, JumpKind, Verdict
from scheduler.text import counted, of_entries, of_seconds

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from scheduler.entry import Entry
    from scheduler.run import Attempt, Ending, Run
    from scheduler.runs.events import CrontabLoaded
    from scheduler.schedule.backlog import Backlog
    from scheduler.schedule.catchup import LeftOut

Facts = dict[str, str | int | float | None]


def of_instant(instant: datetime, zone: ZoneInfo, now: datetime) -> str:
    """Return the instant as the wall clock of its zone shows it, with its day if it is not today's.

    Today is the day that `now` has in that zone.
    """
    return of_stretch(instant, instant, zone, now)


def of_times(walls: Sequence[datetime], now: datetime) -> list[str]:
    """Return local times of one zone, each with its date unless all are of the day of `now`."""
    today = now.astimezone(walls[0].tzinfo).date()
    is_today = all(local.date() == today for local in walls)
    return [f"{local:%H:%M}" if is_today else f"{local:%a %Y-%m-%d %H:%M}" for local in walls]


def of_stretch(first: datetime, last: datetime, zone: ZoneInfo, now: datetime) -> str:
    """Return the instants from the first to the last in words."""
    ends = [first] if first == last else [first, last]
    times = of_times([each.astimezone(zone) for each in ends], now)
    return f"{' to '.join(times)} {zone.key}"


def start_facts(entry: Entry, attempt: Attempt, pid: int, *, started: datetime) -> Facts:
    """Return what the log says of a start; `say` is its wording for a person."""
    words = of_instant(attempt.run.instant, entry.zone, started)
    late = misfire.lateness(misfire.own_start(entry, attempt.run.instant), started)
    is_late = attempt.number == 1 and late > 0
    if attempt.number > 1:
        words += f", attempt {attempt.number}"
    elif is_late:
        words += f", {of_seconds(late)} late"
    facts = {"pid": pid, "late_s": round(late, 3) if is_late else None, "say": words}
    return _facts_of(attempt) | facts


def run_facts(run: Run) -> Facts:
    """Return which run a line of the log is about."""
    return {"job": run.job, "run": run.number, "instant": utc(run.instant)}


def skip_facts(left_out: LeftOut, now: datetime) -> Facts:
    """Return what the log says of instants that are not run."""
    entry, first, last = left_out.entry, left_out.first, left_out.last
    words = of_stretch(first, last, entry.zone, now)
    return {
        "job": entry.job,
        "instant": utc(first),
        "until": None if last == first else utc(last),
        "reason": left_out.reason.value,
        "say": f"{words}: {left_out.reason.value}",
    }


def close_facts(run: Run, reason: Reason) -> Facts:
    """Return what the log says of a run that ends without a process."""
    return run_facts(run) | {"reason": reason.value, "say": reason.value}


def wait_facts(entry: Entry, run: Run, due: datetime, now: datetime, *, made_up: bool) -> Facts:
    """Return what the log says of a run whose start is put off."""
    at = of_instant(run.instant, entry.zone, now)
    local = due.astimezone(entry.zone)
    (to,) = of_times([local], now)
    what = "is made up for at" if made_up else "is spread to"
    say = f"{at} {what} {to}:{local:%S}"
    return run_facts(run) | {"due": utc(due, "milliseconds"), "say": say}


def backlog_facts(entry: Entry, backlog: Backlog, now: datetime) -> Facts:
    """Return what the log says of missed instants that all run, one after the other."""
    first, last = backlog.next, backlog.last
    left = counted(backlog.left, "missed instant")
    say = f"{of_stretch(first, last, entry.zone, now)}: {left} to make up for, one after the other"
    facts: Facts = {"job": entry.job, "instant": utc(first), "left": backlog.left, "say": say}
    return facts | {"until": None if last == first else utc(last)}


def line_facts(entry: Entry, run: Run, reason: Reason, now: datetime) -> Facts:
    """Return what the log says of a run that waits for a place."""
    pool = entry.settings.pool.name if entry.settings.pool else None
    what = f"its pool {pool} is full" if reason is Reason.POOL else reason.value
    facts: Facts = {"reason": reason.value, "pool": pool if reason is Reason.POOL else None}
    return run_facts(run) | facts | {"say": f"{of_instant(run.instant, entry.zone, now)}: {what}"}


def adopted_facts(run: Run, pid: int | None) -> Facts:
    """Return what the log says of a process that an earlier daemon started."""
    whose = f"as pid {pid}" if pid else "under a number that is hidden from us"
    say = f"still running {whose}: an earlier daemon started it"
    return run_facts(run) | {"pid": pid, "say": say}


def known_facts(entry: Entry, instant: datetime, now: datetime) -> Facts:
    """Return what the log says of an instant that was due and has been handled before."""
    say = f"{of_instant(instant, entry.zone, now)} has been handled before"
    return {"job": entry.job, "instant": utc(instant), "say": say}


def left_facts(attempt: Attempt, number: int) -> Facts:
    """Return what the log says of processes that got away when their attempt was ended."""
    return _facts_of(attempt) | {"processes": number, "say": of_left_behind(number)}


def end_facts(attempt: Attempt, ending: Ending, decision: Decision) -> Facts:
    """Return what the log says of an ending and of what follows it."""
    took = ending.took
    words = of_outcome(ending.outcome, ending.limit)
    words += "" if took is None else f" after {of_seconds(took)}"
    limit = None if ending.limit is None else ending.limit.value
    length: Facts = {"took_s": None if took is None else round(took, 3)}
    if ending.emptied:
        words += "; it emptied its output: from now on a pipe keeps all of it"
        length["output"] = "emptied"
    facts = _facts_of(attempt) | {"outcome": str(ending.outcome), "limit": limit} | length
    match decision:
        case Done():
            return facts | {"say": words}
        case RetryAt(at):
            wait = max(0.0, (at - ending.ended).total_seconds())
            words += f"; attempt {attempt.number + 1} in {of_seconds(wait)}"
            retry: Facts = {"retry_at": utc(at, "milliseconds"), "retry_in_s": round(wait, 3)}
            return facts | retry | {"say": words}
        case GiveUp(reason):
            words += f"; gave up after attempt {attempt.number}: {reason.value}"
            return facts | {"gave_up": reason.value, "say": words}
        case _:
            assert_never(decision)


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
_VERDICT_WORDS = {
    Verdict.NOTHING: "no minute was missed",
    Verdict.REPLAYED: "the missed minutes run late",
    Verdict.ACCOUNTED: "missed runs are made up for, or left out with a reason",
    Verdict.WAITED_OUT: "the minutes done before are waited out",
    Verdict.RESUMED: "it is right again, and time goes on where it had been",
    Verdict.RESET: "begun anew there: its instants run again, in their own time",
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
        "last": utc(jump.last),
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
    return _VERDICT_WORDS[jump.verdict]


def crontab_facts(loaded: CrontabLoaded) -> Facts:
    """Return what the log says of crontabs that have been read."""
    entries, new, gone = loaded.entries, loaded.new, loaded.gone
    news = "" if loaded.is_first else f"; {new} new, {gone} gone"
    say = of_entries(entries, loaded.zones) + news
    return {"entries": entries, "new": new, "gone": gone, "say": say}


def utc(at: datetime, precision: str = "seconds") -> str:
    """Return the instant as RFC 3339 has it, in UTC: `2027-03-28T01:00:00Z`."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=precision) + "Z"
