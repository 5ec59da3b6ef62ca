"""After a bad edit: what was broken keeps running as it was, what was taken out is gone."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.crontab import parser
from scheduler.crontab.last_good import Merged, merge
from scheduler.crontab.unique_names import unique
from scheduler.entry import Crontab

if TYPE_CHECKING:
    from collections.abc import Sequence

UTC_ZONE = ZoneInfo("UTC")


def table(text: str, file: str = "a") -> Crontab:
    return parser.parse(text.encode(), file=file, zone=UTC_ZONE)


def told(merged: Merged) -> list[str]:
    """The commands that are kept, each with the line where it is said to stand now."""
    return sorted(f"{entry.command}@{entry.line}" for entry in merged.kept)


def commands(merged: Merged) -> list[str]:
    return sorted(entry.command for table in merged.crontabs for entry in table.entries)


A, B, C = "1 * * * * alpha\n", "2 * * * * bravo\n", "3 * * * * charlie\n"
BAD_A, BAD_B, BAD_C = "99 * * * * alpha\n", "2 * * * 9 bravo\n", "3 * * * charlie\n"
NOTE, BERLIN, MARS = "# note\n", "CRON_TZ=Europe/Berlin\n", "CRON_TZ=Mars/Base\n"


@pytest.mark.parametrize(
    ("old", "new", "kept", "running", "why"),
    [
        (A + B, A + B, "", "alpha bravo", "nothing was edited"),
        (A + B, A + BAD_B, "bravo@2", "alpha bravo", "a line was broken"),
        (A + B, BAD_A + BAD_B, "alpha@1 bravo@2", "alpha bravo", "both were"),
        (A + B + C, B + C, "", "bravo charlie", "a line was taken out"),
        (A + B + C, B + BAD_C, "charlie@2", "bravo charlie", "one was taken out, one broken"),
        (A + B + C, A + BAD_C, "charlie@2", "alpha charlie", "one was taken out beside a broken one"),
        (A + B + C, BAD_A + C, "alpha@1", "alpha charlie", "one was taken out behind a broken one"),
        (A + B, A + "#" + B, "", "alpha", "a comment is as good as gone"),
        (A, "@@@\n", "alpha@1", "alpha", "nothing of the line is left but its place"),
        (A, NOTE * 3 + "\n" + BAD_A, "alpha@5", "alpha", "lines came in above"),
        (NOTE * 3 + A, BAD_A, "alpha@1", "alpha", "lines above went"),
        (A + NOTE + B, NOTE + B + BAD_A, "alpha@3", "alpha bravo", "it was broken and moved down"),
        (B + C + A, BAD_A + NOTE + B + C, "alpha@1", "alpha bravo charlie", "and up"),
        (A + B, B + "@@@ something else\n", "", "bravo", "taken out, and elsewhere a new line is wrong"),
        (A, A + BAD_B, "", "alpha", "a new line that never was right"),
        ("", BAD_A, "", "", "the same in an empty file"),
        (A + B + C, MARS + A + B + C, "alpha@2 bravo@3 charlie@4", "alpha bravo charlie", "a zone that is none above three entries"),
        (BERLIN + A + B, MARS + A + B, "alpha@2 bravo@3", "alpha bravo", "a zone that was broken"),
        (BERLIN + A + B, MARS + B, "bravo@2", "bravo", "and a line taken out beside it"),
        (A + A, A + BAD_A, "alpha@2", "alpha alpha", "of two equal lines the second was broken"),
        (A + A, BAD_A + A, "alpha@1", "alpha alpha", "or the first"),
        (A + B + C, BAD_C + B, "charlie@1", "bravo charlie", "one was taken out, and one broken and moved there"),
        (A + B, "@@@\n" + BAD_A, "alpha@2 bravo@1", "alpha bravo", "one moved, and in its place one is past knowing"),
        ("CRON_NAME=n " + A, "CRON_NAME=n " + B + BAD_A, "", "bravo", "its name is another line's now"),
        ("CRON_NAME=N " + A, BAD_A + "CRON_NAME=n " + B, "", "bravo", "whatever its case"),
    ],
)  # fmt: skip
def test_a_broken_line_keeps_its_last_good_version(
    old: str, new: str, kept: str, running: str, why: str
) -> None:
    (before,) = unique([table(old)])
    merged = merge([before], unique([table(new)]))
    assert " ".join(told(merged)) == kept, why
    assert " ".join(commands(merged)) == running, why


@pytest.mark.parametrize("first", [BAD_A + B, "97 * * * * alpha\n" + B, NOTE + BAD_A + B])
@pytest.mark.parametrize("second", [BAD_A + B, "!!!\n" + B, B + BAD_A, BAD_A + NOTE + BAD_B])
def test_the_first_good_version_outlives_two_bad_edits(first: str, second: str) -> None:
    once = merge([table(A + B)], [table(first)])
    twice = merge(once.crontabs, [table(second)])
    assert commands(twice) == ["alpha", "bravo"]
    mended = merge(twice.crontabs, [table(A + B)])
    assert (commands(mended), mended.kept) == (["alpha", "bravo"], ())
    assert commands(merge(twice.crontabs, [table(B)])) == ["bravo"], "taken out at last"


def test_a_new_entry_with_the_name_wins_in_whatever_file() -> None:
    old = [table("CRON_NAME=n " + A, "a"), table(B, "b")]
    new = [table(BAD_A, "a"), table("CRON_NAME=N " + C, "b")]
    assert commands(merge(old, new)) == ["charlie"]


def test_of_two_kept_entries_with_one_name_the_first_files_stays() -> None:
    merged = merge([table(A, "a"), table(A, "b")], [table(BAD_A, "a"), table(BAD_A, "b")])
    assert [entry.file for entry in merged.kept] == ["a"]


# --- whole files ---------------------------------------------------------------------------------


def nothing(file: str) -> Crontab:
    return Crontab(file, b"", (), ())


def test_an_unreadable_file_keeps_all_its_entries() -> None:
    merged = merge([table(NOTE + A + B)], [nothing("a")], frozenset({"a"}))
    assert told(merged) == ["alpha@2", "bravo@3"]


def test_a_file_that_was_unreadable_and_came_back_broken_keeps_what_it_had() -> None:
    once = merge([table(NOTE + A + B)], [nothing("a")], frozenset({"a"}))
    merged = merge(once.crontabs, [table(NOTE + BAD_A + B)])
    assert (told(merged), commands(merged)) == (["alpha@2"], ["alpha", "bravo"])


def test_an_unreadable_file_that_never_was_readable_has_nothing_to_keep() -> None:
    assert commands(merge([], [nothing("a")], frozenset({"a"}))) == []


def test_a_file_that_is_gone_or_empty_takes_its_entries_along() -> None:
    old = [table(A, "a"), table(B, "b"), table(C, "c")]
    assert commands(merge(old, [table(A, "a"), nothing("b")])) == ["alpha"]


def test_each_file_is_judged_on_its_own() -> None:
    old = [table(A, "a"), table(B, "b")]
    merged = merge(old, [table(BAD_A, "a"), nothing("b")], frozenset({"b"}))
    assert [(entry.file, entry.command) for entry in merged.kept] == [
        ("a", "alpha"),
        ("b", "bravo"),
    ]


def test_what_is_new_comes_with_its_own_problems_and_lines() -> None:
    (found,) = merge([table(A + B)], [table(BAD_A + B)]).crontabs
    expected = table(BAD_A + B)
    assert replace(found, entries=()) == replace(expected, entries=())


# --- any edit ------------------------------------------------------------------------------------

NAMES = "anna berlin copper dune ember fjord glacier harbour island jasmine kettle lantern".split()
EDITS = ["as it was", "broken", "taken out", "shifted", "joined"]


def edited(names: Sequence[str], edits: Sequence[str]) -> str:
    lines = []
    for name, edit in zip(names, edits, strict=True):
        line = f"5 4 * * * {name} --of {name[::-1]}\n"
        lines += {
            "as it was": [line],
            "broken": [line.replace("5", "65", 1)],
            "taken out": [],
            "shifted": [NOTE, line],
            "joined": [line, f"6 5 * * * new-{name}\n"],
        }[edit]
    return "".join(lines)


@settings(max_examples=150)
@given(
    st.lists(st.sampled_from(EDITS), min_size=len(NAMES), max_size=len(NAMES)),
    st.one_of(st.just(NAMES), st.permutations(NAMES)),
)
def test_what_became_refused_is_kept_and_what_is_gone_is_not(
    edits: list[str], order: list[str]
) -> None:
    """Whatever else an edit does: lines put in, taken out, broken and moved about at once."""
    edit_of = dict(zip(NAMES, edits, strict=True))
    old = table(edited(NAMES, ["as it was"] * len(NAMES)))
    new = table(edited(order, [edit_of[name] for name in order]))
    kept = {entry.command.split()[0]: entry.line for entry in merge([old], [new]).kept}
    assert set(kept) == {name for name in NAMES if edit_of[name] == "broken"}
    assert set(kept.values()) == new.refused


def broken(line: str) -> str:
    return "65" + line[1:]


LINES = [f"5 4 * * * backup --number {number}\n" for number in range(2000)]


@pytest.mark.parametrize(
    ("old", "new", "kept", "why"),
    [
        (LINES, [broken(line) for line in LINES], 2000, "every line was broken at once"),
        (LINES, [broken(LINES[0]), *LINES[1:-1], broken(LINES[-1])], 2, "the first and the last"),
        (["5 4 * * * a\n"] * 2000, ["5 4 * * * a\n"] * 1999 + ["65 4 * * * a\n"], 1, "all alike"),
        (LINES, ["CRON_TZ=Mars/Base\n", *LINES], 2000, "a zone above them all"),
        (["5 4 * * * " + "a" * 100_000], ["65 4 * * * " + "a" * 90_000], 1, "lines without end"),
    ],
)
def test_a_large_table_is_not_much_slower(
    old: list[str], new: list[str], kept: int, why: str
) -> None:
    (before,), (after,) = ([*unique([table("".join(text))])] for text in (old, new))
    started = time.process_time()
    assert len(merge([before], [after]).kept) == kept, why
    assert time.process_time() - started < 5, "a comparison of each with each takes a minute"
