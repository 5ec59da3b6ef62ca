"""How a problem reads: its place, the line, a caret that stands where it should, a hint."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from scheduler.crontab import diagnostics
from scheduler.entry import Problem, Severity


def problem(
    text: str, column: int, *, line: int = 3, severity: Severity = Severity.ERROR, hint: str = ""
) -> Problem:
    return Problem("tab", line, column, severity, "bad-value", "no such minute", hint, text)


def test_the_headline_is_file_line_column_code_message() -> None:
    assert diagnostics.headline(problem("61 * * * * x", 1)) == "tab:3:1: bad-value no such minute"


def test_a_warning_says_that_it_is_one() -> None:
    headline = diagnostics.headline(problem("x", 1, severity=Severity.WARNING))
    assert headline == "tab:3:1: bad-value no such minute (warning)"


def test_a_problem_of_a_whole_file_has_no_numbers_and_no_excerpt() -> None:
    whole = problem("", 0, line=0)
    assert diagnostics.lines(whole) == ("tab: bad-value no such minute",)


def test_a_hint_stands_below() -> None:
    assert diagnostics.lines(problem("61 *", 1, hint="write 1")) == (
        "tab:3:1: bad-value no such minute",
        "    61 *",
        "    ^",
        "    hint: write 1",
    )


@pytest.mark.parametrize(
    ("text", "column", "shown", "caret"),
    [
        ("0 61 * * *", 3, "0 61 * * *", "  ^"),
        ("0\t61 *", 3, "0 61 *", "  ^"),  # a tab is one blank
        ("日本 61", 4, "日本 61", "     ^"),  # a wide letter takes two cells
        ("e\u0301 61", 4, "e\u0301 61", "  ^"),  # a combining mark takes none
        ("\x1b 61", 3, "\\x1b 61", "     ^"),  # an escape takes four
        ("0 6", 99, "0 6", "   ^"),  # beyond the end is at the end
    ],
)
def test_the_caret_stands_under_the_character(
    text: str, column: int, shown: str, caret: str
) -> None:
    assert diagnostics.excerpt(problem(text, column)) == (shown, caret)


def test_a_monster_line_is_cut_around_the_column() -> None:
    text = "a" * 500_000 + "X" + "b" * 500_000
    found = diagnostics.excerpt(problem(text, 500_001))
    assert found is not None
    line, caret = found
    assert len(line) < 90
    assert line[len(caret) - 1] == "X"
    assert (line[0], line[-1]) == ("…", "…")


@given(st.text(max_size=200), st.integers(1, 300))
def test_caret_and_line_always_fit_together(text: str, column: int) -> None:
    found = diagnostics.excerpt(problem(text, column))
    if found is not None:
        line, caret = found
        assert line.isprintable()
        assert cell_len(caret) <= cell_len(line) + 1


@pytest.mark.parametrize(
    ("errors", "warnings", "summary"),
    [
        (0, 0, "12 entries, no problems"),
        (1, 0, "12 entries, 1 problem (1 error)"),
        (1, 2, "12 entries, 3 problems (1 error, 2 warnings)"),
    ],
)
def test_the_summary_counts(errors: int, warnings: int, summary: str) -> None:
    found = [problem("x", 1)] * errors + [problem("x", 1, severity=Severity.WARNING)] * warnings
    assert diagnostics.summary(12, found) == summary
