"""What becomes of a run that is due: CRON_OVERLAP, beside what its job has going.

Pure: what is so comes in, one of `Start`, `Skip`, `Queue`, `Replace` goes out, and who asked does
it. The first row that holds decides:

    too late (CRON_WITHIN)                                          Skip
    the job is idle, or `allow`                                     Start
    in time, and `skip`, or `queue` with one queued                 Skip
    in time, and `replace`, and the job is not planned for now      Replace
    else                                                            Queue

In time is what is neither late itself nor comes while its job catches up: only the catch-up brings
runs together that were hours apart, so there each waits for its turn.
"""

from __future__ import annotations

from dataclasses import dataclass

from scheduler.entry import Overlap
from scheduler.run import Reason


@dataclass(frozen=True, slots=True)
class Start:
    """It starts, or waits for a slot where its pool has none."""


@dataclass(frozen=True, slots=True)
class Skip:
    """It never starts, for this reason."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Queue:
    """It waits for the runs of its job that are before it."""


@dataclass(frozen=True, slots=True)
class Replace:
    """It takes the place of what its job has going, which is ended."""


Verdict = Start | Skip | Queue | Replace


def decide(
    policy: Overlap,
    *,
    too_late: bool,
    busy: bool,
    late: bool,
    catching_up: bool,
    queued: bool,
    planned: bool,
) -> Verdict:
    """Return what becomes of a run.

    `too_late` is later than CRON_WITHIN allows, `late` a minute or more after its time. Of its job
    a run goes on or is before it (`busy`), missed ones are made up for (`catching_up`), one waits
    for another (`queued`), or an attempt is prepared for the coming minute (`planned`).
    """
    in_time = not (late or catching_up)
    if too_late:
        return Skip(Reason.TOO_LATE)
    if policy is Overlap.ALLOW or not busy:
        return Start()
    if in_time and (policy is Overlap.SKIP or (policy is Overlap.QUEUE and queued)):
        return Skip(Reason.OVERLAP)
    if in_time and policy is Overlap.REPLACE and not planned:
        return Replace()
    return Queue()
