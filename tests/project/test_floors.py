"""The judge of coverage: a part below its floor is seen, and a floor that no file stands on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from floors import FLOORS, Floor, below

ROOT = Path(__file__).parent.parent.parent


def report(**files: tuple[int, int]) -> dict[str, Any]:
    """A report of files by their lines and how many of those were run."""
    return {
        f"scheduler/{name}.py": {
            "summary": {"num_statements": lines, "covered_lines": run},
            "missing_lines": list(range(run + 1, lines + 1)),
        }
        for name, (lines, run) in files.items()
    }


@pytest.mark.parametrize(
    ("percent", "files", "expected", "why"),
    [
        (100, {"a": (10, 10), "b": (5, 5)}, [], "all is run"),
        (100, {"a": (10, 10), "b": (5, 4)}, ["scheduler/b.py:5"], "one line is not"),
        (90, {"a": (10, 10), "b": (10, 8)}, [], "the floor is of all together"),
        (
            91,
            {"a": (10, 10), "b": (10, 8)},
            ["scheduler/b.py:9", "scheduler/b.py:10"],
            "just below",
        ),
    ],
)
def test_a_part_below_its_floor_is_told_with_its_lines(
    percent: float, files: dict[str, tuple[int, int]], expected: list[str], why: str
) -> None:
    found = list(below(report(**files), [Floor("scheduler/*", percent, "")]))
    assert [line for each in found for line in each.missing] == expected, why
    assert bool(found) == bool(expected)


def test_a_floor_that_no_file_stands_on_is_not_kept() -> None:
    assert list(below(report(a=(1, 1)), [Floor("scheduler/gone.py", 100, "")]))


@pytest.mark.parametrize("floor", FLOORS, ids=lambda floor: floor.files)
def test_each_floor_has_files_and_a_reason(floor: Floor) -> None:
    assert list(ROOT.glob(floor.files))
    assert floor.why
