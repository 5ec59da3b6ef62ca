"""The addresses that jobs alert: files of `@name` and what Apprise knows in, what is wrong out."""

from __future__ import annotations

from collections.abc import Iterator

from scheduler.cli import alert_targets
from scheduler.cli.doctor.diagnosis import Diagnosis, fine, problem
from scheduler.cli.doctor.facts import MachineFacts
from scheduler.text import counted

_ON_ADDRESSES = "docs/alerts.md says what is in such a file"


def known(facts: MachineFacts) -> Iterator[Diagnosis]:
    """Yield each target that a failure would not reach, with a job that has it; nothing is sent."""
    jobs: dict[str, str] = {}
    for entry in facts.loaded.entries:
        for target in alert_targets.pushed(entry):
            jobs.setdefault(target, entry.job)
    unreached = 0
    for target, job in jobs.items():
        found = alert_targets.doubts(target, facts.paths.config)
        unreached += bool(found)
        for doubt in found:
            if doubt.code != "missing-extra":  # `extras` tells it, once for all of them
                yield problem(f"{job}: {doubt.message}", doubt.remedy or _ON_ADDRESSES)
    if jobs and not unreached:
        yield fine(f"nothing is wrong with {counted(len(jobs), 'target')} that jobs alert")
