"""One notice in, its headline and the lines that tell the rest out. Pure."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from scheduler.notice import Kind
from scheduler.schedule import zone_data
from scheduler.text import counted, of_seconds

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, tzinfo

    from scheduler.notice import AttemptFacts, Facts, Notice

_SHOWN_ATTEMPTS = 20  # of a run: the first of them, and the last


def headline(kind: Kind, facts: Facts, host: str = "") -> str:
    """Return what has happened, in one line without an end; where, if a `host` is given."""
    return _HEADLINES[kind](facts, f" on {host}" if host else "")


def of_notice(notice: Notice) -> list[str]:
    """Return the rest: what happened at each attempt, since when, what follows, where to look."""
    facts = notice.facts
    return [
        *_happened(notice.kind, facts),
        *_attempts(facts),
        *_follows(notice.kind, facts),
        "",
        f"Command: {facts.command}",
        f"Line: {facts.file}:{facts.line}",
        f"Look: {_where(notice.kind, facts)}",
    ]


def at(instant: datetime | None, zone: str) -> str:
    """Return an instant as its zone's clock shows it: `Mon 2027-03-01 03:00 Europe/Berlin`."""
    if instant is None:
        return "a time that nobody knows"
    local = instant.astimezone(_zone(zone))
    return f"{local:%a %Y-%m-%d %H:%M} {zone or 'UTC'}"


def stamp(instant: datetime | None, zone: str) -> str:
    """Return an instant for a template, as CRON_SCHEDULED has it: RFC 3339 with its offset."""
    if instant is None:
        return ""
    return instant.astimezone(_zone(zone)).isoformat(timespec="seconds")


def _zone(name: str) -> tzinfo:
    return zone_data.named_or_utc(name) if name else UTC


# --- headlines -----------------------------------------------------------------------------------


def _failure(facts: Facts, where: str) -> str:
    if facts.of:
        return f"{facts.job} flaps{where}: {facts.count} of {facts.of} runs failed"
    in_a_row = f" {facts.count} times in a row" if facts.count > 1 else ""
    return f"{facts.job} failed{in_a_row}{where}: {facts.outcome or facts.reason}"


def _missed(facts: Facts, where: str) -> str:
    return f"{counted(facts.count, 'run')} of {facts.job} never started{where}: {facts.reason}"


def _slow(facts: Facts, where: str) -> str:
    took, usual = of_seconds(facts.took or 0.0), of_seconds(facts.usual or 0.0)
    return f"{facts.job} took {took}{where}, and usually takes {usual}"


def _silent(facts: Facts, where: str) -> str:
    return f"{facts.job} has not succeeded{where} since {at(facts.since, facts.zone)}"


_HEADLINES: dict[Kind, Callable[[Facts, str], str]] = {
    Kind.FAILURE: _failure,
    Kind.RECOVERY: lambda facts, where: f"{facts.job} is well again{where}",
    Kind.MISSED: _missed,
    Kind.SLOW: _slow,
    Kind.SILENT: _silent,
    Kind.OUTPUT: lambda facts, where: f"{facts.job}{where}: {facts.outcome or 'done'}",
    Kind.PING: lambda facts, where: f"{facts.job}{where}: {facts.detail}",
}


# --- lines -------------------------------------------------------------------------------------


def _happened(kind: Kind, facts: Facts) -> list[str]:
    since = at(facts.since, facts.zone)
    match kind:
        case Kind.FAILURE:
            return _failed(facts, since)
        case Kind.RECOVERY:
            return [_recovered(facts, since)]
        case Kind.MISSED:
            return [f"The first of them was due on {since}."]
        case Kind.SILENT if facts.reason:
            return [f"{facts.reason[:1].upper()}{facts.reason[1:]}."]
        case _:
            return []


def _failed(facts: Facts, since: str) -> list[str]:
    if facts.of:
        return [f"Since {since}, {facts.count} of its {facts.of} runs have failed."]
    in_a_row = f"It has failed {facts.count} times in a row, since {since}."
    return [in_a_row] if facts.count > 1 else []


def _recovered(facts: Facts, since: str) -> str:
    if facts.of:
        return f"From {since} on, {facts.count} of its {facts.of} runs had failed."
    if facts.count > 1:
        return f"It had failed {facts.count} times in a row, since {since}."
    return f"It had failed on {since}." if facts.count else f"It had not succeeded since {since}."


def _attempts(facts: Facts) -> list[str]:
    if not facts.attempts:
        return []
    due = f", due {at(facts.scheduled, facts.zone)}" if facts.scheduled else ""
    lines = [_attempt(each, facts) for each in facts.attempts]
    half = _SHOWN_ATTEMPTS // 2
    if left_out := max(0, len(lines) - 2 * half):
        lines[half:-half] = [f"  … {left_out} more …"]
    return [f"Run {facts.run}{due}:", *lines]


def _attempt(attempt: AttemptFacts, facts: Facts) -> str:
    words = f"  attempt {attempt.number}"
    if attempt.started is not None:
        words += f" at {attempt.started.astimezone(_zone(facts.zone)):%H:%M:%S}"
    words += f": {attempt.outcome or 'not over'}"
    if attempt.took is not None:
        words += f" after {of_seconds(attempt.took)}"
    return words


def _follows(kind: Kind, facts: Facts) -> list[str]:
    """Return what Meridian does next, and when whoever reads this hears again."""
    match kind:
        case Kind.FAILURE:
            why = f" ({facts.reason})" if facts.reason else ""
            again = [f"This run is not tried again{why}.", "The next one comes by the schedule."]
            if facts.of:
                return [*again, "You hear once a day while this goes on, and when it is over."]
            return [
                *again,
                "You are reminded once a day while it fails, and told when it succeeds.",
            ]
        case Kind.SILENT:
            return ["You are reminded once a day until it succeeds, and told when it does."]
        case Kind.MISSED:
            return ["They are not made up for. You hear of it at most once a day."]
        case Kind.SLOW:
            return ["You hear of it at most once a day."]
        case _:
            return []


def _where(kind: Kind, facts: Facts) -> str:
    if kind is Kind.MISSED:
        return f"meridian history {facts.job}, meridian why {facts.job}"
    if facts.run is None:
        return f"meridian status, meridian why {facts.job}"
    return f"meridian logs {facts.run}, meridian why {facts.run}"
