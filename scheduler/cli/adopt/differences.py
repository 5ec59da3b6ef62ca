"""An entry of another cron in, what it does differently here, and why, out. Pure.

The other is Debian's cron or cronie (cron(8), crontab(5)) or anacron (anacron(8)).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from scheduler.entry import Catchup, Entry, Expression, Overlap
from scheduler.schedule import catchup, dst_audit
from scheduler.text import of_seconds


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is different here: which, what happens here, and what the other does."""

    topic: str
    here: str
    there: str


@dataclass(frozen=True, slots=True)
class CronFacts:
    """What the crontabs do not say: the machine's zone, and whether mail can be sent.

    Clock changes are those of a `year`. Debian's cron runs nothing of `ignored` files, for what
    each of these says.
    """

    zone: str
    year: int
    has_mail: bool = True
    ignored: Mapping[str, str] = field(default_factory=dict)


def of_entry(entry: Entry, facts: CronFacts) -> tuple[Difference, ...]:
    """Return what is different for an entry, the most surprising first."""
    if entry.stamp:
        return tuple(_of_anacron(entry, facts))
    return tuple(_of_cron(entry, facts))


def gathered(entries: Iterable[Entry], facts: CronFacts) -> dict[Difference, list[Entry]]:
    """Return each difference with the entries that it is of: most are of many."""
    found: dict[Difference, list[Entry]] = {}
    for entry in entries:
        for each in of_entry(entry, facts):
            found.setdefault(each, []).append(entry)
    return found


def _of_cron(entry: Entry, facts: CronFacts) -> Iterator[Difference]:
    if why := facts.ignored.get(entry.file):
        yield Difference("table", f"what is good in {entry.file} runs", why)
    if entry.zone.key != facts.zone:
        there = f"Debian's cron goes by the machine's zone, {facts.zone}; cronie goes by CRON_TZ"
        yield Difference("zone", f"it goes by CRON_TZ, {entry.zone.key}", there)
    yield from _clock_changes(entry, facts.year)
    yield from _retries(entry)
    if entry.settings.overlap is not Overlap.ALLOW:
        there = "cron starts it beside the other; CRON_OVERLAP=allow does so here"
        yield Difference("overlap", _overlap(entry), there)
    if catchup.mode(entry) is not Catchup.NONE:
        late = of_seconds(entry.settings.within)
        here = f"what was missed while the machine was off runs once, up to {late} late"
        yield Difference("missed", here, "cron loses it; CRON_CATCHUP=none does so here")
    yield from _mail(facts)


def _of_anacron(entry: Entry, facts: CronFacts) -> Iterator[Difference]:
    schedule = entry.schedule
    if isinstance(schedule, Expression):
        at = f"{min(schedule.hours):02}:{min(schedule.minutes):02}"
        there = "anacron starts it that long after its own start: at boot, and by a timer"
        yield Difference("time", f"on its day it starts at {at}", there)
    here = "what is overdue starts at once, one job after the other"
    yield Difference("missed", here, "anacron waits until its next start, and then its delay")
    yield from _retries(entry)
    yield from _mail(facts)


def _clock_changes(entry: Entry, year: int) -> Iterator[Difference]:
    """Yield what a job gets here that cron loses: one of its fields starts with `*`."""
    if not isinstance(entry.schedule, Expression) or not entry.schedule.elapsed:
        return
    for _, effect in dst_audit.audit((entry,), year).found:
        if effect.change.kind == "forward" and effect.skipped and effect.runs:
            there = "cron loses it: the minute or hour field starts with *"
            yield Difference("clock change", f"{effect.change}: {effect.what}", there)


def _retries(entry: Entry) -> Iterator[Difference]:
    if number := entry.settings.retry.retries:
        here = f"a failure is tried again, up to {number} times (CRON_RETRIES)"
        yield Difference("retries", here, "cron tries nothing again")


def _overlap(entry: Entry) -> str:
    going_on = "while its last run goes on"
    match entry.settings.overlap:
        case Overlap.QUEUE:
            return f"it waits {going_on}"
        case Overlap.REPLACE:
            return f"{going_on}, that one is ended first"
        case _:
            return f"a run is left out {going_on}"


def _mail(facts: CronFacts) -> Iterator[Difference]:
    if not facts.has_mail:
        here = "nobody is mailed; meridian logs shows what it wrote"
        yield Difference("mail", here, "cron mails it by sendmail, which is not here either")
