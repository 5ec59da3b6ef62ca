"""Tables on narrow screens: times, numbers and names are whole, and all the rest gives way."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from scheduler.cli import tables
from scheduler.cli.styled import Text
from scheduler.cli.tables import When, lines
from scheduler.wrapping import wrapped

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2027, 3, 26, 12, 0, tzinfo=BERLIN)  # a Friday
WIDTHS = (60, 80, 100, 200)
LIST = ("JOB", "SCHEDULE", "ZONE", "NEXT, HERE", "COMMAND")


def plain(
    header: tuple[str, ...], rows: list[tuple[tables.Cell, ...]], width: int | None
) -> list[str]:
    return [line.plain for line in lines(header, rows, width)]


def when(days: int, hour: int = 2) -> When:
    return When(NOW.replace(hour=hour) + timedelta(days=days), NOW)


# --- what gives way, and what never does -----------------------------------------------------------

LONG = "nightly-backup-of-everything-there-is"


def test_a_command_is_cut_and_everything_else_is_whole() -> None:
    command = "rsync " + "/a/long/path " * 10
    row = ("backup", "30 2 * * *", "Europe/Berlin", when(1), command)
    assert plain(LIST, [row], 80) == [
        "JOB     SCHEDULE    ZONE           NEXT, HERE  COMMAND",
        "backup  30 2 * * *  Europe/Berlin  Sat 02:00   rsync /a/long/path /a/long/path…",
    ]


def test_a_command_that_would_have_too_little_room_stands_below_its_row() -> None:
    row = ("backup", "30 2 * * *", "America/Los_Angeles", when(1), "rsync " + "x" * 60)
    assert plain(LIST, [row], 60) == [
        "JOB     SCHEDULE    ZONE                 NEXT, HERE",
        "backup  30 2 * * *  America/Los_Angeles  Sat 02:00",
        "    rsync xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…",
    ]


def test_the_reason_of_an_alert_stands_below_its_row_and_a_path_in_it_is_never_broken() -> None:
    header = ("WHEN", "JOB", "ALERT", "STATE", "TRIES", "TO", "REASON")
    path = "/home/ada/.config/meridian/" + "alerts/" * 8 + "team"
    address = "ping:https://hc.example/" + "x" * 36
    rows: list[tuple[tables.Cell, ...]] = [
        (when(-1), "backup", "failure", "failed", "1", "@team", f"{path}: there is no such file"),
        (when(0), "backup", "ping start", "sent", "1", address, ""),
    ]
    assert plain(header, rows, 80) == [
        "WHEN       JOB     ALERT       STATE   TRIES  TO",
        "Thu 02:00  backup  failure     failed  1      @team",
        f"        {path}:",
        "        there is no such file",
        "Fri 02:00  backup  ping start  sent    1",
        f"    {address}",
    ]
    assert plain(header, rows, None)[1].endswith(f"{path}: there is no such file")


def test_a_reason_goes_on_in_the_next_line_at_a_blank() -> None:
    rows: list[tuple[tables.Cell, ...]] = [
        ("9", "backup", tables.state("failed"), "exit 75, no attempts left"),
        ("10", "mail", tables.state("succeeded"), ""),
    ]
    assert plain(("RUN", "JOB", "STATE", "HOW"), rows, 42) == [
        "RUN  JOB     STATE      HOW",
        "9    backup  failed     exit 75, no",
        "                        attempts left",
        "10   mail    succeeded",
    ]


def test_a_name_longer_than_its_column_pushes_the_rest_of_its_row_down() -> None:
    rows: list[tuple[tables.Cell, ...]] = [
        (LONG, "@daily", "UTC", when(1), "a"),
        ("b", "@daily", "UTC", when(2), "b"),
    ]
    assert plain(LIST, rows, 60) == [
        "JOB                   SCHEDULE  ZONE  NEXT, HERE  COMMAND",
        LONG,
        "                      @daily    UTC   Sat 02:00   a",
        "b                     @daily    UTC   Sun 02:00   b",
    ]


def test_the_column_gives_way_that_pushes_the_fewest_rows_down() -> None:
    rows: list[tuple[tables.Cell, ...]] = [
        ("report", "30 7 * * 1-5", "Europe/Berlin", when(1), "report"),
        (
            "a-very-long-job-name-that-somebody-likes",
            "0 23 * * *",
            "Europe/Berlin",
            when(2),
            "x" * 20,
        ),
    ]
    assert plain(LIST, rows, 80) == [
        "JOB                                      SCHEDULE      ZONE           NEXT, HERE",
        "report                                   30 7 * * 1-5  Europe/Berlin  Sat 02:00",
        "    report",
        "a-very-long-job-name-that-somebody-likes",
        "                                         0 23 * * *    Europe/Berlin  Sun 02:00",
        "    xxxxxxxxxxxxxxxxxxxx",
    ]


def test_a_name_at_the_end_that_the_screen_has_no_room_for_has_a_line_of_its_own() -> None:
    row = (when(1), "America/Los_Angeles", when(1, 11), LONG)
    assert plain(("IN ITS ZONE", "ZONE", "HERE", "JOB"), [row], 60)[1:] == [
        "Sat 02:00    America/Los_Angeles  Sat 11:00",
        f"    {LONG}",
    ]


def test_what_a_very_narrow_screen_has_no_room_for_stands_in_the_next_line() -> None:
    row = ("7", "backup", "Europe/Berlin", "1", "123", "16 min 30 s")
    assert plain(("RUN", "JOB", "ZONE", "ATTEMPT", "PID", "FOR"), [row], 32) == [
        "RUN  JOB     ZONE",
        "    ATTEMPT  PID  FOR",
        "7    backup  Europe/Berlin  1",
        "    123  16 min 30 s",
    ]


def test_into_a_pipe_all_of_it_is_whole() -> None:
    row = (LONG, "@every 90m", "Asia/Tokyo", when(1), "x" * 500)
    line = plain(LIST, [row], None)[1]
    assert line.split("  ") == [LONG, "@every 90m", "Asia/Tokyo", "Sat 2027-03-27 02:00", "x" * 500]


words = st.text(st.sampled_from("ab 日🚀é"), max_size=40)
names = st.text(st.sampled_from("abcdefgh-"), min_size=1, max_size=50)
table_rows = st.lists(
    st.tuples(names, st.sampled_from(["UTC", "America/Argentina/ComodRivadavia"]), words, words),
    min_size=1,
    max_size=20,
)


@given(table_rows, st.sampled_from(WIDTHS))
def test_no_name_is_cut_and_no_line_is_longer_than_the_screen(
    found: list[tuple[str, str, str, str]], width: int
) -> None:
    rows: list[tuple[tables.Cell, ...]] = [
        (str(number), when(number % 7), job, zone, command, why)
        for number, (job, zone, command, why) in enumerate(found)
    ]
    shown = plain(("RUN", "SCHEDULED", "JOB", "ZONE", "COMMAND", "WHY"), rows, width)
    assert all(cell_len(line) <= width for line in shown)
    text = "\n".join(shown)
    for number, (job, zone, _, _) in enumerate(found):
        assert job in text
        assert zone in text
        assert f"{number} " in text
    assert text.count(":00") == len(found)


@given(words, st.sampled_from(WIDTHS))
def test_a_sentence_loses_no_word_and_is_broken_at_blanks(text: str, width: int) -> None:
    shown = wrapped(text, width, 4)
    assert "".join("".join(shown).split()) == "".join(text.split())
    room = max(width, *(4 + cell_len(word) for word in text.split() or [""]))
    assert all(cell_len(line) <= room for line in shown)


# --- dates -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "width", "said", "why"),
    [
        ((0,), 80, ["Fri 02:00"], "today"),
        ((1, 6), 80, ["Sat 02:00", "Thu 02:00"], "within six days a weekday says which"),
        ((-6,), 80, ["Sat 02:00"], "also in the past"),
        ((7,), 80, ["Fri 2027-04-02 02:00"], "in a week the same weekday is another day"),
        ((1, 330), 80, ["Sat 2027-03-27 02:00", "Sat 2028-02-19 02:00"], "all of a table in one form"),
        ((330,), None, ["Sat 2028-02-19 02:00"], "who reads a file does not know when it was written"),
        ((1,), None, ["Sat 2027-03-27 02:00"], "nor which Saturday"),
    ],
)  # fmt: skip
def test_a_date_is_short_where_the_day_is_clear(
    days: tuple[int, ...], width: int | None, said: list[str], why: str
) -> None:
    assert plain(("AT",), [(when(each),) for each in days], width)[1:] == said, why


def test_where_room_is_short_a_date_goes_without_its_weekday() -> None:
    row = (when(30), "Europe/Berlin", when(30, 9), "report")
    assert plain(("IN ITS ZONE", "ZONE", "HERE", "JOB"), [row], 60)[1] == (
        "2027-04-25 02:00  Europe/Berlin  2027-04-25 09:00  report"
    )


def test_of_two_times_both_have_their_day() -> None:
    stretch = When(NOW - timedelta(days=330), NOW, until=NOW)
    assert plain(("AT",), [(stretch,)], 80)[1] == "Thu 2026-04-30 12:00 to Fri 2027-03-26 12:00"


# --- columns that say nothing ----------------------------------------------------------------------


@pytest.mark.parametrize("width", [None, 80])
def test_an_empty_column_goes(width: int | None) -> None:
    assert plain(("JOB", "NOTE"), [("a", ""), ("b", "")], width) == ["JOB", "a", "b"]
    assert plain(("JOB", "NOTE"), [("a", ""), ("b", "x")], width)[0] == "JOB  NOTE"


def test_here_goes_where_it_is_what_the_zones_own_clock_shows() -> None:
    header = ("IN ITS ZONE", "ZONE", "HERE", "JOB")
    same = (when(1), "Europe/Berlin", when(1), "a")
    other = (when(1), "Asia/Tokyo", when(1, 9), "b")
    assert plain(header, [same], 80)[0].split() == ["IN", "ITS", "ZONE", "ZONE", "JOB"]
    assert "HERE" not in plain(header, [same], 80)[0]
    assert "HERE" in plain(header, [same, other], 80)[0]


# --- colour and hostile cells ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "colour"),
    [("failed", "red"), ("lost", "red"), ("skipped", "yellow"), ("succeeded", "")],
)
def test_a_failure_is_seen_by_its_colour(state: str, colour: str) -> None:
    line = list(lines(("RUN", "STATE"), [("1", tables.state(state))], 80))[1]
    assert [style for _, style in line.pieces if style] == ([colour] if colour else [])


def test_a_cell_can_not_steer_the_terminal() -> None:
    rows: list[tuple[tables.Cell, ...]] = [("\x1b[31m\n\u202e", Text("\u202e\n", "red"))]
    assert plain(("JOB", "NOTE"), rows, 80)[1] == r"\x1b[31m\n\u202e  \u202e\n"
