"""Events of a simulation in, JSON or a person's lines out, and in the end what they come to."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from rich.cells import cell_len

from scheduler.cli import json_rows, output, tables
from scheduler.cli.styled import Text
from scheduler.cli.tables import fitted
from scheduler.daemon.simulation_events import EventKind, SimulatedEvent
from scheduler.entry import Entry
from scheduler.printable import clean
from scheduler.text import counted

_EVENT_STYLES = {
    EventKind.RETRY: "yellow",
    EventKind.FAILURE: "red",
    EventKind.SKIP: "yellow",
    EventKind.JUMP: "magenta",
}
_TITLES = ("TIME", "ZONE", "EVENT", "JOB", "SCHEDULED", "WHY")
_WIDEST_CELLS = {"TIME": len("Sun 2027-03-28 03:00:00"), "EVENT": len("failure 2"), "SCHEDULED": 9}


class EventLines:
    """How events are told, in the zones of their entries; what is no entry's, in `zone`.

    Columns are as wide as the entries need, whichever of them have events: the first lines are out
    before the last are known. On a screen, of this width (None: it is none), one zone is not said
    in every line, nor is the date in a simulation of a few days: the command has said them.
    """

    def __init__(
        self, entries: Sequence[Entry], zone: ZoneInfo, *, width: int | None, days: float
    ) -> None:
        self._zone = zone
        self._zones = {entry.job: entry.zone for entry in entries}
        zones = {zone.key, *(entry.zone.key for entry in entries)}
        self._is_short = width is not None and days <= tables.NEAR
        self._shown = [
            i for i, title in enumerate(_TITLES) if title != "ZONE" or len(zones) > 1 or not width
        ]
        jobs = [cell_len(entry.job) for entry in entries]
        sizes = {
            **{title: [cells] for title, cells in _WIDEST_CELLS.items()},
            "ZONE": list(map(len, zones)),
            "JOB": jobs,
            "WHY": [width or 0],
        }
        if self._is_short:
            sizes["TIME"] = [len("Sun 03:00:00")]
        titles = [_TITLES[i] for i in self._shown]
        self._titles = [Text(title) for title in titles]
        self._layout = fitted(titles, [[len(title), *sizes[title]] for title in titles], width)

    def as_json(self, events: Sequence[SimulatedEvent]) -> Text:
        """Return an object a line."""
        return Text("\n".join(json.dumps(json_rows.of_event(event)) for event in events))

    def as_lines(self, events: Sequence[SimulatedEvent]) -> Text:
        """Return the lines of the events; where they are no screen's, one for each."""
        if self._layout.width is None:
            return Text("\n".join(self._whole(self._cells(event)) for event in events))
        return Text("\n").join(line for event in events for line in self._fitted(event))

    def header(self) -> Text:
        """Return the names of the columns."""
        return Text("\n").join(self._layout.header(self._titles))

    def _fitted(self, event: SimulatedEvent) -> Iterator[Text]:
        style = _EVENT_STYLES.get(event.kind, "")
        return self._layout.lines([Text(cell, style) for cell in self._cells(event)])

    def _whole(self, cells: Sequence[str]) -> str:
        paths = zip(cells, self._layout.widths, strict=True)
        return "  ".join(f"{cell:{cells}}" for cell, cells in paths).rstrip()

    def _cells(self, event: SimulatedEvent) -> list[str]:
        zone = self._zones.get(event.job or "", self._zone)
        local = event.time.astimezone(zone)
        kind = event.kind.value
        if event.attempt is not None and event.attempt > 1:
            kind += f" {event.attempt}"
        why = event.reason or ""
        if event.until is not None:
            why += f", and so until {_scheduled(event.until.astimezone(zone), local)}"
        time = f"{local:%a %H:%M:%S}" if self._is_short else f"{output.wall(local)}:{local:%S}"
        at = "" if event.at is None else _scheduled(event.at.astimezone(zone), local)
        cells = (time, zone.key, kind, clean(event.job or ""), at, clean(why))
        return [cells[i] for i in self._shown]


class Tally:
    """Owns what the events of a simulation come to.

    The command calls it with each batch that it prints: it has counted each event once.
    """

    def __init__(self) -> None:
        self._kinds: Counter[EventKind] = Counter()
        self._retries = 0  # attempts after the first ones
        self._to_retry: set[tuple[str | None, datetime | None]] = set()  # runs: a job, an instant
        self._reasons: Counter[str | None] = Counter()  # of skips
        self._folded = 0  # skips that stand for several instants

    def add(self, events: Sequence[SimulatedEvent]) -> None:
        """Count these too."""
        skips = [event for event in events if event.kind is EventKind.SKIP]
        self._kinds.update(event.kind for event in events)
        self._reasons.update(event.reason for event in skips)
        self._folded += sum(event.until is not None for event in skips)
        for event in events:
            self._retries += event.kind is EventKind.START and event.attempt != 1
            note = self._to_retry.add if event.kind is EventKind.RETRY else self._to_retry.discard
            note((event.job, event.at))

    def lines(self, running: int) -> list[str]:
        """Return it in words; so many jobs still run."""
        return [line for line in (self._runs(running), self._skips(), self._jumps()) if line]

    def _runs(self, running: int) -> str:
        kinds = self._kinds
        if not any(kinds[kind] for kind in (EventKind.START, EventKind.RETRY, EventKind.FAILURE)):
            return "no runs"
        runs = counted(kinds[EventKind.START] - self._retries, "run")
        ends = f"{kinds[EventKind.SUCCESS]} succeeded, {kinds[EventKind.FAILURE]} failed"
        still = f", {running} still running" if running else ""
        still += f", {len(self._to_retry)} to be retried" if self._to_retry else ""
        return f"{runs}, {counted(self._retries, 'retry')}: {ends}{still}"

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
    days = abs((at.date() - local.date()).days)
    if days > tables.NEAR:
        return output.wall(at)
    return f"{at:%a %H:%M}" if days else f"{at:%H:%M}"
