"""A recorder that has the same people hear of each failure, whatever an entry says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scheduler.notice import Facts, Kind, Notice
from scheduler.runs.events import RunFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scheduler.journal.journal import Journal
    from scheduler.runs.events import Event


@dataclass
class Telling:
    """Each of the targets hears of each failure; `{job}` in a target is the job's name."""

    journal: Journal
    targets: Sequence[str]

    def concerns(self, event: Event) -> bool:
        return isinstance(event, RunFailed)

    def record(self, event: Event) -> None:
        assert isinstance(event, RunFailed)
        job = event.run.job
        facts = Facts(job, "", "", 1, "UTC", run=event.run.number)
        for target in self.targets:
            kind = Kind.PING if target.startswith("ping:") else Kind.FAILURE
            notice = Notice(target.replace("{job}", job), kind, event.at, facts)
            self.journal.outbox.add(notice)


def telling(*targets: str) -> Callable[[Journal], Telling]:
    """What makes such a recorder."""
    return lambda journal: Telling(journal, targets)
