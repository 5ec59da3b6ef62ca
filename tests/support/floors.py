"""The coverage floor: `coverage json`'s report in, each part below its floor out.

Run as a program it judges a report, with exit status 1 for one that is too low; `make coverage`
calls it, and so does .ci/run. Lines count: a rule that decides has each of its lines run by a test.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Floor:
    """How many percent of the lines of these files the tests run at least, and why so many."""

    files: str
    percent: float
    why: str


FLOORS = (
    Floor("scheduler/schedule/*", 100, "when a job is due: a line nobody runs may miss a night"),
    Floor("scheduler/crontab/*", 100, "what a crontab says, and all that is wrong with it"),
    Floor("scheduler/runs/overlap.py", 100, "who starts, waits or is skipped"),
    Floor("scheduler/runs/retry.py", 100, "whether there is another attempt, and when"),
    Floor("scheduler/runs/messages.py", 100, "what is said of it"),
    Floor("scheduler/runs/outcome_words.py", 100, "the same"),
    Floor("scheduler/*", 96, "all; what only another process or a real clock runs is not counted"),
)


@dataclass(frozen=True, slots=True)
class Below:
    """A floor that is not kept: what the tests run, and the lines that they do not."""

    floor: Floor
    percent: float
    missing: Sequence[str]

    def __str__(self) -> str:
        head = f"{self.floor.files}: {self.percent:.2f} % of {self.floor.percent:g} % ({self.floor.why})"
        return "\n  ".join([head, *self.missing[:40]])


def below(files: Mapping[str, Any], floors: Sequence[Floor] = FLOORS) -> Iterator[Below]:
    """Yield the floors that these files of a report do not keep; one that names no file is one."""
    for floor in floors:
        some = {name: file for name, file in files.items() if fnmatch(name, floor.files)}
        lines = sum(file["summary"]["num_statements"] for file in some.values())
        covered = sum(file["summary"]["covered_lines"] for file in some.values())
        percent = 100 * covered / lines if lines else 0.0
        if percent < floor.percent:
            yield Below(
                floor, percent, [f"{n}:{x}" for n, f in some.items() for x in f["missing_lines"]]
            )


def main() -> int:
    """Judge the report that is named, and say what it comes to."""
    report = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    found = list(below(report["files"]))
    for each in found:
        sys.stdout.write(f"coverage below its floor: {each}\n")
    total = report["totals"]["percent_covered"]
    sys.stdout.write(
        f"Coverage: {total:.2f} % of all lines, {len(found)} of {len(FLOORS)} floors not kept.\n"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
