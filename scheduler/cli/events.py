"""Events of a simulation in, JSON or a person's lines out, and in the end what they come to."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from rich.text import Text

from scheduler.cli import rows, show
from scheduler.model import Entry
from scheduler.redact import clean
from scheduler.report import counted
from scheduler.story import Event, EventKind

_STYLES = {
    EventKind.RETRY: "yellow",
    EventKind.FAILURE: "red",
    EventKind.SKIP: "yellow",
    EventKind.JUMP: "magenta",
}
_WIDEST = 40  # cells of a job's name; most are shorter, and what is longer is not cut
_TIME = len("Sun 2027-03-28 03:00:00")


class Telling:
    """How events are told, in the zones of their entries; what is no entry's, in `zone`."""

    def __init__(self, entries: Sequence[Entry], zone: ZoneInfo) -> None:
        self._zone = zone
        self._zones = {entry.job: entry.zone for entry in entries}
        zones = {zone.key, *(entry.zone.key for entry in entries)}
        self._zone_width = max(map(len, zones))
        self._job_width = min(_WIDEST, max((len(entry.job) for entry in entries), default=0))

    def as_json(self, events: Sequence[Event]) -> Text:
        """Return an object a line."""
        return Text("\n".join(json.dumps(rows.of_event(event)) for event in events))

    def as_lines(self, events: Sequence[Event]) -> Text:
        """Return a line an event."""
        return Text("\n").join(
            Text(self._line(event), _STYLES.get(event.kind, "")) for event in events
        )

    def header(self) -> str:
        """Return the names of the columns."""
        return self._joined("TIME", "ZONE", "EVENT", "JOB", "SCHEDULED", "WHY")

    def _line(self, event: Event) -> str:
        zone = self._zones.get(event.job or "", self._zone)
        local = event.time.astimezone(zone)
        kind = event.kind.value
        if event.attempt is not None and event.attempt > 1:
            kind += f" {event.attempt}"
        why = event.reason or ""
        if event.until is not None:
            why += f", and so until {_scheduled(event.until.astimezone(zone), local)}"
        return self._joined(
            f"{show.wall(local)}:{local:%S}",
            zone.key,
            kind,
            clean(event.job or ""),
            "" if event.at is None else _scheduled(event.at.astimezone(zone), local),
            clean(why),
        )

    def _joined(self, time: str, zone: str, kind: str, job: str, at: str, why: str) -> str:
        return (
            f"{time:{_TIME}}  {zone:{self._zone_width}}  {kind:9}"
            f"  {job:{self._job_width}}  {at:9}  {why}"
        ).rstrip()


class Tally:
    """What events come to; it hears of all of them."""

    def __init__(self) -> None:
        self._kinds: Counter[EventKind] = Counter()
        self._reasons: Counter[str | None] = Counter()  # of skips
        self._folded = 0  # skips that stand for several instants

    def add(self, events: Sequence[Event]) -> None:
        """Count these too."""
        skips = [event for event in events if event.kind is EventKind.SKIP]
        self._kinds.update(event.kind for event in events)
        self._reasons.update(event.reason for event in skips)
        self._folded += sum(event.until is not None for event in skips)

    def lines(self, running: int) -> list[str]:
        """Return it in words; so many jobs still run."""
        return [line for line in (self._runs(running), self._skips(), self._jumps()) if line]

    def _runs(self, running: int) -> str:
        kinds = self._kinds
        runs, retries = counted(kinds[EventKind.START], "run"), kinds[EventKind.RETRY]
        ends = f"{kinds[EventKind.SUCCESS]} succeeded, {kinds[EventKind.FAILURE]} failed"
        still = f", {running} still running" if running else ""
        return f"{runs}, {counted(retries, 'retry')}: {ends}{still}"

    def _skips(self) -> str:
        skips = counted(self._kinds[EventKind.SKIP], "skip")
        folded = f", {self._folded} of several instants" if self._folded else ""
        reasons = (f"{reason} {number}" for reason, number in self._reasons.most_common())
        return f"{skips}{folded}: {', '.join(reasons)}" if self._reasons else ""

    def _jumps(self) -> str:
        jumps = self._kinds[EventKind.JUMP]
        times = "time" if jumps == 1 else "times"
        return f"{counted(jumps, 'jump')} of the clock or {times} without a daemon" if jumps else ""


def _scheduled(at: datetime, local: datetime) -> str:
    return f"{at:%H:%M}" if at.date() == local.date() else f"{at:%a %H:%M}"
