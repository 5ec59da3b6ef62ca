"""Crontabs in memory, as a test edits them; a daemon reads them like files."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from scheduler.crontab import parser
from scheduler.crontab.unique_names import unique
from scheduler.entry import Crontab, Problem, Severity
from scheduler.status import Reads
from scheduler.system.calendars import CalendarSource
from scheduler.system.crontab_loader import Loaded, TakenTables

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from scheduler.system.crontab_files import Stamp

UTC_ZONE = ZoneInfo("UTC")


@dataclass(slots=True)
class MemoryLibrary:
    """Crontabs in memory: missing ones (None) that were named can't be read, as on a disk.

    The texts that name a `hanging` calendar can't be read without it while it hangs. A file that
    is called `@alice` is the table of that user. `is_crons`: cron would run them all.
    """

    files: dict[str, str | None]
    named: bool = True
    loads: int = 0
    reboots: int = 0
    taken: TakenTables = field(default_factory=TakenTables)
    hanging: str = ""
    is_crons: bool = False
    apart: list[frozenset[CalendarSource]] = field(default_factory=list)  # what was read apart

    def stamps(self) -> Mapping[str, Stamp]:
        return {name: (text,) for name, text in self.files.items() if text is not None}

    def load(self) -> Loaded:
        self.loads += 1
        if self.hanging and any(self.hanging in (text or "") for text in self.files.values()):
            return Loaded((), (), (), unread=frozenset({CalendarSource(self.hanging)}))
        tables = unique(
            [_read(name, text, is_crons=self.is_crons) for name, text in self.files.items()]
        )
        missing = {name for name, text in self.files.items() if text is None}
        return Loaded(
            crontabs=tables,
            entries=tuple(entry for table in tables for entry in table.entries),
            problems=tuple(problem for table in tables for problem in table.problems),
            failed=frozenset(missing if self.named else ()),
            taken=self.taken,
        )

    def read_apart(self, calendars: Collection[CalendarSource]) -> None:
        self.apart.append(frozenset(calendars))

    def rebooted(self) -> None:
        self.reboots += 1

    def is_reading(self) -> bool:
        return bool(self.apart and self.hanging)

    def reads(self) -> Reads:
        return Reads(is_named=self.named, is_system_format=False, zone="UTC")


def _read(name: str, text: str | None, *, is_crons: bool = False) -> Crontab:
    if text is None:
        why = Problem(name, 0, 0, Severity.ERROR, "missing", "there is no such file")
        return Crontab(name, b"", (), (why,))
    table = parser.parse(text.encode(), file=name, zone=UTC_ZONE)
    user = name.removeprefix("@") if name.startswith("@") else None
    return replace(
        table,
        user=user,
        entries=tuple(replace(each, user=user, is_crons=is_crons) for each in table.entries),
    )
