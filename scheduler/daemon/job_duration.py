"""How long a job usually takes: the journal in, seconds out."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from scheduler.run import State

if TYPE_CHECKING:
    from scheduler.journal.journal import Journal
    from scheduler.journal.rows import RunRow

_SAMPLE = 20  # newest successful runs of a job, which tell how long it takes
_SEARCHED = (20, 200, 2000)  # newest runs and skipped instants that are searched for them


def usual_duration(journal: Journal, job: str) -> float | None:
    """Return the seconds that the job's newest successful attempts took, in the median.

    None if there is none among the newest 2,000 of its rows.
    """
    took: list[float] = []
    for limit in _SEARCHED:
        rows = journal.queries.history(job, limit=limit)
        took = [seconds for row in rows if (seconds := _took(row)) is not None]
        if len(took) >= _SAMPLE or len(rows) < limit:
            break
    return median(took[-_SAMPLE:]) if took else None


def _took(row: RunRow) -> float | None:
    is_told = row.state is State.SUCCEEDED and row.attempts
    return row.attempts[-1].took if is_told else None
