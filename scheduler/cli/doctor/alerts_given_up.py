"""The journal in, how many alerts of the last day reached nobody out."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from scheduler.cli.doctor.diagnosis import Diagnosis, fine, warning
from scheduler.errors import JournalError
from scheduler.journal.glance import Glance
from scheduler.system.clock import RealClock
from scheduler.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scheduler.cli.doctor.facts import MachineFacts


def lately(facts: MachineFacts) -> Iterator[Diagnosis]:
    """Yield whether any was given up; a journal that can't be read is told of elsewhere."""
    if not facts.paths.journal.exists():
        return
    with suppress(JournalError), Glance.at(facts.paths.journal) as journal:
        number = journal.failed_alerts(RealClock().now())
        if number:
            what = f"{counted(number, 'alert')} reached nobody in the last day"
            yield warning(what, "meridian alerts --failed says whom, of what and why")
        else:
            yield fine("none was given up in the last day")
