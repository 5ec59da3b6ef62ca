"""Crontabs as they were parsed last: one whose text is the same need not be parsed again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler.entry import Severity
from scheduler.errors import BadValue
from scheduler.schedule import zone_data

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from zoneinfo import ZoneInfo

    from scheduler.crontab.day_values import Calendars
    from scheduler.day_rules import Calendar
    from scheduler.entry import Crontab


class ParsedTables:
    """So the edit of one user's table costs the time of that table, not of all users'.

    Owns what each crontab came to at the last reading, and of which text. The loader calls it.
    Invariant: a crontab is taken from here only where parsing would give the same. One that asked
    for a calendar, or has errors, is parsed each time, since what they depend on is elsewhere.
    """

    def __init__(self) -> None:
        self._kept: dict[str, tuple[tuple[object, ZoneInfo], Crontab]] = {}

    def crontab(
        self,
        file: str,
        origin: object,
        zone: ZoneInfo,
        calendars: Calendars,
        parse: Callable[[Calendars], Crontab],
    ) -> Crontab:
        """Return the crontab that `parse` makes of what `origin` stands for: text and options.

        `zone` is the machine's, whose data are looked at elsewhere.
        """
        kept = self._kept.get(file)
        if kept is not None and kept[0] == (origin, zone) and _has_its_zones(*kept):
            return kept[1]
        asked: list[str] = []

        def find(name: str) -> Calendar:
            asked.append(name)
            return calendars(name)

        table = parse(find)
        if asked or any(each.severity is Severity.ERROR for each in table.problems):
            self._kept.pop(file, None)
        else:
            self._kept[file] = (origin, zone), table
        return table

    def keep(self, files: Collection[str]) -> None:
        """Forget all crontabs but these."""
        for file in self._kept.keys() - files:
            del self._kept[file]


def _has_its_zones(origin: tuple[object, ZoneInfo], table: Crontab) -> bool:
    """Say whether its zones are what their names stand for now; they are asked for by that."""
    others = {entry.zone for entry in table.entries} - {origin[1]}
    try:
        return all(zone_data.named(zone.key) is zone for zone in others)
    except BadValue:
        return False
